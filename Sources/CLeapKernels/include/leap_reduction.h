// leap_reduction.h: loops that join many elements to one accumulator each.
//
// 1. Which operations make an accumulator, and in which order, depends on the elements joined to it alone: not on
//    how many accumulators there are, nor where they lie.
// 2. Accumulators are wide: double for floating point, 64 bits for integers (which wrap) and bools.
//
// Element types are given by ONNX's numbers; strides and counts are in elements. Operands do not overlap.
#ifndef LEAP_REDUCTION_H
#define LEAP_REDUCTION_H

#include "leap_elementwise.h"

/// What becomes of many elements. The functions after a sum differ in what is summed and what is done with the sum.
enum leap_reduction {
  LEAP_REDUCE_SUM,
  LEAP_REDUCE_MEAN,
  LEAP_REDUCE_MAX,  // NaN where any is
  LEAP_REDUCE_MIN,
  LEAP_REDUCE_PROD,
  LEAP_REDUCE_SUM_SQUARE,
  LEAP_REDUCE_L1,
  LEAP_REDUCE_L2,
  LEAP_REDUCE_LOG_SUM,
  LEAP_REDUCE_LOG_SUM_EXP  // joins exponentials: see leap_reduce_exp_run
};

/// Bytes of one accumulator.
#define LEAP_ACCUMULATOR_WIDTH 8

/// Gives accumulators the value of a reduction of nothing. `LEAP_UNSUPPORTED` where the type has no reductions.
enum leap_status leap_reduce_start(
    int32_t type, enum leap_reduction function, void *accumulators, ptrdiff_t count);

/// Joins `count` elements that lie side by side to one accumulator: eight partial results, element i to the one of
/// i mod 8, joined in order at the end.
void leap_reduce_run(
    int32_t type, enum leap_reduction function, const void *x, ptrdiff_t count, void *accumulator);

/// Joins rows, one after the other, to `columns` accumulators.
void leap_reduce_rows(
    int32_t type, enum leap_reduction function, const void *x, ptrdiff_t rows, ptrdiff_t row_stride,
    ptrdiff_t columns, void *accumulators);

/// Adds exp(x - maximum) of `count` elements to a sum; in the order of `leap_reduce_run`. The maximum is an accumulator of
/// LEAP_REDUCE_MAX; one that is not finite counts as 0.
void leap_reduce_exp_run(
    int32_t type, const void *x, ptrdiff_t count, const void *maximum, double *sum);

/// The same for rows.
void leap_reduce_exp_rows(
    int32_t type, const void *x, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t columns, const void *maxima,
    double *sums);

/// Joins accumulators of later elements to those of earlier ones.
void leap_reduce_join(
    int32_t type, enum leap_reduction function, void *accumulators, const void *later, ptrdiff_t count);

/// Joins sums of exponentials and their maxima.
void leap_reduce_exp_join(
    int32_t type, double *sums, void *maxima, const double *later_sums, const void *later_maxima,
    ptrdiff_t count);

/// Makes elements, side by side, of accumulators.
///
/// - `reduced`: how many elements each accumulator has joined; not 0 for the mean of integers.
/// - `maxima`: for LEAP_REDUCE_LOG_SUM_EXP alone, whose accumulators are the sums.
void leap_reduce_finish(
    int32_t type, enum leap_reduction function, const void *accumulators, const void *maxima,
    ptrdiff_t reduced, void *y, ptrdiff_t count);

#endif
