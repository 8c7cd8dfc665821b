// elementwise_half.c: float16 and bfloat16: pieces of a run are widened to float32, computed by its loops, rounded once.
//
// 1. An operand that is one repeated element is widened once.
// 2. A piece is read before its result is written, so that an output may be exactly an input.
#include "elementwise_half.h"

#include "elementwise_types.h"
#include "half.h"
#include "instruction_sets.h"

/// Elements that are widened at a time.
enum { PIECE = 256 };

#define CONVERSIONS(ISA, TARGET, VECTOR, LANES, MULTIPLY_ADD)                                         \
  TARGET static enum leap_status widen_##ISA(                                                         \
      int32_t type, const void *x, ptrdiff_t sx, float *y, ptrdiff_t count) {                         \
    const ptrdiff_t sy = 1;                                                                           \
    if (type == LEAP_F16) LEAP_UNARY_LOOP(uint16_t, float, leap_float_from_half(v));                  \
    LEAP_UNARY_LOOP(uint16_t, float, leap_float_from_bfloat(v));                                      \
  }                                                                                                   \
  TARGET static enum leap_status narrow_##ISA(                                                        \
      int32_t type, const float *x, void *y, ptrdiff_t sy, ptrdiff_t count) {                         \
    const ptrdiff_t sx = 1;                                                                           \
    if (type == LEAP_F16) LEAP_UNARY_LOOP(float, uint16_t, leap_half_from_float(v));                  \
    LEAP_UNARY_LOOP(float, uint16_t, leap_bfloat_from_float(v));                                      \
  }

LEAP_FOR_EACH_ISA(CONVERSIONS)

/// Elements `first` and on of a run.
static enum leap_status widen(
    int32_t type, const void *x, ptrdiff_t sx, ptrdiff_t first, float *y, ptrdiff_t count) {
  const uint16_t *from = (const uint16_t *)x + first * sx;
  LEAP_RETURN(leap_isa_preferred(), widen, type, from, sx, y, count)
}

static enum leap_status narrow(
    int32_t type, const float *x, void *y, ptrdiff_t sy, ptrdiff_t first, ptrdiff_t count) {
  uint16_t *to = (uint16_t *)y + first * sy;
  LEAP_RETURN(leap_isa_preferred(), narrow, type, x, to, sy, count)
}

static ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

enum leap_status leap_half_unary(
    int32_t type, enum leap_unary function, const void *x, ptrdiff_t sx, void *y, ptrdiff_t sy, ptrdiff_t count,
    double a, double b) {
  if (count == 0) return leap_unary_run(LEAP_F32, function, x, sx, y, sy, 0, a, b);
  const int to_bool = function == LEAP_IS_NAN || function == LEAP_IS_INF;
  float wide[PIECE];
  if (sx == 0) widen(type, x, 0, 0, wide, 1);
  for (ptrdiff_t first = 0; first < count; first += PIECE) {
    const ptrdiff_t length = least(PIECE, count - first);
    if (sx != 0) widen(type, x, sx, first, wide, length);
    float result[PIECE];
    void *to = to_bool ? (void *)((uint8_t *)y + first * sy) : result;
    const enum leap_status status =
        leap_unary_run(LEAP_F32, function, wide, sx != 0, to, to_bool ? sy : 1, length, a, b);
    if (status != LEAP_OK) return status;
    if (!to_bool) narrow(type, result, y, sy, first, length);
  }
  return LEAP_OK;
}

enum leap_status leap_half_binary(
    int32_t type, enum leap_binary function, const void *a, ptrdiff_t sa, const void *b, ptrdiff_t sb, void *y,
    ptrdiff_t sy, ptrdiff_t count) {
  if (count == 0) return leap_binary_run(LEAP_F32, function, a, sa, b, sb, y, sy, 0);
  const int to_bool = function >= LEAP_EQUAL;
  float left[PIECE], right[PIECE];
  if (sa == 0) widen(type, a, 0, 0, left, 1);
  if (sb == 0) widen(type, b, 0, 0, right, 1);
  for (ptrdiff_t first = 0; first < count; first += PIECE) {
    const ptrdiff_t length = least(PIECE, count - first);
    if (sa != 0) widen(type, a, sa, first, left, length);
    if (sb != 0) widen(type, b, sb, first, right, length);
    float result[PIECE];
    void *to = to_bool ? (void *)((uint8_t *)y + first * sy) : result;
    const enum leap_status status =
        leap_binary_run(LEAP_F32, function, left, sa != 0, right, sb != 0, to, to_bool ? sy : 1, length);
    if (status != LEAP_OK) return status;
    if (!to_bool) narrow(type, result, y, sy, first, length);
  }
  return LEAP_OK;
}

enum leap_status leap_half_clip(
    int32_t type, const void *x, ptrdiff_t sx, const void *low, const void *high, void *y, ptrdiff_t sy,
    ptrdiff_t count) {
  float bounds[2] = {-INFINITY, INFINITY};
  if (low && count > 0) widen(type, low, 0, 0, bounds, 1);
  if (high && count > 0) widen(type, high, 0, 0, bounds + 1, 1);
  float wide[PIECE];
  for (ptrdiff_t first = 0; first < count; first += PIECE) {
    const ptrdiff_t length = least(PIECE, count - first);
    widen(type, x, sx, first, wide, length);
    leap_clip_run(LEAP_F32, wide, 1, bounds, bounds + 1, wide, 1, length);
    narrow(type, wide, y, sy, first, length);
  }
  return LEAP_OK;
}
