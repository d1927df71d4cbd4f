#pragma once

#include "base/types.h"

/// The decimal number that the bytes spell: the hash of consistenthash_test.
uint64_t ring_shim_numeric(struct peri_slice bytes);
/// Every label has the same hash.
uint64_t ring_shim_constant(struct peri_slice bytes);
