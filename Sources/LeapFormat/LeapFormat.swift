// LeapFormat: placeholder.
