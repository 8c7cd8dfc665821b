// LeapstoneImage: placeholder.
