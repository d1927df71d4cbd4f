#pragma once

struct lua_State;

/// In Lua, `endpoints:only({ endpoint, … })` makes a handle that shows these
/// alone, and during a pick those of them that the pick may choose. Its
/// endpoints are those of `endpoints`, and it ends with them. For policies that
/// hand a part of the endpoints to another one.
int peri_view_only(struct lua_State *L);
