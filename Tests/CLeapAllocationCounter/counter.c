// The program's own malloc and mmap and their kin: glibc's, with a counter before them. Whatever the program links calls
// these. What the C library maps for blocks of its own and for threads' stacks does not come this way.
#define _GNU_SOURCE
#include "leap_allocation_counter.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

static atomic_int is_counting;
static atomic_llong calls, bytes, aligned_bytes, page_bytes;

void leap_allocations_begin(void) {
  atomic_store(&calls, 0);
  atomic_store(&bytes, 0);
  atomic_store(&aligned_bytes, 0);
  atomic_store(&page_bytes, 0);
  atomic_store(&is_counting, 1);
}

leap_allocation_counts leap_allocations_so_far(void) {
  leap_allocation_counts counts = {atomic_load(&calls), atomic_load(&bytes),
                                   atomic_load(&aligned_bytes), atomic_load(&page_bytes)};
  return counts;
}

void leap_allocations_end(void) { atomic_store(&is_counting, 0); }

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LEAP_SANITIZED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(LEAP_SANITIZED)

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

int leap_allocations_are_counted(void) { return 1; }

// A cache line: what tensors are aligned to. Swift's runtime asks for less.
#define LINE 64

static void count(size_t size, size_t alignment) {
  if (!atomic_load_explicit(&is_counting, memory_order_relaxed)) return;
  atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&bytes, (long long)size, memory_order_relaxed);
  if (alignment >= LINE)
    atomic_fetch_add_explicit(&aligned_bytes, (long long)size, memory_order_relaxed);
}

void *malloc(size_t size) {
  count(size, 0);
  return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
  count(number * size, 0);
  return __libc_calloc(number, size);
}

void *realloc(void *block, size_t size) {
  count(size, 0);
  return __libc_realloc(block, size);
}

void *memalign(size_t alignment, size_t size) {
  count(size, alignment);
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **block, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0)
    return EINVAL;
  void *made = memalign(alignment, size);
  if (!made) return ENOMEM;
  *block = made;
  return 0;
}

// Where the program's own code begins and ends, without the libraries that it loads.
extern const char __executable_start, etext;

static void *map(void *address, size_t length, int protection, int flags, int file, off_t offset,
                 const char *caller) {
  count(length, 0);
  int is_own = caller >= &__executable_start && caller < &etext;
  if (is_own && (flags & MAP_ANONYMOUS) &&
      atomic_load_explicit(&is_counting, memory_order_relaxed))
    atomic_fetch_add_explicit(&page_bytes, (long long)length, memory_order_relaxed);
  return (void *)syscall(SYS_mmap, address, length, protection, flags, file, offset);
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset) {
  return map(address, length, protection, flags, file, offset, __builtin_return_address(0));
}

// The same on platforms of 64 bits, the only ones here.
void *mmap64(void *address, size_t length, int protection, int flags, int file, off_t offset) {
  return map(address, length, protection, flags, file, offset, __builtin_return_address(0));
}

#else

int leap_allocations_are_counted(void) { return 0; }

#endif
