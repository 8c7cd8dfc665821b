// LeapstoneTests
