// Gives Swift the C interface of libpng, and says what to install where it is missing.
#pragma once
#if !__has_include(<png.h>)
#error "libpng is missing: apt install libpng-dev  |  brew install libpng"
#endif
#include <png.h>
