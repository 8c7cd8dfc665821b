// LeapOperatorsTests
