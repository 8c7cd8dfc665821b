// The C face of the ONNX schema; says what to install where libprotobuf-c is missing.
#pragma once
#if !__has_include(<protobuf-c/protobuf-c.h>)
#error "libprotobuf-c is missing: apt install libprotobuf-c-dev  |  brew install protobuf-c"
#endif
#include "onnx.pb-c.h"
