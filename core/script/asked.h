#pragma once

#include "base/types.h"

struct lua_State;
struct peri_pick_request;

/// The userdata behind a balancer's request handle; `request` is NULL outside
/// of picks, and then its methods raise. One handle serves all picks of a
/// balancer.
struct peri_asked_handle {
  const struct peri_pick_request *request;
};

/// Pushes a handle; the caller keeps it from being collected while it sets
/// `request`. Raises when out of memory.
struct peri_asked_handle *peri_asked_push(struct lua_State *L);
