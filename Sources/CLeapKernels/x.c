void leap_placeholder2(void) {}
