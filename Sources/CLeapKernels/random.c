// random.c: the Mersenne Twister MT19937, and dropout with what it draws.
#include "leap_random.h"

#include "elementwise_types.h"

enum { WORDS = LEAP_TWISTER_WORDS, MIDDLE = 397 };

void leap_twister_seed(struct leap_twister *twister, uint32_t seed) {
  for (uint32_t i = 0; i < WORDS; i++) {
    twister->words[i] = seed;
    seed = UINT32_C(1812433253) * (seed ^ seed >> 30) + i + 1;
  }
  twister->next = WORDS;
}

static void twist(uint32_t *words) {
  for (int i = 0; i < WORDS; i++) {
    const uint32_t mixed = (words[i] & 0x80000000) | (words[(i + 1) % WORDS] & 0x7fffffff);
    words[i] = words[(i + MIDDLE) % WORDS] ^ mixed >> 1 ^ (mixed & 1 ? 0x9908b0df : 0);
  }
}

static uint32_t draw(struct leap_twister *twister) {
  if (twister->next == WORDS) {
    twist(twister->words);
    twister->next = 0;
  }
  uint32_t word = twister->words[twister->next++];
  word ^= word >> 11;
  word ^= word << 7 & 0x9d2c5680;
  word ^= word << 15 & 0xefc60000;
  return word ^ word >> 18;
}

double leap_twister_uniform(struct leap_twister *twister) {
  const uint32_t high = draw(twister) >> 5;
  const uint32_t low = draw(twister) >> 6;
  return (high * 0x1p26 + low) * 0x1p-53;
}

#define DROPOUT(T)                                                  \
  for (ptrdiff_t i = 0; i < count; i++) {                           \
    const int keeps = leap_twister_uniform(twister) >= ratio;       \
    ((T *)y)[i] = ((const T *)x)[i] * (keeps ? (T)scale : 0);       \
    if (kept) kept[i] = (uint8_t)keeps;                             \
  }

void leap_dropout_run(
    int32_t type, const void *x, void *y, uint8_t *kept, ptrdiff_t count, double ratio,
    struct leap_twister *twister) {
  const double scale = 1 / (1 - ratio);
  if (type == LEAP_F32) DROPOUT(float)
  else DROPOUT(double)
}
