// leap_elementwise.h: loops over one run of elements: unary, binary, select, convert, copy.
//
// Every function walks `count` elements. Strides are counted in elements; 0 repeats one element. Element types are
// given by ONNX's numbers; float16 and bfloat16 are computed in float32 and rounded once. An output may be exactly an
// input of the same element width and stride; otherwise they do not overlap. Each element is computed by the same
// operations wherever it lies.
#ifndef LEAP_ELEMENTWISE_H
#define LEAP_ELEMENTWISE_H

#include <stddef.h>
#include <stdint.h>

/// What a loop reports. `LEAP_UNSUPPORTED` comes for any count, 0 too: a planner asks with that.
enum leap_status { LEAP_OK = 0, LEAP_UNSUPPORTED = 1, LEAP_DIVISION_BY_ZERO = 2 };

/// Functions of one element; a and b are the parameters.
enum leap_unary {
  LEAP_ABS, LEAP_NEG, LEAP_SIGN, LEAP_SQRT, LEAP_RECIPROCAL, LEAP_EXP, LEAP_LOG, LEAP_SIN, LEAP_COS, LEAP_TAN,
  LEAP_ASIN, LEAP_ACOS, LEAP_ATAN, LEAP_SINH, LEAP_COSH, LEAP_TANH, LEAP_ASINH, LEAP_ACOSH, LEAP_ATANH, LEAP_ERF,
  LEAP_FLOOR, LEAP_CEIL, LEAP_ROUND,  // half to even
  LEAP_BITWISE_NOT,
  LEAP_NOT,         // bool
  LEAP_IS_NAN,      // to bool
  LEAP_IS_INF,      // to bool; a: count +inf, b: count -inf
  LEAP_RELU,
  LEAP_LEAKY_RELU,  // a: slope below 0
  LEAP_ELU,         // a: scale of e^x - 1 below 0
  LEAP_SELU,        // a: alpha, b: gamma
  LEAP_CELU,        // a: alpha
  LEAP_THRESHOLDED_RELU,  // a: threshold
  LEAP_SIGMOID,
  LEAP_HARD_SIGMOID,  // a x + b within 0...1
  LEAP_HARD_SWISH,
  LEAP_SWISH,  // x sigmoid(a x)
  LEAP_SOFTPLUS, LEAP_SOFTSIGN, LEAP_MISH, LEAP_GELU, LEAP_GELU_TANH,
  LEAP_SHRINK,  // a: lambd, b: bias
  LEAP_CLIP,    // within a...b
  LEAP_SCALE    // a x
};

/// Functions of two elements.
enum leap_binary {
  LEAP_ADD, LEAP_SUB, LEAP_MUL,  // integers wrap
  LEAP_DIV,                      // integers: towards zero
  LEAP_MIN, LEAP_MAX,            // NaN where either is
  LEAP_POW,
  LEAP_MOD,   // the sign of the divisor
  LEAP_FMOD,  // the sign of the dividend
  LEAP_PRELU,
  LEAP_BITWISE_AND, LEAP_BITWISE_OR, LEAP_BITWISE_XOR,
  LEAP_SHIFT_LEFT, LEAP_SHIFT_RIGHT,  // by the width or more: nothing but zeros, or copies of the sign, is left
  LEAP_EQUAL, LEAP_GREATER, LEAP_LESS, LEAP_GREATER_OR_EQUAL, LEAP_LESS_OR_EQUAL,  // to bool
  LEAP_AND, LEAP_OR, LEAP_XOR                                                      // bool
};

enum leap_status leap_unary_run(
    int32_t type, enum leap_unary function, const void *x, ptrdiff_t sx, void *y, ptrdiff_t sy, ptrdiff_t count,
    double a, double b);

enum leap_status leap_binary_run(
    int32_t type, enum leap_binary function, const void *a, ptrdiff_t sa, const void *b, ptrdiff_t sb, void *y,
    ptrdiff_t sy, ptrdiff_t count);

/// Powers with an exponent of another type than the base's: computed in double, cut towards zero for integers.
enum leap_status leap_pow_mixed_run(
    int32_t type, int32_t exponent_type, const void *a, ptrdiff_t sa, const void *b, ptrdiff_t sb, void *y,
    ptrdiff_t sy, ptrdiff_t count);

/// y = x within low...high; a bound that is null does not bind. The upper bound wins where they cross.
enum leap_status leap_clip_run(
    int32_t type, const void *x, ptrdiff_t sx, const void *low, const void *high, void *y, ptrdiff_t sy,
    ptrdiff_t count);

/// y = condition ? a : b, for elements of `width` bytes: 1, 2, 4, 8 or 16.
enum leap_status leap_where_run(
    ptrdiff_t width, const uint8_t *condition, ptrdiff_t sc, const void *a, ptrdiff_t sa, const void *b,
    ptrdiff_t sb, void *y, ptrdiff_t sy, ptrdiff_t count);

/// Copies elements of `width` bytes: 1, 2, 4, 8 or 16.
enum leap_status leap_copy_run(
    ptrdiff_t width, const void *x, ptrdiff_t sx, void *y, ptrdiff_t sy, ptrdiff_t count);

/// Converts between float16, bfloat16, float32, float64, bool and the integers of 8 to 64 bits. Floats are rounded once, to
/// nearest, ties to even; towards integers they are cut towards zero; what is out of range of 64 bits saturates there (NaN
/// gives 0) and narrower integers keep the low bits. Anything but 0 is true.
enum leap_status leap_convert_run(
    int32_t from, int32_t to, const void *x, ptrdiff_t sx, void *y, ptrdiff_t sy, ptrdiff_t count);

/// Elements of the types of `leap_convert_run` as floats that may be rounded once more, to a type of at most 22 bits of
/// precision, without harm.
enum leap_status leap_single_run(int32_t from, const void *x, ptrdiff_t sx, float *y, ptrdiff_t count);

#endif
