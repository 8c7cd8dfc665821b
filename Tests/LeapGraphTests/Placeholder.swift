// LeapGraphTests
