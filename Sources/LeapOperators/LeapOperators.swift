// LeapOperators: placeholder.
