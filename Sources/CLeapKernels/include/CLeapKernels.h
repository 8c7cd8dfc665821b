// CLeapKernels: the umbrella header. Every header of the target has its line here, in alphabetical order.
#pragma once

#include "leap_elementwise.h"
#include "leap_math.h"
#include "leap_processor.h"
