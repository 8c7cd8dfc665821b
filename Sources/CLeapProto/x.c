void leap_placeholder(void) {}
