// LeapTensorsTests
