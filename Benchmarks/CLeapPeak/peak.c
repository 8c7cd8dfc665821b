// Multiply-adds without memory: as many independent sums as hide the latency of each, and as registers hold.
#include "leap_peak.h"

#include "instruction_sets.h"

#if defined(__aarch64__)
#define SUMS 24
#else
#define SUMS 12
#endif

// The sums come to rest at addend / (1 - factor): they neither grow without end nor become denormal.
#define PEAK(SUFFIX, TARGET, VECTOR, LANES, MULTIPLY_ADD)                                        \
  TARGET static float peak_##SUFFIX(long rounds, float factor, float addend) {                   \
    VECTOR sum[SUMS];                                                                            \
    const VECTOR f = (VECTOR)(factor), a = (VECTOR)(addend);                                     \
    LEAP_UNROLL for (int i = 0; i < SUMS; i++) sum[i] = (VECTOR)((float)i);                      \
    for (long round = 0; round < rounds; round++) {                                              \
      LEAP_UNROLL for (int i = 0; i < SUMS; i++) sum[i] = MULTIPLY_ADD(sum[i], f, a);            \
    }                                                                                            \
    float total = 0;                                                                             \
    LEAP_UNROLL for (int i = 0; i < SUMS; i++) total += sum[i][0];                               \
    return total;                                                                                \
  }

LEAP_FOR_EACH_ISA(PEAK)

static float call(leap_isa isa, long rounds, float factor, float addend) {
  LEAP_RETURN(isa, peak, rounds, factor, addend)
}

static int lanes(leap_isa isa) {
  return isa == LEAP_ISA_AVX512 ? 16 : isa == LEAP_ISA_AVX2 ? 8 : 4;
}

double leap_peak_run(leap_isa isa, long rounds) {
  // Nobody may know what the factors are, nor that the result is not wanted.
  volatile float factor = 0.5f, addend = 1.0f;
  volatile float result = call(isa, rounds, factor, addend);
  (void)result;
  return 2.0 * SUMS * lanes(isa) * (double)rounds;
}
