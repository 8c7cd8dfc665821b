// leap_processor: what Swift cannot say to the processor and the scheduler by itself.
#ifndef LEAP_PROCESSOR_H
#define LEAP_PROCESSOR_H

// Tells the core that it is spinning, so that its sibling gets the execution units and the loop
// ends without a flush of the pipeline.
static inline void leap_spin_hint(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

// The number of hardware threads that the calling thread may run on, 0 where the system does not
// say. (sched_getaffinity(2), which Swift does not import because it is a GNU extension.)
int leap_affinity_count(void);

#endif
