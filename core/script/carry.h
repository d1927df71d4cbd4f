#pragma once

#include "base/types.h"

struct lua_State;
struct peri_buffer;

enum peri_carry_limits { PERI_CARRY_BYTES = 1 << 20, PERI_CARRY_DEPTH = 32 };

/// Plain data on its way from one VM to another: nil, booleans, numbers,
/// strings, and tables of them.

/// Appends the Lua value at `index` (positive) to `buffer`. Raises for anything
/// else, for what is nested deeper or larger than the limits, and without
/// memory; the caller releases the buffer in any case.
void peri_carry_read(struct lua_State *L, int index,
                     struct peri_buffer *buffer);

/// Pushes what peri_carry_read() has appended. Raises without memory.
void peri_carry_push(struct lua_State *L, struct peri_slice bytes);
