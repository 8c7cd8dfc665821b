// Processor features, by CPUID and, since a system that does not save a register file must not have it
// used, by XGETBV.
#include "leap_cpu.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

typedef struct features {
  int avx2, avx512, vnni, bf16;
} features;

static uint64_t xgetbv(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

static int bit(unsigned value, int position) { return (int)(value >> position & 1); }

static features read_features(void) {
  features found = {0, 0, 0, 0};
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return found;
  int fma = bit(c, 12), osxsave = bit(c, 27), avx = bit(c, 28);
  if (!osxsave || !avx) return found;
  uint64_t saved = xgetbv();
  int saves_avx = (saved & 0x06) == 0x06;     // XMM and upper YMM
  int saves_avx512 = (saved & 0xE6) == 0xE6;  // and opmasks, upper ZMM, ZMM16 to 31
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return found;
  found.avx2 = saves_avx && fma && bit(b, 5);
  // F, DQ, BW, VL.
  found.avx512 =
      found.avx2 && saves_avx512 && bit(b, 16) && bit(b, 17) && bit(b, 30) && bit(b, 31);
  found.vnni = found.avx512 && bit(c, 11);
  unsigned subleaves = a;
  if (subleaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
    found.bf16 = found.avx512 && bit(a, 5);
  return found;
}

int leap_isa_available(leap_isa isa) {
  switch (isa) {
    case LEAP_ISA_PORTABLE: return 1;
    case LEAP_ISA_NEON: return 0;
    case LEAP_ISA_AVX2: return read_features().avx2;
    case LEAP_ISA_AVX512: return read_features().avx512;
  }
  return 0;
}

int leap_cpu_has_vnni(void) { return read_features().vnni; }
int leap_cpu_has_bf16(void) { return read_features().bf16; }

uint64_t leap_denormals_flush(void) {
  uint32_t control = _mm_getcsr();
  _mm_setcsr(control | 0x8040);  // results (FTZ) and operands (DAZ)
  return control;
}

void leap_denormals_restore(uint64_t control) { _mm_setcsr((uint32_t)control); }

#else

int leap_isa_available(leap_isa isa) {
#if defined(__aarch64__)
  return isa == LEAP_ISA_PORTABLE || isa == LEAP_ISA_NEON;
#else
  return isa == LEAP_ISA_PORTABLE;
#endif
}

int leap_cpu_has_vnni(void) { return 0; }
int leap_cpu_has_bf16(void) { return 0; }

#if defined(__aarch64__)

uint64_t leap_denormals_flush(void) {
  uint64_t control;
  __asm__ volatile("mrs %0, fpcr" : "=r"(control));
  __asm__ volatile("msr fpcr, %0" : : "r"(control | (uint64_t)1 << 24));  // FZ
  return control;
}

void leap_denormals_restore(uint64_t control) {
  __asm__ volatile("msr fpcr, %0" : : "r"(control));
}

#else

uint64_t leap_denormals_flush(void) { return 0; }
void leap_denormals_restore(uint64_t control) { (void)control; }

#endif

#endif

static leap_isa read_preferred(void) {
  static const struct {
    const char *name;
    leap_isa isa;
  } sets[] = {{"avx512", LEAP_ISA_AVX512},
              {"avx2", LEAP_ISA_AVX2},
              {"neon", LEAP_ISA_NEON},
              {"portable", LEAP_ISA_PORTABLE}};
  const char *wanted = getenv("LEAPSTONE_ISA");
  for (int i = 0; wanted && i < 4; i++)
    if (!strcmp(wanted, sets[i].name) && leap_isa_available(sets[i].isa)) return sets[i].isa;
  for (int i = 0; i < 4; i++)
    if (leap_isa_available(sets[i].isa)) return sets[i].isa;
  return LEAP_ISA_PORTABLE;
}

leap_isa leap_isa_preferred(void) {
  static _Atomic int known = -1;
  int isa = atomic_load_explicit(&known, memory_order_relaxed);
  if (isa < 0) {
    isa = (int)read_preferred();
    atomic_store_explicit(&known, isa, memory_order_relaxed);
  }
  return (leap_isa)isa;
}
