#pragma once

#include "base/types.h"

/// Sets an alarm for each wait in milliseconds, takes back those that are
/// `gone`, moves every fifth, and runs the loop until all have rung.
/// @return how many rang, or -1: too early, twice, or not in order.
int peri_shim_alarm_run(const uint32_t *waits_ms, const bool *gone,
                        size_t count);
