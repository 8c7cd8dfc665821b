// LeapFormatTests
