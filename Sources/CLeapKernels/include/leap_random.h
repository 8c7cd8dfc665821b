// leap_random.h: the Mersenne Twister (Matsumoto and Nishimura 1998) as NumPy's legacy generator draws from it, which is
// what ONNX's reference implementation uses; and what is drawn.
#ifndef LEAP_RANDOM_H
#define LEAP_RANDOM_H

#include <stddef.h>
#include <stdint.h>

enum { LEAP_TWISTER_WORDS = 624 };

/// The state of a generator; no two threads draw from one.
struct leap_twister {
  uint32_t words[LEAP_TWISTER_WORDS];
  int32_t next;
};

/// Starts a generator.
void leap_twister_seed(struct leap_twister *twister, uint32_t seed);

/// The next number in 0..<1, with 53 random bits.
double leap_twister_uniform(struct leap_twister *twister);

/// y[i] = x[i] * scale where a drawn number is at least `ratio`, x[i] * 0 elsewhere; kept[i] says which, where `kept` is not
/// null. `type` is ONNX's number of float32 or float64. y may be x.
void leap_dropout_run(
    int32_t type, const void *x, void *y, uint8_t *kept, ptrdiff_t count, double ratio,
    struct leap_twister *twister);

#endif
