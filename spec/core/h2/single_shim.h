#pragma once

#include "h2/single.h"

/// Feeds `bytes` in pieces of `step` and ends. @return what went wrong (code 0
/// when nothing did), the message in `buffer`.
struct peri_single_fault shim_single_run(struct peri_slice bytes, size_t step,
                                         int encoding, uint32_t limit,
                                         struct peri_buffer *buffer);
