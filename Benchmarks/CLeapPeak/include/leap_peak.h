// The most multiply-adds that a core does: what convolutions are measured against.
#pragma once

#include "leap_cpu.h"

/// Does independent multiply-adds in registers, `rounds` times as many as there are registers for. Returns the number
/// of floating-point operations, a multiply-add counted as two.
double leap_peak_run(leap_isa isa, long rounds);
