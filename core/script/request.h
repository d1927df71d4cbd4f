#pragma once

#include "base/types.h"

struct lua_State;
struct peri_loop;

/// What a fallback's request handle shows.
struct peri_request_view {
  struct peri_slice group;
  struct peri_slice key;
  struct peri_slice peer;  // the one that failed, or empty
  uint64_t deadline_ns;    // of the loop's clock; 0: none
  struct peri_loop *loop;
};

/// The userdata behind a request handle. `view` is NULL after its end.
struct peri_request_handle {
  const struct peri_request_view *view;
};

/// Pushes a handle on `view`, which lives until the handle is ended by setting
/// its `view` to NULL; the caller keeps the userdata from being collected until
/// then. Raises when out of memory.
struct peri_request_handle *peri_request_push(
    struct lua_State *L, const struct peri_request_view *view);
