// Blocked images: packing with borders and prologues, and the way from planes to vectors and back.
//
// 1. Each pixel is computed alone: the same bits whatever part is asked for.
// 2. Whole rows at a time, without conditions inside.
#include "leap_blocked_image.h"

#include <string.h>

#include "instruction_sets.h"
#include "window_range.h"

#define PACK(ISA, TARGET, VECTOR, W, MULTIPLY_ADD)                                                  \
  TARGET static void pack_##ISA(const leap_blocked_window *d, const leap_prologue *prologue,        \
                                ptrdiff_t groups, const float *image, float *panel) {               \
    const range valid = inside(d->columns, d->column_step, d->first_column, d->width);              \
    const ptrdiff_t step = d->column_step * W;                                                      \
    for (ptrdiff_t g = 0; g < groups; g++, image += d->height * d->width * W) {                     \
      VECTOR scale = (VECTOR)(1), shift = (VECTOR)(0);                                              \
      if (prologue->scale) {                                                                        \
        scale = *(const VECTOR *)(prologue->scale + g * W);                                         \
        shift = *(const VECTOR *)(prologue->shift + g * W);                                         \
      }                                                                                             \
      const VECTOR low = (VECTOR)(prologue->low), high = (VECTOR)(prologue->high);                  \
      for (ptrdiff_t r = 0; r < d->rows; r++, panel += d->columns * W) {                            \
        const ptrdiff_t y = d->first_row + r * d->row_step;                                         \
        if (y < 0 || y >= d->height || valid.begin >= valid.end) {                                  \
          memset(panel, 0, (size_t)(d->columns * W) * sizeof(float));                               \
          continue;                                                                                 \
        }                                                                                           \
        const float *from = image + (y * d->width + d->first_column) * W + valid.begin * step;      \
        float *to = panel + valid.begin * W;                                                        \
        const ptrdiff_t count = (valid.end - valid.begin) * W;                                      \
        memset(panel, 0, (size_t)(valid.begin * W) * sizeof(float));                                \
        memset(to + count, 0, (size_t)((d->columns - valid.end) * W) * sizeof(float));              \
        if (!prologue->scale) {                                                                     \
          if (d->column_step == 1) {                                                                \
            memcpy(to, from, (size_t)count * sizeof(float));                                        \
            continue;                                                                               \
          }                                                                                         \
          for (ptrdiff_t i = 0; i < count; i += W, from += step) {                                  \
            *(VECTOR *)(to + i) = *(const VECTOR *)from;                                            \
          }                                                                                         \
          continue;                                                                                 \
        }                                                                                           \
        for (ptrdiff_t i = 0; i < count; i += W, from += step) {                                    \
          VECTOR v = MULTIPLY_ADD(*(const VECTOR *)from, scale, shift);                             \
          v = v < low ? low : v;                                                                    \
          v = v > high ? high : v;                                                                  \
          *(VECTOR *)(to + i) = v;                                                                  \
        }                                                                                           \
      }                                                                                             \
    }                                                                                               \
  }
LEAP_FOR_EACH_ISA(PACK)

void leap_blocked_pack(leap_isa isa, const leap_blocked_window *window, const leap_prologue *prologue,
                       ptrdiff_t groups, const float *image, float *panel) {
  LEAP_CALL(isa, pack, window, prologue, groups, image, panel)
}

void leap_interleave(const leap_blocked_window *d, ptrdiff_t channels, const float *image,
                     ptrdiff_t plane_stride, float *panel) {
  const range valid = inside(d->columns, d->column_step, d->first_column, d->width);
  for (ptrdiff_t r = 0; r < d->rows; r++, panel += d->columns * channels) {
    const ptrdiff_t y = d->first_row + r * d->row_step;
    memset(panel, 0, (size_t)(d->columns * channels) * sizeof(float));
    if (y < 0 || y >= d->height) continue;
    for (ptrdiff_t c = 0; c < channels; c++) {
      const float *from = image + c * plane_stride + y * d->width + d->first_column;
      float *to = panel + c;
      for (ptrdiff_t x = valid.begin; x < valid.end; x++) to[x * channels] = from[x * d->column_step];
    }
  }
}

// Square blocks of 4 x 4 stay in registers.
static void transpose_4(const float *from, ptrdiff_t from_stride, float *to, ptrdiff_t to_stride) {
  leap_f32x4 a = *(const leap_f32x4 *)from, b = *(const leap_f32x4 *)(from + from_stride);
  leap_f32x4 c = *(const leap_f32x4 *)(from + 2 * from_stride);
  leap_f32x4 d = *(const leap_f32x4 *)(from + 3 * from_stride);
  const leap_f32x4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const leap_f32x4 ab2 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const leap_f32x4 cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const leap_f32x4 cd2 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  *(leap_f32x4 *)to = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
  *(leap_f32x4 *)(to + to_stride) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
  *(leap_f32x4 *)(to + 2 * to_stride) = __builtin_shufflevector(ab2, cd2, 0, 1, 4, 5);
  *(leap_f32x4 *)(to + 3 * to_stride) = __builtin_shufflevector(ab2, cd2, 2, 3, 6, 7);
}

void leap_planes_to_vectors(ptrdiff_t width, ptrdiff_t channels, ptrdiff_t count, const float *planes,
                            ptrdiff_t plane_stride, float *vectors) {
  const ptrdiff_t whole = channels / 4 * 4, squares = count / 4 * 4;
  for (ptrdiff_t i = 0; i < squares; i += 4)
    for (ptrdiff_t c = 0; c < whole; c += 4)
      transpose_4(planes + c * plane_stride + i, plane_stride, vectors + i * width + c, width);
  for (ptrdiff_t i = 0; i < count; i++)
    for (ptrdiff_t c = i < squares ? whole : 0; c < width; c++)
      vectors[i * width + c] = c < channels ? planes[c * plane_stride + i] : 0;
}

void leap_vectors_to_planes(ptrdiff_t width, ptrdiff_t channels, ptrdiff_t count, const float *vectors,
                            float *planes, ptrdiff_t plane_stride) {
  const ptrdiff_t whole = channels / 4 * 4, squares = count / 4 * 4;
  for (ptrdiff_t i = 0; i < squares; i += 4)
    for (ptrdiff_t c = 0; c < whole; c += 4)
      transpose_4(vectors + i * width + c, width, planes + c * plane_stride + i, plane_stride);
  for (ptrdiff_t i = 0; i < count; i++)
    for (ptrdiff_t c = i < squares ? whole : 0; c < channels; c++)
      planes[c * plane_stride + i] = vectors[i * width + c];
}

void leap_clear_lanes(ptrdiff_t width, ptrdiff_t used, ptrdiff_t count, float *vectors) {
  for (ptrdiff_t i = 0; i < count; i++, vectors += width)
    for (ptrdiff_t lane = used; lane < width; lane++) vectors[lane] = 0;
}

void leap_scale_shift_clip(float scale, float shift, float low, float high, const float *x, float *y,
                           ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) {
    float v = x[i] * scale + shift;
    v = v < low ? low : v;
    y[i] = v > high ? high : v;
  }
}
