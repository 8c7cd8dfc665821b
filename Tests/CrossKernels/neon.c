// The NEON kernels against the portable ones, which all instruction sets are tested against, over odd extents, paddings,
// strides, dilations and tails. Both have vectors of four lanes, so that operands lie alike. Functions of one element
// against libm. For an emulator: see .ci/check-neon.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CLeapKernels.h"

enum { W = 4, LIMIT = 1 << 13 };
static float a[LIMIT], b[LIMIT], c[LIMIT], bias[64], scale[64], shift[64];
static float got[LIMIT], expected[LIMIT];
static int failures, comparisons;

static uint32_t state = 1;
static float noise(void) {
  state = state * 1664525u + 1013904223u;
  return (float)(state >> 8) / (1 << 23) - 1;
}
static void fill(float *x, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) x[i] = noise();
}
static void clear(void) {
  memset(got, 0xff, sizeof got);
  memset(expected, 0xff, sizeof expected);
}

/// All of the results, untouched memory (NaN) around them included.
static void compare(const char *what, double tolerance) {
  double largest = 0, worst = 0;
  for (ptrdiff_t i = 0; i < LIMIT; i++)
    if (!isnan(expected[i])) largest = fmax(largest, fabs(expected[i]));
  for (ptrdiff_t i = 0; i < LIMIT; i++) {
    if (isnan(expected[i]) != isnan(got[i])) worst = INFINITY;
    if (!isnan(expected[i]) && !isnan(got[i])) worst = fmax(worst, fabs(expected[i] - got[i]));
  }
  comparisons++;
  if (largest == 0 || worst > tolerance * largest) {
    printf("%s: off by %g of %g\n", what, worst, largest);
    failures++;
  }
}

#define FOR_BOTH(ISA, TO, BODY)                                         \
  clear();                                                              \
  for (int side = 0; side < 2; side++) {                                \
    const leap_isa ISA = side ? LEAP_ISA_NEON : LEAP_ISA_PORTABLE;      \
    float *TO = side ? got : expected;                                  \
    BODY                                                                \
  }

static void products(void) {
  const ptrdiff_t taps[] = {0, 4, 8, 52, 56, 60};
  for (ptrdiff_t vectors = 1; vectors <= 2; vectors++)
    for (ptrdiff_t count = 1; count <= 23; count++)
      for (int stage = 0; stage < 3; stage++)
        for (ptrdiff_t lanes = 3; lanes <= 4; lanes++) {
          leap_blocked_product d = {.columns = 7, .in_row = 52, .in_pixel = 4, .groups = 3,
                                    .group_stride = 1000, .tap_count = 6, .taps = taps, .lanes = lanes,
                                    .out_row = 28, .out_pixel = 4, .out_group = 400,
                                    .residual_group = 400, .low = stage == 2 ? 0 : -INFINITY,
                                    .high = INFINITY};
          FOR_BOTH(isa, to, {
            leap_blocked_kernel_for(isa).function(&d, a, b, stage ? bias : NULL, stage == 2 ? c : NULL, to,
                                                  2, count, vectors);
          })
          compare("blocked product", 1e-5);
        }
}

static void winograd_tiles(int m, int taps, int is_column, int is_row, ptrdiff_t height, ptrdiff_t width) {
  leap_winograd w = {.height = height, .width = width, .pad_top = is_column, .pad_left = is_row,
                     .output_height = height, .output_width = width};
  if (!leap_winograd_line_make(m, taps, &w.line)) printf("F(%d, %d) is not there\n", m, taps), failures++;
  w.tile_height = is_column ? m : 1, w.patch_height = is_column ? m + taps - 1 : 1;
  w.tile_width = is_row ? m : 1, w.patch_width = is_row ? m + taps - 1 : 1;
  w.tile_columns = (width + w.tile_width - 1) / w.tile_width;
  const ptrdiff_t tiles = w.tile_columns * ((height + w.tile_height - 1) / w.tile_height);
  leap_prologue none = {0}, some = {scale, shift, 0, INFINITY};
  FOR_BOTH(isa, to, { leap_winograd_input(isa, &w, &none, a, 0, tiles, to, tiles * W); })
  compare("winograd input", 1e-5);
  FOR_BOTH(isa, to, { leap_winograd_input(isa, &w, &some, a, 0, tiles, to, tiles * W); })
  compare("winograd input after a prologue", 1e-5);
  FOR_BOTH(isa, to, {
    leap_winograd_output(isa, &w, a, tiles * W, bias, c, -0.5f, 0.5f, 0, tiles, to);
  })
  compare("winograd output", 1e-5);
}

static void winograd(void) {
  static const int lines[][2] = {{4, 3}, {4, 5}, {3, 7}};
  for (ptrdiff_t height = 1; height <= 9; height += 2)
    for (ptrdiff_t width = 3; width <= 10; width++) {
      for (int m = 2; m <= 4; m += 2) winograd_tiles(m, 3, 1, 1, height, width);
      for (int i = 0; i < 3; i++)
        for (int is_row = 0; is_row < 2; is_row++)
          winograd_tiles(lines[i][0], lines[i][1], !is_row, is_row, height, width);
    }
}

static void windows(void) {
  for (ptrdiff_t size = 1; size <= 5; size += 2)
    for (ptrdiff_t stride = 1; stride <= 3; stride++)
      for (ptrdiff_t dilation = 1; dilation <= 2; dilation++)
        for (ptrdiff_t width = size * dilation; width <= 21; width += 5)
          for (ptrdiff_t pad = 0; pad <= size / 2; pad++) {
            const ptrdiff_t reach = (size - 1) * dilation + 1;
            const ptrdiff_t out = (width + 2 * pad - reach) / stride + 1;
            leap_blocked_windows w = {{width, width}, {out, out}, {size, size}, {stride, stride},
                                      {dilation, dilation}, {pad, pad}, {width + pad, width + pad}, 0};
            FOR_BOTH(isa, to, {
              leap_blocked_depthwise(isa, &w, a, b, bias, c, -1, 1, 0, out, to);
            })
            compare("depthwise", 1e-5);
            FOR_BOTH(isa, to, { leap_blocked_max(isa, &w, a, 0, out, to); })
            compare("maxima", 0);
            FOR_BOTH(isa, to, { leap_blocked_average(isa, &w, a, 0, out, to); })
            compare("averages", 1e-6);
            FOR_BOTH(isa, to, { leap_blocked_mean(isa, width, width, a, to); })
            compare("mean", 1e-6);
          }
}

static void images(void) {
  for (ptrdiff_t columns = 1; columns <= 9; columns++) {
    for (ptrdiff_t step = 1; step <= 2; step++) {
      leap_blocked_window window = {5, columns, -1, -2, 7, columns + 3, step, step};
      leap_prologue some = {scale, shift, -0.25f, 0.25f};
      FOR_BOTH(isa, to, { leap_blocked_pack(isa, &window, &some, 2, a, to); })
      compare("panel", 1e-6);
    }
    const float *rows[] = {a, a + 100};
    const float weights[] = {0.25f, 0.75f};
    const int32_t first[] = {0, 1, 1, 3, 7, 2, 0, 5, 6};
    FOR_BOTH(isa, to, { leap_blocked_resize_row(isa, 2, rows, weights, columns, first, 2, b, to); })
    compare("resized row", 1e-6);
  }
}

static void epilogues(void) {
  for (int kind = LEAP_STAGE_FACTOR; kind <= LEAP_STAGE_SILU; kind++)
    for (ptrdiff_t columns = 1; columns <= 19; columns++) {
      leap_stage stage = {.kind = kind, .operand = bias, .row_stride = 0, .column_stride = 1, .a = 0.3,
                          .b = 0.6};
      FOR_BOTH(isa, to, {
        memcpy(to, a, 4 * 32 * sizeof *a);
        leap_f32_epilogue(isa, &stage, 1, to, 32, to, 32, 4, columns);
      })
      compare("epilogue", 2e-6);
    }
}

static void panels(void) {
  const leap_panel_kernel neon = leap_panel_kernel_for(LEAP_ISA_NEON, LEAP_GEMM_F32);
  for (ptrdiff_t rows = 1; rows <= neon.rows; rows++)
    for (ptrdiff_t depth = 1; depth <= 40; depth += 13) {
      clear();
      neon.function(rows, 1, depth, a, 64, 0, b, got, LEAP_GEMM_STORE);
      for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t column = 0; column < neon.columns; column++) {
          double sum = 0;
          for (ptrdiff_t k = 0; k < depth; k++) sum += (double)a[r * 64 + k] * b[k * neon.columns + column];
          expected[r * neon.columns + column] = (float)sum;
        }
      compare("panel product", 1e-5);
    }
}

/// Numbers of 8 and 4 bits that become floats, and a product that is cut and goes on.
static void number_panels(void) {
  const leap_panel_kernel neon = leap_panel_kernel_for(LEAP_ISA_NEON, LEAP_GEMM_F32);
  uint8_t numbers[40 * 64], zeros[64];
  for (size_t i = 0; i < sizeof numbers; i++) numbers[i] = (uint8_t)((noise() + 1) * 127);
  for (size_t i = 0; i < sizeof zeros; i++) zeros[i] = (uint8_t)((noise() + 1) * 7);
  for (int bits = 4; bits <= 8; bits += 4)
    for (int has_zeros = 0; has_zeros < 2; has_zeros++)
      for (ptrdiff_t depth = 1; depth <= 40; depth += 13) {
        const ptrdiff_t columns = neon.columns, width = bits == 8 ? columns : columns / 2;
        clear();
        leap_expand_numbers(LEAP_ISA_NEON, bits, depth, columns, numbers, scale, has_zeros ? zeros : NULL, 8, got);
        for (ptrdiff_t i = 0; i < depth * columns; i++) {
          const ptrdiff_t row = i / columns, lane = i % columns;
          const uint8_t byte = numbers[row * width + lane % width];
          const uint8_t number = bits == 8 ? byte : lane < width ? byte & 15 : byte >> 4;
          expected[i] = ((float)number - (has_zeros ? zeros[lane] : 8)) * scale[lane];
        }
        compare("numbers of a panel", 0);
      }
  for (ptrdiff_t cut = 1; cut < 40; cut += 13) {
    clear();
    neon.function(neon.rows, 1, 40, a, 64, 0, b, expected, LEAP_GEMM_STORE);
    neon.function(neon.rows, 1, cut, a, 64, 0, b, got, LEAP_GEMM_STORE);
    neon.function(neon.rows, 1, 40 - cut, a + cut, 64, 0, b + cut * neon.columns, got, LEAP_GEMM_CONTINUE);
    compare("panel product in parts", 0);
  }
}

/// Functions of one element, by the instruction set that is preferred here, against libm in double.
static void elementwise(void) {
  static const struct {
    enum leap_unary function;
    double (*reference)(double);
  } functions[] = {
      {LEAP_EXP, exp},     {LEAP_LOG, log},     {LEAP_SIN, sin},     {LEAP_COS, cos},     {LEAP_TAN, tan},
      {LEAP_ASIN, asin},   {LEAP_ACOS, acos},   {LEAP_ATAN, atan},   {LEAP_SINH, sinh},   {LEAP_COSH, cosh},
      {LEAP_TANH, tanh},   {LEAP_ASINH, asinh}, {LEAP_ACOSH, acosh}, {LEAP_ATANH, atanh}, {LEAP_ERF, erf}};
  static double wide[LIMIT], results[LIMIT];
  for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
    for (ptrdiff_t i = 0; i < LIMIT; i++) wide[i] = a[i] = noise() * (i % 2 ? 1 : 20);
    leap_unary_run(1, functions[f].function, a, 1, got, 1, LIMIT, 0, 0);
    leap_unary_run(11, functions[f].function, wide, 1, results, 1, LIMIT, 0, 0);
    double worst = 0;
    for (ptrdiff_t i = 0; i < LIMIT; i++) {
      const double exact = functions[f].reference(wide[i]);
      if (isnan(exact) != isnan(got[i]) || isnan(exact) != isnan(results[i])) worst = INFINITY;
      if (isnan(exact)) continue;
      const double unit = nextafterf(fabsf((float)exact), INFINITY) - fabsf((float)exact);
      worst = fmax(worst, fabs(got[i] - exact) / unit / 2);
      worst = fmax(worst, fabs(results[i] - exact) / (fabs(exact) * 0x1p-53) / 8);
    }
    comparisons++;
    if (worst > 1) {
      printf("function %d of one element: off by %g of what it may be\n", (int)functions[f].function, worst);
      failures++;
    }
  }
}

int main(void) {
  if (!leap_isa_available(LEAP_ISA_NEON)) {
    printf("NEON is not there\n");
    return 1;
  }
  fill(a, LIMIT), fill(b, LIMIT), fill(c, LIMIT);
  fill(bias, 64), fill(scale, 64), fill(shift, 64);
  products(), winograd(), windows(), images(), epilogues(), panels(), number_panels(), elementwise();
  printf("%d comparisons of NEON kernels, %d failed\n", comparisons, failures);
  return failures > 0;
}
