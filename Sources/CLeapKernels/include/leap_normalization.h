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

// Multiplies weights of shape [outer, channels, inner] in place, in double precision and rounded once. Every
// `group_outer` of the outermost indices make a group, and each group has `channels` factors of its own.
void leap_f32_scale_channels(float *weights, const double *factors, size_t outer,
                             size_t group_outer, size_t channels, size_t inner);
void leap_f64_scale_channels(double *weights, const double *factors, size_t outer,
                             size_t group_outer, size_t channels, size_t inner);

#endif
