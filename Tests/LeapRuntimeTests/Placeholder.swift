// LeapRuntimeTests
