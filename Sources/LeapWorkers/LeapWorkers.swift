// LeapWorkers: placeholder.
