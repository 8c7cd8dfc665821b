// leap_processor: the scheduler's mask of the calling thread.
#define _GNU_SOURCE
#include "leap_processor.h"

#ifdef __linux__
#include <sched.h>
#include <string.h>

int leap_affinity_count(void) {
  // Eight times the 1024 processors of one cpu_set_t: the call fails where the kernel's mask is
  // longer than what it is given.
  cpu_set_t sets[8];
  memset(sets, 0, sizeof sets);
  return sched_getaffinity(0, sizeof sets, sets) == 0 ? CPU_COUNT_S(sizeof sets, sets) : 0;
}
#else
int leap_affinity_count(void) { return 0; }
#endif
