// LeapWorkersTests
