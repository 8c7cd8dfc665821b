// CLeapKernels: the umbrella header. Every header of the target has its line here, in alphabetical order.
#pragma once

#include "leap_convolution.h"
#include "leap_cpu.h"
#include "leap_elementwise.h"
#include "leap_epilogue.h"
#include "leap_gemm.h"
#include "leap_math.h"
#include "leap_movement.h"
#include "leap_normalization.h"
#include "leap_ordering.h"
#include "leap_pooling.h"
#include "leap_processor.h"
#include "leap_progression.h"
#include "leap_reduction.h"
#include "leap_resize.h"
#include "leap_softmax.h"
