// LeapTestSupport
