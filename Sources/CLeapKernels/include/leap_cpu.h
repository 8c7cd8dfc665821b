// Which instruction sets this processor and this system offer.
#pragma once

#include <stdint.h>

/// Instruction sets that kernels exist for. Larger numbers are preferred.
typedef enum leap_isa {
  LEAP_ISA_PORTABLE = 0,
  LEAP_ISA_NEON = 1,
  LEAP_ISA_AVX2 = 2,   // AVX2 and FMA
  LEAP_ISA_AVX512 = 3  // AVX-512 F, BW, VL, DQ
} leap_isa;

/// Whether the processor has an instruction set and the system saves its registers: 1 or 0.
int leap_isa_available(leap_isa isa);

/// What the environment's LEAPSTONE_ISA names, where it is available, or else the best there is. Asked once.
leap_isa leap_isa_preferred(void);

/// Whether AVX-512 VNNI (int8 dot products) can be used: 1 or 0.
int leap_cpu_has_vnni(void);

/// Whether AVX-512 BF16 (bfloat16 dot products) can be used: 1 or 0.
int leap_cpu_has_bf16(void);

/// Has this thread take denormal floats for zero, as operands and as results. Returns what
/// `leap_denormals_restore` needs to put things back.
uint64_t leap_denormals_flush(void);

void leap_denormals_restore(uint64_t control);
