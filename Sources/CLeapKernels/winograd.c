// Winograd transforms in blocked layouts.
//
// 1. A tile is computed alone: the same bits whichever tiles it is computed with.
// 2. Points 0, ±1/√2, ±√2, ∞ for m = 4: about half the error of 0, ±1, ±2, ∞. Points 0, ±1, ∞ for m = 2.
#include "leap_winograd.h"

#include <math.h>
#include <string.h>

#include "instruction_sets.h"

#define A 0.70710678118654752f
#define B 1.41421356237309505f

// One line of a tile: the input's transform of 6 numbers, and the output's to 4.
#define INPUT_4(D, T)                                                \
  {                                                                  \
    const V e1 = D[4] - 2.0f * D[2], o1 = A * D[3] - B * D[1];       \
    const V e2 = D[4] - 0.5f * D[2], o2 = B * D[3] - A * D[1];       \
    T[0] = D[0] - 2.5f * D[2] + D[4];                                \
    T[1] = e1 + o1;                                                  \
    T[2] = e1 - o1;                                                  \
    T[3] = e2 + o2;                                                  \
    T[4] = e2 - o2;                                                  \
    T[5] = D[1] - 2.5f * D[3] + D[5];                                \
  }
#define OUTPUT_4(M, Y)                                       \
  {                                                          \
    const V s1 = M[1] + M[2], d1 = M[1] - M[2];              \
    const V s2 = M[3] + M[4], d2 = M[3] - M[4];              \
    Y[0] = M[0] + s1 + s2;                                   \
    Y[1] = A * d1 + B * d2;                                  \
    Y[2] = 0.5f * s1 + 2.0f * s2;                            \
    Y[3] = (0.5f * A) * d1 + (2.0f * B) * d2 + M[5];         \
  }
// Likewise 4 numbers, and 2.
#define INPUT_2(D, T)    \
  {                      \
    T[0] = D[0] - D[2];  \
    T[1] = D[1] + D[2];  \
    T[2] = D[2] - D[1];  \
    T[3] = D[3] - D[1];  \
  }
#define OUTPUT_2(M, Y)          \
  {                             \
    Y[0] = M[0] + M[1] + M[2];  \
    Y[1] = M[1] - M[2] + M[3];  \
  }

// A tile's input: zeros where there is no pixel, the prologue applied where there is one.
#define PATCH(ISA, TARGET, VECTOR, W, N, MULTIPLY_ADD)                                               \
  TARGET static void patch_##N##_##ISA(const leap_winograd *w, const leap_prologue *p,               \
                                       const float *image, ptrdiff_t y, ptrdiff_t x,                 \
                                       float *patch) {                                               \
    typedef VECTOR V;                                                                                \
    V scale = (V)(1), shift = (V)(0);                                                                \
    if (p->scale) scale = *(const V *)p->scale, shift = *(const V *)p->shift;                        \
    const V low = (V)(p->low), high = (V)(p->high);                                                  \
    for (ptrdiff_t r = y; r < y + N; r++) {                                                          \
      for (ptrdiff_t c = x; c < x + N; c++, patch += W) {                                            \
        V value = (V)(0);                                                                            \
        if (r >= 0 && r < w->height && c >= 0 && c < w->width) {                                     \
          value = *(const V *)(image + (r * w->width + c) * W);                                      \
          if (p->scale) {                                                                            \
            value = MULTIPLY_ADD(value, scale, shift);                                               \
            value = value < low ? low : value;                                                       \
            value = value > high ? high : value;                                                     \
          }                                                                                          \
        }                                                                                            \
        *(V *)patch = value;                                                                         \
      }                                                                                              \
    }                                                                                                \
  }

#define TRANSFORMS(ISA, TARGET, VECTOR, W, M, N, MULTIPLY_ADD)                                       \
  PATCH(ISA, TARGET, VECTOR, W, N, MULTIPLY_ADD)                                                     \
  TARGET static void input_##M##_##ISA(const leap_winograd *w, const leap_prologue *p,               \
                                       const float *image, ptrdiff_t first, ptrdiff_t count,         \
                                       float *v, ptrdiff_t stride) {                                 \
    typedef VECTOR V;                                                                                \
    float patch[N * N * W];                                                                          \
    for (ptrdiff_t t = 0; t < count; t++) {                                                          \
      const ptrdiff_t y = (first + t) / w->tile_columns * M - w->pad_top;                            \
      const ptrdiff_t x = (first + t) % w->tile_columns * M - w->pad_left;                           \
      const float *from = image + (y * w->width + x) * W;                                            \
      ptrdiff_t row = w->width * W;                                                                  \
      if (p->scale || y < 0 || x < 0 || y + N > w->height || x + N > w->width) {                     \
        patch_##N##_##ISA(w, p, image, y, x, patch);                                                 \
        from = patch, row = N * W;                                                                   \
      }                                                                                              \
      V half[N][N];                                                                                  \
      LEAP_UNROLL for (int c = 0; c < N; c++) {                                                      \
        V d[N], line[N];                                                                             \
        LEAP_UNROLL for (int i = 0; i < N; i++) d[i] = *(const V *)(from + i * row + c * W);         \
        INPUT_##M(d, line)                                                                           \
        LEAP_UNROLL for (int i = 0; i < N; i++) half[i][c] = line[i];                                \
      }                                                                                              \
      LEAP_UNROLL for (int r = 0; r < N; r++) {                                                      \
        V line[N];                                                                                   \
        INPUT_##M(half[r], line)                                                                     \
        LEAP_UNROLL for (int i = 0; i < N; i++) {                                                    \
          *(V *)(v + (r * N + i) * stride + t * W) = line[i];                                        \
        }                                                                                            \
      }                                                                                              \
    }                                                                                                \
  }                                                                                                  \
  TARGET static void output_##M##_##ISA(                                                             \
      const leap_winograd *w, const float *sums, ptrdiff_t stride, const float *bias,                \
      const float *residual, float lowest, float highest, ptrdiff_t first, ptrdiff_t count,          \
      float *output) {                                                                               \
    typedef VECTOR V;                                                                                \
    const V low = (V)(lowest), high = (V)(highest), b = bias ? *(const V *)bias : (V)(0);            \
    for (ptrdiff_t t = 0; t < count; t++) {                                                          \
      const ptrdiff_t y = (first + t) / w->tile_columns * M;                                         \
      const ptrdiff_t x = (first + t) % w->tile_columns * M;                                         \
      const ptrdiff_t rows = w->output_height - y < M ? w->output_height - y : M;                    \
      const ptrdiff_t columns = w->output_width - x < M ? w->output_width - x : M;                   \
      V half[M][N];                                                                                  \
      for (int c = 0; c < N; c++) {                                                                  \
        V m[N], line[M];                                                                             \
        LEAP_UNROLL for (int i = 0; i < N; i++) {                                                    \
          m[i] = *(const V *)(sums + (i * N + c) * stride + t * W);                                  \
        }                                                                                            \
        OUTPUT_##M(m, line)                                                                          \
        LEAP_UNROLL for (int i = 0; i < M; i++) half[i][c] = line[i];                                \
      }                                                                                              \
      for (ptrdiff_t r = 0; r < rows; r++) {                                                         \
        V line[M];                                                                                   \
        OUTPUT_##M(half[r], line)                                                                    \
        const ptrdiff_t offset = ((y + r) * w->output_width + x) * W;                                \
        for (ptrdiff_t i = 0; i < columns; i++) {                                                    \
          V value = bias ? line[i] + b : line[i];                                                    \
          if (residual) value += *(const V *)(residual + offset + i * W);                            \
          value = value < low ? low : value;                                                         \
          value = value > high ? high : value;                                                       \
          *(V *)(output + offset + i * W) = value;                                                   \
        }                                                                                            \
      }                                                                                              \
    }                                                                                                \
  }

#define INSTANCE(ISA, TARGET, VECTOR, W, MULTIPLY_ADD)        \
  TRANSFORMS(ISA, TARGET, VECTOR, W, 2, 4, MULTIPLY_ADD)      \
  TRANSFORMS(ISA, TARGET, VECTOR, W, 4, 6, MULTIPLY_ADD)
LEAP_FOR_EACH_ISA(INSTANCE)

void leap_winograd_input(leap_isa isa, int m, const leap_winograd *w, const leap_prologue *prologue,
                         const float *image, ptrdiff_t first, ptrdiff_t count, float *v,
                         ptrdiff_t position_stride) {
  if (m == 2) {
    LEAP_CALL(isa, input_2, w, prologue, image, first, count, v, position_stride)
  } else {
    LEAP_CALL(isa, input_4, w, prologue, image, first, count, v, position_stride)
  }
}

void leap_winograd_output(leap_isa isa, int m, const leap_winograd *w, const float *sums,
                          ptrdiff_t position_stride, const float *bias, const float *residual,
                          float low, float high, ptrdiff_t first, ptrdiff_t count, float *output) {
  if (m == 2) {
    LEAP_CALL(isa, output_2, w, sums, position_stride, bias, residual, low, high, first, count, output)
  } else {
    LEAP_CALL(isa, output_4, w, sums, position_stride, bias, residual, low, high, first, count, output)
  }
}

// Filters that are transformed side by side.
enum { FILTER_LANES = 8 };
typedef double filter_lanes[FILTER_LANES];

// Rows [1, p, p^2] / product of the distances to the other points; the last point is infinity.
static void filter_line(int m, const filter_lanes g0, const filter_lanes g1, const filter_lanes g2,
                        filter_lanes *restrict line) {
  const double a = sqrt(0.5), b = sqrt(2.0);
  for (int i = 0; i < FILTER_LANES; i++) {
    line[0][i] = g0[i];
    line[m + 1][i] = g2[i];
  }
  if (m == 2) {
    for (int i = 0; i < FILTER_LANES; i++) {
      line[1][i] = (g0[i] + g1[i] + g2[i]) / 2;
      line[2][i] = (g0[i] - g1[i] + g2[i]) / 2;
    }
    return;
  }
  for (int i = 0; i < FILTER_LANES; i++) {
    line[1][i] = (g0[i] + a * g1[i] + g2[i] / 2) / -1.5;
    line[2][i] = (g0[i] - a * g1[i] + g2[i] / 2) / -1.5;
    line[3][i] = (g0[i] + b * g1[i] + g2[i] * 2) / 6;
    line[4][i] = (g0[i] - b * g1[i] + g2[i] * 2) / 6;
  }
}

void leap_winograd_filters(int m, const float *filters, ptrdiff_t stride, ptrdiff_t count,
                           float *target, ptrdiff_t position_stride) {
  const int n = m + 2;
  for (ptrdiff_t first = 0; first < count; first += FILTER_LANES) {
    const ptrdiff_t lanes = count - first < FILTER_LANES ? count - first : FILTER_LANES;
    filter_lanes g[9] = {{0}}, half[3][6], line[6];
    for (ptrdiff_t i = 0; i < lanes; i++) {
      for (int k = 0; k < 9; k++) g[k][i] = filters[(first + i) * stride + k];
    }
    for (int c = 0; c < 3; c++) filter_line(m, g[c], g[3 + c], g[6 + c], half[c]);
    for (int r = 0; r < n; r++) {
      filter_line(m, half[0][r], half[1][r], half[2][r], line);
      for (int s = 0; s < n; s++) {
        float *place = target + (r * n + s) * position_stride + first;
        for (ptrdiff_t i = 0; i < lanes; i++) place[i] = (float)line[s][i];
      }
    }
  }
}
