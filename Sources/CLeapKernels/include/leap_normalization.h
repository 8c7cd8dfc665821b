// leap_normalization: loops over the pixels of one channel.
#ifndef LEAP_NORMALIZATION_H
#define LEAP_NORMALIZATION_H

#include <stddef.h>

// y[i] = x[i] * scale + shift. y may be x. No alignment asked for.
void leap_f32_affine(const float *x, float *y, size_t count, float scale, float shift);
void leap_f64_affine(const double *x, double *y, size_t count, double scale, double shift);

// The sum in double precision, in eight interleaved partial sums that are then added in order: the
// same for any place in memory.
double leap_f32_sum(const float *x, size_t count);
double leap_f64_sum(const double *x, size_t count);

#endif
