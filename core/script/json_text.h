#pragma once

#include "base/error.h"
#include "base/types.h"

struct lua_State;

/// Pushes the JSON text of the Lua value at `index`: object keys sorted, whole
/// numbers without a fraction, NULL light userdata as null. A table is an array
/// when its metatable is the one at `array` or its keys are 1 … n with n > 0.
/// Raises only when out of memory or budget, and leaks nothing then.
/// @return 0, or PERI_EINVAL with `path: words` and nothing pushed: values that
/// JSON has no form for, text that is not UTF-8, more than `depth` levels.
int peri_json_text_push(struct lua_State *L, int index, int array, int depth,
                        struct peri_problem *ret_problem);
