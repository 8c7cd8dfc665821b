// LeapRuntime: placeholder.
