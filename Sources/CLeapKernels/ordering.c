// ordering.c: the loops of leap_ordering.h for every element type.
#include "leap_ordering.h"

#include "elementwise_types.h"

// Whether p lies strictly beyond q in the direction asked for.
#define IS_BEYOND(p, q, largest) (((largest) ? (p) > (q) : (p) < (q)) || ((p) != (p) && (q) == (q)))

#define FUNCTIONS(T)                                                                                         \
  static void arg_extreme_##T(                                                                               \
      int largest, int last, const T *x, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t columns,            \
      int64_t *indices) {                                                                                    \
    for (ptrdiff_t j = 0; j < columns; j++) indices[j] = 0;                                                  \
    for (ptrdiff_t row = 1; row < rows; row++)                                                               \
      for (ptrdiff_t j = 0; j < columns; j++) {                                                              \
        const T v = x[row * row_stride + j], best = x[indices[j] * row_stride + j];                          \
        if (last ? !IS_BEYOND(best, v, largest) : IS_BEYOND(v, best, largest)) indices[j] = row;             \
      }                                                                                                      \
  }                                                                                                          \
                                                                                                             \
  /* Whether element i comes before element j. */                                                            \
  LEAP_INLINE int precedes_##T(int largest, const T *x, ptrdiff_t stride, int64_t i, int64_t j) {            \
    const T p = x[i * stride], q = x[j * stride];                                                            \
    return IS_BEYOND(p, q, largest) || (!IS_BEYOND(q, p, largest) && i < j);                                 \
  }                                                                                                          \
                                                                                                             \
  /* Lets the root of a heap, whose root comes last of all, sink to its place. */                            \
  static void sink_##T(int largest, const T *x, ptrdiff_t stride, int64_t *heap, ptrdiff_t count) {          \
    ptrdiff_t place = 0;                                                                                     \
    for (;;) {                                                                                               \
      ptrdiff_t child = 2 * place + 1;                                                                       \
      if (child >= count) return;                                                                            \
      if (child + 1 < count && precedes_##T(largest, x, stride, heap[child], heap[child + 1])) child++;      \
      if (!precedes_##T(largest, x, stride, heap[place], heap[child])) return;                               \
      const int64_t held = heap[place];                                                                      \
      heap[place] = heap[child];                                                                             \
      heap[child] = held;                                                                                    \
      place = child;                                                                                         \
    }                                                                                                        \
  }                                                                                                          \
                                                                                                             \
  /* Adds element i to a heap of `count`. */                                                                 \
  static void rise_##T(                                                                                      \
      int largest, const T *x, ptrdiff_t stride, int64_t *heap, ptrdiff_t count, int64_t i) {                \
    ptrdiff_t place = count;                                                                                 \
    while (place > 0 && precedes_##T(largest, x, stride, heap[(place - 1) / 2], i)) {                        \
      heap[place] = heap[(place - 1) / 2];                                                                   \
      place = (place - 1) / 2;                                                                               \
    }                                                                                                        \
    heap[place] = i;                                                                                         \
  }                                                                                                          \
                                                                                                             \
  static void top_k_##T(                                                                                     \
      int largest, const T *x, ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t k, T *values, int64_t *indices,   \
      ptrdiff_t step, int64_t *heap) {                                                                       \
    if (k == 0) return;                                                                                      \
    for (ptrdiff_t i = 0; i < k; i++) rise_##T(largest, x, stride, heap, i, i);                              \
    for (ptrdiff_t i = k; i < rows; i++)                                                                     \
      if (precedes_##T(largest, x, stride, i, heap[0])) {                                                    \
        heap[0] = i;                                                                                         \
        sink_##T(largest, x, stride, heap, k);                                                               \
      }                                                                                                      \
    for (ptrdiff_t left = k - 1; left > 0; left--) {                                                         \
      const int64_t worst = heap[0];                                                                         \
      heap[0] = heap[left];                                                                                  \
      heap[left] = worst;                                                                                    \
      sink_##T(largest, x, stride, heap, left);                                                              \
    }                                                                                                        \
    for (ptrdiff_t i = 0; i < k; i++) {                                                                      \
      if (values) values[i * step] = x[heap[i] * stride];                                                    \
      if (indices) indices[i * step] = heap[i];                                                              \
    }                                                                                                        \
  }

FUNCTIONS(float)
FUNCTIONS(double)
FUNCTIONS(int8_t)
FUNCTIONS(int16_t)
FUNCTIONS(int32_t)
FUNCTIONS(int64_t)
FUNCTIONS(uint8_t)
FUNCTIONS(uint16_t)
FUNCTIONS(uint32_t)
FUNCTIONS(uint64_t)

#define EVERY_TYPE(CALL)           \
  switch (type) {                  \
    case LEAP_F32: CALL(float)     \
    case LEAP_F64: CALL(double)    \
    case LEAP_I8: CALL(int8_t)     \
    case LEAP_I16: CALL(int16_t)   \
    case LEAP_I32: CALL(int32_t)   \
    case LEAP_I64: CALL(int64_t)   \
    case LEAP_U8: CALL(uint8_t)    \
    case LEAP_U16: CALL(uint16_t)  \
    case LEAP_U32: CALL(uint32_t)  \
    case LEAP_U64: CALL(uint64_t)  \
    default: return LEAP_UNSUPPORTED; \
  }

enum leap_status leap_arg_extreme(
    int32_t type, int largest, int last, const void *x, ptrdiff_t rows, ptrdiff_t row_stride,
    ptrdiff_t columns, int64_t *indices) {
#define CALL(T) arg_extreme_##T(largest, last, x, rows, row_stride, columns, indices); return LEAP_OK;
  EVERY_TYPE(CALL)
#undef CALL
}

enum leap_status leap_top_k(
    int32_t type, int largest, const void *x, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t k, void *values,
    int64_t *indices, ptrdiff_t stride, int64_t *heap) {
#define CALL(T) top_k_##T(largest, x, rows, row_stride, k, values, indices, stride, heap); return LEAP_OK;
  EVERY_TYPE(CALL)
#undef CALL
}
