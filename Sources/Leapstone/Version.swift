// Version: what tools and reports say. A test holds it equal to the file VERSION.

/// The version of Leapstone.
package let leapstoneVersion = "0.1.0"
