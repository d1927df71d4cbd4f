#pragma once

#include "base/types.h"

/// What is remembered between two looks at the heap; starts as zeros.
struct peri_memory {
  uint64_t looked_ns;  // when it was looked at last
  size_t spare_bytes;  // least that the heap held unused since it was trimmed
};

/// Gives back to the system what a burst of calls or connections left unused in
/// the heap: malloc itself only does where nothing still in use lies above it.
/// Looks every 10 s, and acts when 64 MiB more are unused than before. Any
/// thread, one at a time. @return whether it acted.
bool peri_memory_trim(struct peri_memory *memory, uint64_t now_ns);
