// OpenBLAS inside libleapstone.so computes on the thread that calls it, so it is to start none of its own when it is loaded.
// The linker's --wrap puts this in the place of the function that reads OPENBLAS_NUM_THREADS.

int __wrap_openblas_num_threads_env(void);
int __wrap_openblas_num_threads_env(void) { return 1; }
