#pragma once

#include "base/types.h"

/// Makes room in an array on the heap: for 8 items at first (`items` NULL and
/// `*capacity` 0), then for twice as many as before. Any thread.
/// @param capacity  of the array in items; raised
/// @return the array, perhaps elsewhere; NULL when out of memory: both are as
/// they were
void *peri_grow(void *items, size_t *capacity, size_t item_bytes);
