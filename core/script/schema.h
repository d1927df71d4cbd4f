#pragma once

#include "base/error.h"
#include "base/types.h"

struct lua_State;

/// A policy's schema describes its options:
///
///   schema = {
///     url     = { type = "string", required = true },
///     timeout = { type = "duration", default = "2s", min = "1ms" },
///     mode    = { type = "string", values = { "fast", "safe" } },
///     paths   = { type = "list", items = "string", max = 10 },
///   }
///
/// Types: string, number, integer, boolean, duration ("250ms" or a number of
/// milliseconds; the policy gets milliseconds), size ("64KiB" or a number of
/// bytes; the policy gets bytes), list, table, any. `min` and `max` bound
/// numbers, and the length of strings and lists; `values` lists what is
/// allowed; `items` is the type of a list's elements; `help` is for readers.

/// Raises unless the value at `schema` (positive) is nil or a schema whose
/// entries, defaults too, make sense.
void peri_schema_check(struct lua_State *L, int schema);

/// Pushes a new table: the options of the table at `options` converted, and
/// defaults for what is missing. Raises only when out of memory or budget.
/// @return 0, or PERI_ECONFIG with words such as `unknown option "ulr"; did you
///   mean "url"?` and nothing pushed.
int peri_schema_apply(struct lua_State *L, int schema, int options,
                      struct peri_problem *ret_problem);
