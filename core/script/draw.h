#pragma once

#include "base/types.h"

struct peri_peers_handle;

/// Endpoints of a handle to choose from: the indexes in `list`, or the first
/// `count` when that is NULL.
struct peri_draw {
  struct peri_peers_handle *handle;
  const uint32_t *list;
  size_t count;
};

/// Draws two different endpoints, each as likely.
/// @return how many there are: 2, or 1 or 0 of fewer
size_t peri_draw_two(struct peri_draw from, size_t ret_at[2]);

/// Finds the endpoint with the fewest calls under way for its weight, one more
/// counted; of equals any.
/// @return false when there is none, or when the handle has no loads
bool peri_draw_least(struct peri_draw from, size_t *ret_at);
