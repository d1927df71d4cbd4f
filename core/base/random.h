#pragma once

#include "base/types.h"

/// The next number of a generator that begins with any `*state` (SplitMix64,
/// Steele, Lea and Flood 2014): even and quick, to choose and to spread with.
/// Nothing secret is made of it. One thread for each state.
uint64_t peri_random_next(uint64_t *state);

/// A number below `below`, each as likely; 0 when that is 0.
uint64_t peri_random_below(uint64_t *state, uint32_t below);
