// Gives Swift the C interface of zlib, and says what to install where it is missing.
#pragma once
#if !__has_include(<zlib.h>)
#error "zlib is missing: apt install zlib1g-dev  |  brew install zlib"
#endif
#include <zlib.h>
