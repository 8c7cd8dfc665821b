// LeapToolsTests
