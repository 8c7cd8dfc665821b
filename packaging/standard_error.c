// Debian's archives of libjpeg and libpng are compiled for programs: where they are linked into a library they can name no variable
// of another one, and they name `stderr`. The linker's --wrap puts this variable in its place.
#include <stdio.h>

extern FILE *__real_stderr;
__attribute__((visibility("hidden"))) FILE *__wrap_stderr;

// Before other constructors, which may print.
__attribute__((constructor(101))) static void take(void) { __wrap_stderr = __real_stderr; }
