#pragma once

#include "base/types.h"

struct lua_State;
struct peri_load;
struct peri_peers;

/// The userdata behind a `peers` handle. `peers` is NULL after its end.
struct peri_peers_handle {
  struct peri_peers *peers;
  struct peri_load **loads;  // of a balancer's endpoints, else NULL
  const uint32_t *open;  // what a pick may choose from, ascending; NULL: all
  size_t open_count;
  uint64_t now_ns;  // for loads
  uint32_t round;   // grows whenever `open` changes
  uint64_t random;  // state of a generator
};

/// How many endpoints the handle shows, and the 0-based index of the one that
/// it shows at `place`, which is below that.
size_t peri_handle_count(const struct peri_peers_handle *handle);
size_t peri_handle_at(const struct peri_peers_handle *handle, size_t place);

/// Pushes a new handle that holds a reference to `peers` until it is ended or
/// collected. Raises when out of memory.
struct peri_peers_handle *peri_handle_push(struct lua_State *L,
                                           struct peri_peers *peers);

/// Gives the handle's endpoints their loads (parallel to its peers), which it
/// holds until its end. @return 0 or PERI_ENOMEM.
int peri_handle_hold(struct peri_peers_handle *handle,
                     struct peri_load *const *loads);

/// Raises when these are a picker's peers: what one worker sees of loads
/// differs from what others do, and every picker must choose the same.
void peri_handle_balanced(struct lua_State *L,
                          const struct peri_peers_handle *handle);

/// Ends a handle: it and its endpoints raise from now on. NULL is fine.
void peri_handle_end(struct peri_peers_handle *handle);

/// Whether the value at `index` is an endpoint of `handle`; if so *ret_at gets
/// its 0-based index. Does not raise.
bool peri_handle_endpoint(struct lua_State *L, int index,
                          const struct peri_peers_handle *handle,
                          size_t *ret_at);
