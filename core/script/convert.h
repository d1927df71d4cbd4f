#pragma once

#include "base/error.h"
#include "base/types.h"

struct lua_State;
struct peri_json;

enum peri_convert_limits { PERI_CONVERT_DEPTH = 64 };

/// Pushes a JSON value as Lua: objects and arrays become tables, null becomes
/// nil (and so is left out of tables). Raises when out of memory or nested over
/// PERI_CONVERT_DEPTH. Charges one step for each value.
void peri_convert_push(struct lua_State *L, const struct peri_json *json);

/// The same without a loss: null becomes a NULL light userdata, and arrays get
/// the metatable at the top of the stack, where it stays.
void peri_convert_push_whole(struct lua_State *L, const struct peri_json *json);

/// Reads the Lua value at `index` (positive) as JSON. A table with the keys
/// 1 … n becomes an array, an empty one or one with named keys an object (its
/// numbered keys are then "1", "2" …). Counts two steps for each value, and
/// raises when the budget is used up, with nothing held.
/// @return 0, PERI_ENOMEM, or PERI_EINVAL with `path: words` for functions,
///   userdata, cycles, NaN, keys of other types, text that is not UTF-8, and
///   over 262,144 values or 16 MiB of text.
int peri_convert_read(struct lua_State *L, int index,
                      struct peri_json **ret_json,
                      struct peri_problem *ret_problem);
