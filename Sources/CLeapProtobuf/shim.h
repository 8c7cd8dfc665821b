// Gives Swift the C interface of libprotobuf-c, and says what to install where it is missing.
#pragma once
#if !__has_include(<protobuf-c/protobuf-c.h>)
#error "libprotobuf-c is missing: apt install libprotobuf-c-dev  |  brew install protobuf-c"
#endif
#include <protobuf-c/protobuf-c.h>
