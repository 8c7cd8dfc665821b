// LeapstoneImageTests
