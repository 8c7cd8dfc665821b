// Leapstone: placeholder.
