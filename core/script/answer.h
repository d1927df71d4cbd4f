#pragma once

#include "base/types.h"
#include "model/policy.h"

struct lua_State;

/// Reads what a fetch returned, on L from index 1: `value, { ttl =,
/// negative_ttl = }`, or `nil, "ENAME: text", "ENAME", { negative_ttl = }`
/// (also `nil, { negative_ttl = }` for a value that does not exist). Pushes
/// the text or value that the slices of `ret_result` point into. Raises for
/// anything else.
void peri_answer_read(struct lua_State *L,
                      struct peri_fetch_result *ret_result);
