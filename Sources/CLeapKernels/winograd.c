// Winograd transforms in blocked layouts: of lines, from the points at which they are evaluated; of squares, line by line.
//
// 1. A tile is computed alone: the same bits whichever tiles it is computed with.
// 2. What a pair of points ±p have in common is computed once.
#include "leap_winograd.h"

#include <string.h>

#include "instruction_sets.h"

// The points: infinity, pairs ±p, and 0 where a line has an even number of inputs. These round little: for F(4, 3) half as
// much as 0, ±1, ±2, for F(3, 7) half as much as ±1/4, ±1/2, ±1, ±2. The line of n pairs is lines[n - 1].
static const struct {
  int outputs, taps, pairs;
  double points[LEAP_WINOGRAD_PAIRS];
} lines[] = {
  {2, 3, 1, {1}},
  {4, 3, 2, {0.70710678118654752, 1.41421356237309505}},
  {4, 5, 3, {0.5, 1, 2}},
  {3, 7, 4, {0.25, 0.6875, 1.125, 2}},
};

// The numbers of a point: its powers over the product of its distances to the other points, at 0 without that; those of
// infinity are the last tap alone.
static void filter_matrix(leap_winograd_line *line) {
  const int last = line->outputs + line->taps - 2, zero = last - 2 * line->pairs;
  for (int r = 0; r < line->taps; r++) {
    line->filter[0][r] = r == 0;
    line->filter[last][r] = r == line->taps - 1;
  }
  for (int k = 0; k < 2 * line->pairs; k++) {
    const double square = line->points[k / 2] * line->points[k / 2];
    const double point = k % 2 ? -line->points[k / 2] : line->points[k / 2];
    double distance = zero ? 2 * square : 2 * point;
    for (int l = 0; l < line->pairs; l++) {
      if (l != k / 2) distance *= square - line->points[l] * line->points[l];
    }
    double power = 1;
    for (int r = 0; r < line->taps; r++, power *= point) line->filter[zero + k][r] = power / distance;
  }
}

int leap_winograd_line_make(int outputs, int taps, leap_winograd_line *line) {
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    if (lines[i].outputs != outputs || lines[i].taps != taps) continue;
    *line = (leap_winograd_line){.outputs = outputs, .taps = taps, .pairs = lines[i].pairs};
    memcpy(line->points, lines[i].points, sizeof line->points);
    filter_matrix(line);
    return 1;
  }
  return 0;
}

#define INLINE static inline __attribute__((always_inline))

// What the transforms of a line multiply by. Compilers work all of it out.
typedef struct line_coefficients {
  float infinity[LEAP_WINOGRAD_PAIRS];  // of the product of all x - p^2, the lowest first; the highest is 1
  float zero[LEAP_WINOGRAD_PAIRS];      // likewise over the lowest, which is left out
  float pair[LEAP_WINOGRAD_PAIRS][LEAP_WINOGRAD_PAIRS];     // of the product without that pair's
  float powers[LEAP_WINOGRAD_OUTPUTS][LEAP_WINOGRAD_PAIRS];  // powers[i][pair] = p^i
} line_coefficients;

// The coefficients of the product of all x - p^2 but the one of pair `without`, the lowest first.
INLINE void product_of_squares(const double *points, int pairs, int without, double *coefficients) {
  coefficients[0] = 1;
  LEAP_UNROLL for (int j = 1; j <= pairs; j++) coefficients[j] = 0;
  LEAP_UNROLL for (int k = 0; k < pairs; k++) {
    if (k == without) continue;
    const double square = points[k] * points[k];
    LEAP_UNROLL for (int j = pairs; j > 0; j--) {
      coefficients[j] = coefficients[j - 1] - square * coefficients[j];
    }
    coefficients[0] *= -square;
  }
}

INLINE line_coefficients coefficients_of(int outputs, int pairs) {
  const double *points = lines[pairs - 1].points;
  line_coefficients line;
  double c[LEAP_WINOGRAD_PAIRS + 1];
  product_of_squares(points, pairs, -1, c);
  LEAP_UNROLL for (int j = 0; j < pairs; j++) {
    line.infinity[j] = (float)c[j];
    line.zero[j] = (float)(c[j + 1] / c[0]);
  }
  LEAP_UNROLL for (int k = 0; k < pairs; k++) {
    product_of_squares(points, pairs, k, c);
    LEAP_UNROLL for (int j = 0; j < pairs; j++) line.pair[k][j] = (float)c[j];
    double power = 1;
    LEAP_UNROLL for (int i = 0; i < outputs; i++, power *= points[k]) line.powers[i][k] = (float)power;
  }
  return line;
}

// One line of a tile, of Z + 2 P + 1 numbers, Z being 1 where 0 is a point: a point's number is the sum over the coefficients of
// the product of x - q, for all other finite points q. That of ±p is x^Z (x ± p) times one of x^2.
#define INPUT_LINE(P, Z, MULTIPLY_ADD, L, D, T)                                                    \
  {                                                                                                \
    LEAP_UNROLL for (int k = 0; k < P; k++) {                                                      \
      V with_x = D[Z + 2 * P - 1], with_p = D[Z + 2 * P - 2];                                      \
      LEAP_UNROLL for (int j = P - 2; j >= 0; j--) {                                               \
        with_x = MULTIPLY_ADD((V)(L.pair[k][j]), D[Z + 2 * j + 1], with_x);                        \
        with_p = MULTIPLY_ADD((V)(L.pair[k][j]), D[Z + 2 * j], with_p);                            \
      }                                                                                            \
      T[Z + 2 * k] = MULTIPLY_ADD((V)(L.powers[1][k]), with_p, with_x);                            \
      T[Z + 2 * k + 1] = MULTIPLY_ADD((V)(-L.powers[1][k]), with_p, with_x);                       \
    }                                                                                              \
    T[Z + 2 * P] = D[Z + 2 * P];                                                                   \
    LEAP_UNROLL for (int j = P - 1; j >= 0; j--) {                                                 \
      T[Z + 2 * P] = MULTIPLY_ADD((V)(L.infinity[j]), D[Z + 2 * j], T[Z + 2 * P]);                 \
    }                                                                                              \
    if (Z) {                                                                                       \
      T[0] = D[0];                                                                                 \
      LEAP_UNROLL for (int j = 0; j < P; j++) {                                                    \
        T[0] = MULTIPLY_ADD((V)(L.zero[j]), D[2 * j + 2], T[0]);                                   \
      }                                                                                            \
    }                                                                                              \
  }
// Output i of M: the sum over the points' numbers, each times the point to the power i; infinity adds to the last.
#define OUTPUT_LINE(M, P, Z, MULTIPLY_ADD, L, S, Y)                                                \
  {                                                                                                \
    V pair[2][P];                                                                                  \
    LEAP_UNROLL for (int k = 0; k < P; k++) {                                                      \
      pair[0][k] = S[Z + 2 * k] + S[Z + 2 * k + 1];                                                \
      pair[1][k] = S[Z + 2 * k] - S[Z + 2 * k + 1];                                                \
    }                                                                                              \
    Y[0] = pair[0][0];                                                                             \
    LEAP_UNROLL for (int k = 1; k < P; k++) Y[0] += pair[0][k];                                    \
    if (Z) Y[0] += S[0];                                                                           \
    LEAP_UNROLL for (int i = 1; i < M; i++) {                                                      \
      Y[i] = (V)(L.powers[i][0]) * pair[i % 2][0];                                                 \
      LEAP_UNROLL for (int k = 1; k < P; k++) {                                                    \
        Y[i] = MULTIPLY_ADD((V)(L.powers[i][k]), pair[i % 2][k], Y[i]);                            \
      }                                                                                            \
    }                                                                                              \
    Y[M - 1] += S[Z + 2 * P];                                                                      \
  }

// A tile's rows x columns of input where they lie in the image, `row` floats from row to row; or a copy, where there is a
// prologue, or zeros around the image.
#define PATCH(ISA, TARGET, VECTOR, W, MULTIPLY_ADD)                                                \
  TARGET INLINE void copy_##ISA(const leap_winograd *w, const leap_prologue *p, const float *image, \
                                ptrdiff_t y, ptrdiff_t x, ptrdiff_t rows, ptrdiff_t columns,       \
                                float *patch) {                                                    \
    typedef VECTOR V;                                                                              \
    V scale = (V)(1), shift = (V)(0);                                                              \
    if (p->scale) scale = *(const V *)p->scale, shift = *(const V *)p->shift;                      \
    const V low = (V)(p->low), high = (V)(p->high);                                                \
    for (ptrdiff_t r = y; r < y + rows; r++) {                                                     \
      for (ptrdiff_t c = x; c < x + columns; c++, patch += W) {                                    \
        V value = (V)(0);                                                                          \
        if (r >= 0 && r < w->height && c >= 0 && c < w->width) {                                   \
          value = *(const V *)(image + (r * w->width + c) * W);                                    \
          if (p->scale) {                                                                          \
            value = MULTIPLY_ADD(value, scale, shift);                                             \
            value = value < low ? low : value;                                                     \
            value = value > high ? high : value;                                                   \
          }                                                                                        \
        }                                                                                          \
        *(V *)patch = value;                                                                       \
      }                                                                                            \
    }                                                                                              \
  }                                                                                                \
  TARGET INLINE const float *patch_##ISA(const leap_winograd *w, const leap_prologue *p,           \
                                         const float *image, ptrdiff_t tile, ptrdiff_t rows,       \
                                         ptrdiff_t columns, float *copy, ptrdiff_t *row) {         \
    const ptrdiff_t y = tile / w->tile_columns * w->tile_height - w->pad_top;                      \
    const ptrdiff_t x = tile % w->tile_columns * w->tile_width - w->pad_left;                      \
    *row = w->width * W;                                                                           \
    if (!p->scale && y >= 0 && x >= 0 && y + rows <= w->height && x + columns <= w->width) {       \
      return image + (y * w->width + x) * W;                                                       \
    }                                                                                              \
    copy_##ISA(w, p, image, y, x, rows, columns, copy);                                            \
    *row = columns * W;                                                                            \
    return copy;                                                                                   \
  }

#define STORE(VALUE, OFFSET)                                                                       \
  {                                                                                                \
    V value = bias ? VALUE + b : VALUE;                                                            \
    if (residual) value += *(const V *)(residual + OFFSET);                                        \
    value = value < low ? low : value;                                                             \
    value = value > high ? high : value;                                                           \
    *(V *)(output + OFFSET) = value;                                                               \
  }

#define INPUT_SIGNATURE(NAME)                                                                      \
  static void NAME(const leap_winograd *w, const leap_prologue *p, const float *image,             \
                   ptrdiff_t first, ptrdiff_t count, float *v, ptrdiff_t stride)
#define OUTPUT_SIGNATURE(NAME)                                                                     \
  static void NAME(const leap_winograd *w, const float *sums, ptrdiff_t stride, const float *bias, \
                   const float *residual, float lowest, float highest, ptrdiff_t first,            \
                   ptrdiff_t count, float *output)

// Tiles of one line, of M outputs, along a row or a column.
#define LINE(ISA, TARGET, VECTOR, W, M, P, Z, MULTIPLY_ADD)                                        \
  TARGET INPUT_SIGNATURE(line_input_##P##_##ISA) {                                                 \
    typedef VECTOR V;                                                                              \
    enum { N = Z + 2 * P + 1 };                                                                    \
    const line_coefficients line = coefficients_of(M, P);                                          \
    float copy[N * W];                                                                             \
    for (ptrdiff_t t = 0; t < count; t++) {                                                        \
      ptrdiff_t row;                                                                               \
      const float *from = patch_##ISA(w, p, image, first + t, w->patch_height, w->patch_width,     \
                                      copy, &row);                                                 \
      const ptrdiff_t step = w->patch_height > 1 ? row : W;                                        \
      V d[N], points[N];                                                                           \
      LEAP_UNROLL for (int i = 0; i < N; i++) d[i] = *(const V *)(from + i * step);                \
      INPUT_LINE(P, Z, MULTIPLY_ADD, line, d, points)                                              \
      LEAP_UNROLL for (int i = 0; i < N; i++) *(V *)(v + i * stride + t * W) = points[i];          \
    }                                                                                              \
  }                                                                                                \
  TARGET OUTPUT_SIGNATURE(line_output_##P##_##ISA) {                                               \
    typedef VECTOR V;                                                                              \
    enum { N = Z + 2 * P + 1 };                                                                    \
    const line_coefficients line = coefficients_of(M, P);                                          \
    const V low = (V)(lowest), high = (V)(highest), b = bias ? *(const V *)bias : (V)(0);          \
    const ptrdiff_t step = w->tile_height > 1 ? w->output_width * W : W;                           \
    for (ptrdiff_t t = 0; t < count; t++) {                                                        \
      const ptrdiff_t y = (first + t) / w->tile_columns * w->tile_height;                          \
      const ptrdiff_t x = (first + t) % w->tile_columns * w->tile_width;                           \
      const ptrdiff_t left = w->tile_height > 1 ? w->output_height - y : w->output_width - x;      \
      V points[N], results[M];                                                                     \
      LEAP_UNROLL for (int i = 0; i < N; i++) points[i] = *(const V *)(sums + i * stride + t * W); \
      OUTPUT_LINE(M, P, Z, MULTIPLY_ADD, line, points, results)                                    \
      ptrdiff_t offset = (y * w->output_width + x) * W;                                            \
      LEAP_UNROLL for (int i = 0; i < M; i++) {                                                    \
        if (i < left) STORE(results[i], offset)                                                    \
        offset += step;                                                                            \
      }                                                                                            \
    }                                                                                              \
  }

// Tiles of M x M outputs: the columns of a tile, then the rows of what became of them.
#define SQUARE(ISA, TARGET, VECTOR, W, M, P, Z, MULTIPLY_ADD)                                      \
  TARGET INPUT_SIGNATURE(square_input_##P##_##ISA) {                                               \
    typedef VECTOR V;                                                                              \
    enum { N = Z + 2 * P + 1 };                                                                    \
    const line_coefficients line = coefficients_of(M, P);                                          \
    float copy[N * N * W];                                                                         \
    for (ptrdiff_t t = 0; t < count; t++) {                                                        \
      ptrdiff_t row;                                                                               \
      const float *from = patch_##ISA(w, p, image, first + t, N, N, copy, &row);                   \
      V half[N][N];                                                                                \
      LEAP_UNROLL for (int c = 0; c < N; c++) {                                                    \
        V d[N], points[N];                                                                         \
        LEAP_UNROLL for (int i = 0; i < N; i++) d[i] = *(const V *)(from + i * row + c * W);       \
        INPUT_LINE(P, Z, MULTIPLY_ADD, line, d, points)                                            \
        LEAP_UNROLL for (int i = 0; i < N; i++) half[i][c] = points[i];                            \
      }                                                                                            \
      LEAP_UNROLL for (int r = 0; r < N; r++) {                                                    \
        V points[N];                                                                               \
        INPUT_LINE(P, Z, MULTIPLY_ADD, line, half[r], points)                                      \
        LEAP_UNROLL for (int i = 0; i < N; i++) {                                                  \
          *(V *)(v + (r * N + i) * stride + t * W) = points[i];                                    \
        }                                                                                          \
      }                                                                                            \
    }                                                                                              \
  }                                                                                                \
  TARGET OUTPUT_SIGNATURE(square_output_##P##_##ISA) {                                             \
    typedef VECTOR V;                                                                              \
    enum { N = Z + 2 * P + 1 };                                                                    \
    const line_coefficients line = coefficients_of(M, P);                                          \
    const V low = (V)(lowest), high = (V)(highest), b = bias ? *(const V *)bias : (V)(0);          \
    for (ptrdiff_t t = 0; t < count; t++) {                                                        \
      const ptrdiff_t y = (first + t) / w->tile_columns * M;                                       \
      const ptrdiff_t x = (first + t) % w->tile_columns * M;                                       \
      const ptrdiff_t rows = w->output_height - y < M ? w->output_height - y : M;                  \
      const ptrdiff_t columns = w->output_width - x < M ? w->output_width - x : M;                 \
      V half[M][N];                                                                                \
      for (int c = 0; c < N; c++) {                                                                \
        V points[N], results[M];                                                                   \
        LEAP_UNROLL for (int i = 0; i < N; i++) {                                                  \
          points[i] = *(const V *)(sums + (i * N + c) * stride + t * W);                           \
        }                                                                                          \
        OUTPUT_LINE(M, P, Z, MULTIPLY_ADD, line, points, results)                                  \
        LEAP_UNROLL for (int i = 0; i < M; i++) half[i][c] = results[i];                           \
      }                                                                                            \
      for (ptrdiff_t r = 0; r < rows; r++) {                                                       \
        V results[M];                                                                              \
        OUTPUT_LINE(M, P, Z, MULTIPLY_ADD, line, half[r], results)                                 \
        const ptrdiff_t offset = ((y + r) * w->output_width + x) * W;                              \
        for (ptrdiff_t i = 0; i < columns; i++) STORE(results[i], offset + i * W)                  \
      }                                                                                            \
    }                                                                                              \
  }

#define INSTANCE(ISA, TARGET, VECTOR, W, MULTIPLY_ADD)                                             \
  PATCH(ISA, TARGET, VECTOR, W, MULTIPLY_ADD)                                                      \
  SQUARE(ISA, TARGET, VECTOR, W, 2, 1, 1, MULTIPLY_ADD)                                            \
  SQUARE(ISA, TARGET, VECTOR, W, 4, 2, 1, MULTIPLY_ADD)                                            \
  LINE(ISA, TARGET, VECTOR, W, 4, 2, 1, MULTIPLY_ADD)                                              \
  LINE(ISA, TARGET, VECTOR, W, 4, 3, 1, MULTIPLY_ADD)                                              \
  LINE(ISA, TARGET, VECTOR, W, 3, 4, 0, MULTIPLY_ADD)
LEAP_FOR_EACH_ISA(INSTANCE)

// The functions of a kind of tile are named by its pairs of points.
#define FOR_TILE(W, ISA, WAY, ...)                                                                 \
  if (W->patch_height > 1 && W->patch_width > 1) {                                                 \
    switch (W->line.pairs) {                                                                       \
      case 1: LEAP_CALL(ISA, square_##WAY##_1, __VA_ARGS__) break;                                 \
      case 2: LEAP_CALL(ISA, square_##WAY##_2, __VA_ARGS__) break;                                 \
    }                                                                                              \
  } else {                                                                                         \
    switch (W->line.pairs) {                                                                       \
      case 2: LEAP_CALL(ISA, line_##WAY##_2, __VA_ARGS__) break;                                   \
      case 3: LEAP_CALL(ISA, line_##WAY##_3, __VA_ARGS__) break;                                   \
      case 4: LEAP_CALL(ISA, line_##WAY##_4, __VA_ARGS__) break;                                   \
    }                                                                                              \
  }

void leap_winograd_input(leap_isa isa, const leap_winograd *w, const leap_prologue *prologue,
                         const float *image, ptrdiff_t first, ptrdiff_t count, float *v,
                         ptrdiff_t position_stride) {
  FOR_TILE(w, isa, input, w, prologue, image, first, count, v, position_stride)
}

void leap_winograd_output(leap_isa isa, const leap_winograd *w, const float *sums,
                          ptrdiff_t position_stride, const float *bias, const float *residual,
                          float low, float high, ptrdiff_t first, ptrdiff_t count, float *output) {
  FOR_TILE(w, isa, output, w, sums, position_stride, bias, residual, low, high, first, count, output)
}

// Filters that are transformed side by side.
enum { FILTER_LANES = 8 };
typedef double filter_lanes __attribute__((ext_vector_type(FILTER_LANES)));
typedef float filter_floats __attribute__((ext_vector_type(FILTER_LANES), aligned(4)));

// The numbers of some filters' line from its taps, which are `from_step` vectors apart.
INLINE void filter_line(
    const leap_winograd_line *line, int inputs, int taps, const filter_lanes *from, int from_step,
    filter_lanes *to) {
  for (int n = 0; n < inputs; n++) {
    to[n] = line->filter[n][0] * from[0];
    for (int r = 1; r < taps; r++) to[n] += line->filter[n][r] * from[r * from_step];
  }
}

// INPUTS numbers from the TAPS of each line of a filter, COLUMNS lines; those of squares line by line, then across.
#define FILTERS(ISA, TARGET, INPUTS, TAPS, COLUMNS)                                                \
  TARGET static void filters_##INPUTS##x##COLUMNS##_##ISA(                                         \
      const leap_winograd_line *line, const float *filters, ptrdiff_t stride, ptrdiff_t count,     \
      float *target, ptrdiff_t position_stride) {                                                  \
    enum { ACROSS = COLUMNS == 1 ? 1 : INPUTS };                                                   \
    for (ptrdiff_t first = 0; first < count; first += FILTER_LANES) {                              \
      const ptrdiff_t lanes = count - first < FILTER_LANES ? count - first : FILTER_LANES;         \
      filter_lanes g[TAPS * COLUMNS], half[COLUMNS][INPUTS];                                       \
      for (ptrdiff_t i = 0; i < FILTER_LANES; i++) {                                               \
        const float *filter = filters + (first + (i < lanes ? i : 0)) * stride;                    \
        LEAP_UNROLL for (int k = 0; k < TAPS * COLUMNS; k++) ((double *)&g[k])[i] = filter[k];     \
      }                                                                                            \
      LEAP_UNROLL for (int c = 0; c < COLUMNS; c++) {                                              \
        filter_line(line, INPUTS, TAPS, g + c, COLUMNS, half[c]);                                  \
      }                                                                                            \
      for (int r = 0; r < INPUTS; r++) {                                                           \
        filter_lanes points[ACROSS];                                                               \
        if (COLUMNS == 1) points[0] = half[0][r];                                                  \
        else filter_line(line, ACROSS, TAPS, &half[0][r], INPUTS, points);                         \
        LEAP_UNROLL for (int s = 0; s < ACROSS; s++) {                                             \
          float *place = target + (r * ACROSS + s) * position_stride + first;                      \
          const filter_floats numbers = __builtin_convertvector(points[s], filter_floats);         \
          if (lanes == FILTER_LANES) *(filter_floats *)place = numbers;                            \
          else memcpy(place, &numbers, (size_t)lanes * sizeof(float));                             \
        }                                                                                          \
      }                                                                                            \
    }                                                                                              \
  }

#define FILTER_INSTANCE(ISA, TARGET, VECTOR, W, MULTIPLY_ADD)                                      \
  FILTERS(ISA, TARGET, 4, 3, 3)                                                                    \
  FILTERS(ISA, TARGET, 6, 3, 3)                                                                    \
  FILTERS(ISA, TARGET, 6, 3, 1)                                                                    \
  FILTERS(ISA, TARGET, 8, 5, 1)                                                                    \
  FILTERS(ISA, TARGET, 9, 7, 1)
LEAP_FOR_EACH_ISA(FILTER_INSTANCE)

void leap_winograd_filters(leap_isa isa, const leap_winograd *w, const float *filters,
                           ptrdiff_t stride, ptrdiff_t count, float *target,
                           ptrdiff_t position_stride) {
  const leap_winograd_line *line = &w->line;
  const int inputs = line->outputs + line->taps - 1;
  if (w->patch_height > 1 && w->patch_width > 1) {
    switch (inputs) {
      case 4: LEAP_CALL(isa, filters_4x3, line, filters, stride, count, target, position_stride) break;
      case 6: LEAP_CALL(isa, filters_6x3, line, filters, stride, count, target, position_stride) break;
    }
  } else {
    switch (inputs) {
      case 6: LEAP_CALL(isa, filters_6x1, line, filters, stride, count, target, position_stride) break;
      case 8: LEAP_CALL(isa, filters_8x1, line, filters, stride, count, target, position_stride) break;
      case 9: LEAP_CALL(isa, filters_9x1, line, filters, stride, count, target, position_stride) break;
    }
  }
}
