// Gives Swift the C interface of OpenBLAS, and says what to install where it is missing.
#pragma once
#if !__has_include(<cblas.h>)
#error "OpenBLAS is missing: apt install libopenblas-dev  |  brew install openblas"
#endif
#include <cblas.h>
