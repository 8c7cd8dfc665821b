// LeapKernelsTests
