// LeapTools: placeholder.
