// byte_dot_steps.c: what dot products of bytes are computed from: panels, packed filters, and the kinds of their steps.
#include <string.h>

#include "instruction_sets.h"
#include "leap_byte_dot.h"
#include "window_range.h"

// What is left of COUNT bytes of a row, SIZE at a time, from STEP times as far apart: copied, and the largest of each place found.
#define COPY_BYTES(TYPE, COUNT, STEP, SIZE)                                                       \
  {                                                                                               \
    TYPE most = *(const TYPE *)all;                                                               \
    for (; COUNT - done >= SIZE; done += SIZE) {                                                  \
      const TYPE bytes = *(const TYPE *)(from + done * STEP) ^ (TYPE)(flip);                      \
      *(TYPE *)(to + done) = bytes;                                                               \
      most = __builtin_elementwise_max(most, bytes);                                              \
    }                                                                                             \
    *(TYPE *)all = most;                                                                          \
  }

#define PANEL(ISA, TARGET, VECTOR, LANES, FMA)                                                    \
  TARGET static void copy_row_##ISA(                                                              \
      const uint8_t *from, ptrdiff_t step, ptrdiff_t pixels, uint8_t flip, uint8_t *to, uint8_t *all) { \
    typedef uint8_t B __attribute__((ext_vector_type(LANES), aligned(1)));                        \
    typedef uint8_t W __attribute__((ext_vector_type(4 * LANES), aligned(1)));                    \
    const ptrdiff_t count = pixels * LANES;                                                       \
    ptrdiff_t done = 0;                                                                           \
    if (step == 1) COPY_BYTES(W, count, 1, 4 * LANES)                                             \
    COPY_BYTES(B, count, step, LANES)                                                             \
  }                                                                                               \
  TARGET static void panel_##ISA(                                                                 \
      const leap_blocked_window *d, ptrdiff_t groups, uint8_t zero, uint8_t flip, const uint8_t *image, \
      ptrdiff_t group_stride, uint8_t *panel, ptrdiff_t group_steps, uint8_t *peaks) {            \
    enum { W = LANES };                                                                           \
    const range valid = inside(d->columns, d->column_step, d->first_column, d->width);            \
    const ptrdiff_t count = valid.end - valid.begin;                                              \
    for (ptrdiff_t g = 0; g < groups; g++, panel += group_stride, image += d->height * d->width * W) { \
      uint8_t all[4 * W], *to = panel;                                                            \
      memset(all, zero, sizeof all);                                                              \
      for (ptrdiff_t r = 0; r < d->rows; r++, to += d->columns * W) {                             \
        const ptrdiff_t h = d->first_row + r * d->row_step;                                       \
        if (h < 0 || h >= d->height || count <= 0) {                                              \
          memset(to, zero, (size_t)(d->columns * W));                                             \
          continue;                                                                               \
        }                                                                                         \
        memset(to, zero, (size_t)(valid.begin * W));                                              \
        memset(to + valid.end * W, zero, (size_t)((d->columns - valid.end) * W));                 \
        const ptrdiff_t first = h * d->width + d->first_column + valid.begin * d->column_step;    \
        copy_row_##ISA(image + first * W, d->column_step, count, flip, to + valid.begin * W, all); \
      }                                                                                           \
      uint8_t peak = 0;                                                                           \
      for (int i = 0; i < 4 * W; i++) peak = all[i] > peak ? all[i] : peak;                       \
      for (ptrdiff_t i = 0; i < group_steps; i++) *peaks++ = peak;                                \
    }                                                                                             \
  }
LEAP_FOR_EACH_ISA(PANEL)

void leap_byte_dot_panel(leap_isa isa, int is_signed, const leap_blocked_window *window, ptrdiff_t groups, uint8_t zero,
                         const uint8_t *image, ptrdiff_t group_stride, uint8_t *panel, ptrdiff_t group_steps, uint8_t *peaks) {
  LEAP_CALL(isa, panel, window, groups, zero, is_signed ? 0x80 : 0, image, group_stride, panel, group_steps, peaks)
}

void leap_byte_dot_pack(const uint8_t *filter, uint8_t flip, const int32_t *sources, ptrdiff_t steps, ptrdiff_t depth,
                        ptrdiff_t lanes, ptrdiff_t lane, int8_t *target) {
  int8_t *to = target + 4 * lane;
  for (ptrdiff_t four = 0; four < steps * depth / 4; four++, to += 4 * lanes, sources += 4)
    for (int i = 0; i < 4; i++) to[i] = sources[i] < 0 ? 0 : (int8_t)(filter[sources[i]] ^ flip);
}

void leap_byte_dot_pack_row(const uint8_t *row, uint8_t flip, ptrdiff_t columns, ptrdiff_t k, ptrdiff_t steps, ptrdiff_t depth,
                            ptrdiff_t lanes, ptrdiff_t width, int8_t *target) {
  for (ptrdiff_t first = 0; first < columns; first += lanes, target += steps * depth * lanes) {
    const ptrdiff_t left = columns - first, own = left < lanes ? (left + width - 1) / width * width : lanes;
    int8_t *to = target + k / 4 * own * 4 + k % 4;
    for (ptrdiff_t i = 0; i < own && i < left; i++) to[4 * i] = (int8_t)(row[first + i] ^ flip);
  }
}

// Whether sums stay within 16 bits depends on the products of one sign alone.
static uint8_t largest_pixel(int weight) { return weight <= 32767 / 255 ? 255 : (uint8_t)(32767 / weight); }

static int larger(int a, int b) { return a > b ? a : b; }

void leap_byte_dot_describe(const int8_t *filter, ptrdiff_t steps, ptrdiff_t depth, ptrdiff_t lanes, int32_t *sums,
                            leap_byte_limits *limits) {
  memset(sums, 0, (size_t)lanes * sizeof *sums);
  for (ptrdiff_t s = 0; s < steps; s++, filter += depth * lanes) {
    int pairs = 0, fours = 0;
    for (ptrdiff_t i = 0; i < 4 * lanes; i += 2) {
      int above = 0, below = 0;
      for (ptrdiff_t at = i; at < depth * lanes; at += 4 * lanes) {
        const int a = filter[at], b = filter[at + 1];
        const int more = larger(a, 0) + larger(b, 0), less = larger(-a, 0) + larger(-b, 0);
        pairs = larger(pairs, larger(more, less));
        above += more, below += less;
      }
      fours = larger(fours, larger(above, below));
      sums[i / 4] += above - below;
    }
    limits[s] = (leap_byte_limits){largest_pixel(fours), largest_pixel(pairs)};
  }
}

/// Whether sums of four products have 32 bits.
static int is_exact(leap_isa isa) {
#if defined(__x86_64__)
  return isa == LEAP_ISA_AVX512 ? leap_cpu_has_vnni() : isa != LEAP_ISA_AVX2;
#else
  (void)isa;
  return 1;
#endif
}

void leap_byte_dot_sort(leap_isa isa, const leap_byte_dot *d, ptrdiff_t lanes, const leap_byte_limits *limits,
                        const uint8_t *peaks, uint8_t *kinds, leap_byte_steps *sorted) {
  const int exact = is_exact(isa);
  ptrdiff_t counts[3] = {0, 0, 0};
  for (ptrdiff_t tap = 0; tap < d->steps; tap += d->tap_steps)
    for (ptrdiff_t i = 0; i < d->tap_steps; i++) {
      const leap_byte_limits limit = limits[tap + i];
      const int kind = exact ? 1 : (peaks[i] > limit.fours) + (peaks[i] > limit.pairs);
      kinds[tap + i] = (uint8_t)kind;
      counts[kind]++;
    }
  ptrdiff_t next[3] = {0, counts[0], counts[0] + counts[1]};
  for (ptrdiff_t s = 0; s < d->steps; s++)
    sorted->steps[next[kinds[s]]++] = (leap_byte_step){d->pixels[s], s * d->depth * lanes};
  sorted->fours = counts[0], sorted->pairs = counts[1], sorted->singles = counts[2];
}

// Columns of SIZE bytes of all rows, from `k` on: copied, and the largest byte of each place found.
#define STRIP(SIZE)                                                                               \
  for (; depth - k >= SIZE; k += SIZE) {                                                          \
    typedef uint8_t B __attribute__((ext_vector_type(SIZE), aligned(1)));                         \
    B most = 0;                                                                                   \
    for (ptrdiff_t r = 0; r < rows; r++) {                                                        \
      const B bytes = *(const B *)(x + r * stride + k) ^ (B)(flip);                               \
      *(B *)(panel + r * padded + k) = bytes;                                                     \
      most = __builtin_elementwise_max(most, bytes);                                              \
    }                                                                                             \
    for (int i = 0; i < SIZE; i++)                                                                \
      if (most[i] > peaks[(k + i) / step]) peaks[(k + i) / step] = most[i];                       \
  }

#define ROWS(ISA, TARGET, VECTOR, LANES, FMA)                                                     \
  TARGET static void rows_##ISA(                                                                  \
      uint8_t flip, const uint8_t *x, ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t depth, ptrdiff_t step, \
      uint8_t *panel, uint8_t *peaks) {                                                           \
    const ptrdiff_t steps = (depth + step - 1) / step, padded = steps * step;                     \
    memset(peaks, 0, (size_t)steps);                                                              \
    ptrdiff_t k = 0;                                                                              \
    STRIP(64)                                                                                     \
    STRIP(8)                                                                                      \
    for (ptrdiff_t r = 0; r < rows; r++)                                                          \
      for (ptrdiff_t i = k; i < padded; i++) {                                                    \
        const uint8_t byte = i < depth ? x[r * stride + i] ^ flip : 0;                            \
        panel[r * padded + i] = byte;                                                             \
        if (byte > peaks[i / step]) peaks[i / step] = byte;                                       \
      }                                                                                           \
  }
LEAP_FOR_EACH_ISA(ROWS)

void leap_byte_dot_rows(leap_isa isa, int is_signed, const uint8_t *x, ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t depth,
                        ptrdiff_t step, uint8_t *panel, uint8_t *peaks) {
  LEAP_CALL(isa, rows, is_signed ? 0x80 : 0, x, rows, stride, depth, step, panel, peaks)
}

void leap_byte_dot_correct(int32_t *sums, ptrdiff_t count, int32_t zero, const int32_t *columns, const int32_t *filter_zero,
                           ptrdiff_t zero_stride, int32_t total) {
  for (ptrdiff_t i = 0; i < count; i++) {
    const uint32_t other = (uint32_t)filter_zero[i * zero_stride];
    sums[i] = (int32_t)((uint32_t)sums[i] - (uint32_t)zero * (uint32_t)columns[i] - other * (uint32_t)total);
  }
}
