// Gives Swift the C interface of libjpeg-turbo, and says what to install where it is missing.
#pragma once
#if !__has_include(<jpeglib.h>)
#error "libjpeg-turbo is missing: apt install libjpeg-dev  |  brew install jpeg-turbo"
#endif
#include <stdio.h>
#include <jpeglib.h>
