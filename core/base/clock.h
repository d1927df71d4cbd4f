#pragma once

#include "base/types.h"

/// What a time in ms is in ns; of type int, so the other factor must be wide.
enum { PERI_NS_PER_MS = 1000000 };

/// Nanoseconds of a clock that never jumps; for timeouts and latencies.
uint64_t peri_clock_mono_ns(void);

/// Nanoseconds of processor time that the calling thread has used.
uint64_t peri_clock_thread_ns(void);

/// Unix time in nanoseconds; for expiry instants that travel on the wire.
int64_t peri_clock_unix_ns(void);
