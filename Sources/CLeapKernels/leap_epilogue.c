// Epilogues of matrix products and convolutions.
//
// 1. Each element passes through the stages in order, wherever in a tile it lies: same bits for any tiling.
// 2. The same bits as the operator that a stage stands for: the functions are those of leap_math.h.
// 3. A row stays in the first-level cache from the first stage to the last.
#include "leap_epilogue.h"

#include <string.h>

#include "instruction_sets.h"
#include "elementwise_types.h"

#define LOOP(PRAGMA, EXPRESSION)                   \
  PRAGMA for (ptrdiff_t i = 0; i < columns; i++) { \
    const T x = from[i];                           \
    to[i] = (EXPRESSION);                          \
  }                                                \
  break
#define FOR_EACH(EXPRESSION) LOOP(LEAP_INDEPENDENT, EXPRESSION)
#define FOR_SEVERAL(EXPRESSION) LOOP(LEAP_INTERLEAVED, EXPRESSION)

// Scale and add: the operand is one number for the row, or one for each column.
#define WITH_OPERAND(EXPRESSION)                                     \
  if (stage->column_stride == 0) {                                   \
    const T o = operand[0];                                          \
    LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < columns; i++) {       \
      const T x = from[i];                                           \
      to[i] = (EXPRESSION);                                          \
    }                                                                \
  } else if (stage->column_stride == 1) {                            \
    LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < columns; i++) {       \
      const T x = from[i], o = operand[i];                           \
      to[i] = (EXPRESSION);                                          \
    }                                                                \
  } else {                                                           \
    for (ptrdiff_t i = 0; i < columns; i++) {                        \
      const T x = from[i], o = operand[i * stage->column_stride];    \
      to[i] = (EXPRESSION);                                          \
    }                                                                \
  }                                                                  \
  break

#define LINEAR_STAGES                                                     \
  case LEAP_STAGE_FACTOR: FOR_EACH(a * x);                                \
  case LEAP_STAGE_SCALE: WITH_OPERAND(x *o);                              \
  case LEAP_STAGE_ADD:                                                    \
    if (stage->a == 1) {                                                  \
      WITH_OPERAND(x + o);                                                \
    }                                                                     \
    WITH_OPERAND(x + a * o);

// S: the suffix of leap_math.h.
#define FLOAT_STAGES(S)                                                   \
  case LEAP_STAGE_RELU: FOR_EACH(leap_relu##S(x));                        \
  case LEAP_STAGE_LEAKY_RELU: FOR_EACH(leap_leaky_relu##S(x, a));         \
  case LEAP_STAGE_CLIP: FOR_EACH(leap_clip##S(x, a, b));                  \
  case LEAP_STAGE_SIGMOID: FOR_SEVERAL(leap_sigmoid##S(x));                  \
  case LEAP_STAGE_TANH: FOR_SEVERAL(leap_tanh##S(x));                        \
  case LEAP_STAGE_HARD_SIGMOID: FOR_EACH(leap_hard_sigmoid##S(x, a, b));  \
  case LEAP_STAGE_HARD_SWISH: FOR_EACH(leap_hard_swish##S(x));            \
  case LEAP_STAGE_SILU: FOR_SEVERAL(leap_silu##S(x));

// One row through one stage, then the tile.
#define EPILOGUE(NAME, TARGET, TYPE, PARAMETER, STAGES)                                           \
  TARGET static void NAME##_row(const leap_stage *stage, ptrdiff_t row, const TYPE *from, TYPE *to, \
                                ptrdiff_t columns) {                                              \
    typedef TYPE T;                                                                               \
    const T a = (T)(PARAMETER)stage->a, b = (T)(PARAMETER)stage->b;                               \
    const T *operand = (const T *)stage->operand + (stage->operand ? row * stage->row_stride : 0); \
    (void)b;                                                                                      \
    switch (stage->kind) {                                                                        \
      STAGES                                                                                      \
      default: break;                                                                             \
    }                                                                                             \
  }                                                                                               \
  static void NAME(const leap_stage *stages, ptrdiff_t count, TYPE *source,                       \
                   ptrdiff_t source_stride, TYPE *destination, ptrdiff_t destination_stride,      \
                   ptrdiff_t rows, ptrdiff_t columns) {                                           \
    for (ptrdiff_t row = 0; row < rows; row++) {                                                  \
      TYPE *from = source + row * source_stride;                                                  \
      TYPE *to = destination + row * destination_stride;                                          \
      if (count == 0 && from != to) memcpy(to, from, (size_t)columns * sizeof(TYPE));             \
      /* The destination may be a residual that a later stage reads: only the last one writes it. */ \
      for (ptrdiff_t s = 0; s < count; s++)                                                       \
        NAME##_row(&stages[s], row, from, s == count - 1 ? to : from, columns);                   \
    }                                                                                             \
  }

#define FLOATS(ISA, TARGET)                                                                    \
  EPILOGUE(f32_epilogue_##ISA, TARGET, float, double, LINEAR_STAGES FLOAT_STAGES(f))           \
  EPILOGUE(f64_epilogue_##ISA, TARGET, double, double, LINEAR_STAGES FLOAT_STAGES(d))
FLOATS(portable, )
#if defined(__x86_64__)
FLOATS(avx2, LEAP_TARGET_AVX2)
FLOATS(avx512, LEAP_TARGET_AVX512)
#elif defined(__aarch64__)
FLOATS(neon, )
#endif
EPILOGUE(u32_epilogue, , uint32_t, int64_t, LINEAR_STAGES)
EPILOGUE(u64_epilogue, , uint64_t, int64_t, LINEAR_STAGES)

void leap_f32_epilogue(leap_isa isa, const leap_stage *stages, ptrdiff_t count, float *source,
                       ptrdiff_t source_stride, float *destination, ptrdiff_t destination_stride,
                       ptrdiff_t rows, ptrdiff_t columns) {
  LEAP_CALL(isa, f32_epilogue, stages, count, source, source_stride, destination,
            destination_stride, rows, columns)
}

void leap_f64_epilogue(leap_isa isa, const leap_stage *stages, ptrdiff_t count, double *source,
                       ptrdiff_t source_stride, double *destination, ptrdiff_t destination_stride,
                       ptrdiff_t rows, ptrdiff_t columns) {
  LEAP_CALL(isa, f64_epilogue, stages, count, source, source_stride, destination,
            destination_stride, rows, columns)
}

void leap_u32_epilogue(const leap_stage *stages, ptrdiff_t count, uint32_t *source,
                       ptrdiff_t source_stride, uint32_t *destination,
                       ptrdiff_t destination_stride, ptrdiff_t rows, ptrdiff_t columns) {
  u32_epilogue(stages, count, source, source_stride, destination, destination_stride, rows, columns);
}

void leap_u64_epilogue(const leap_stage *stages, ptrdiff_t count, uint64_t *source,
                       ptrdiff_t source_stride, uint64_t *destination,
                       ptrdiff_t destination_stride, ptrdiff_t rows, ptrdiff_t columns) {
  u64_epilogue(stages, count, source, source_stride, destination, destination_stride, rows, columns);
}
