#include <lauxlib.h>
#include <lua.h>
#include <math.h>

#include "base/hash.h"
#include "base/random.h"
#include "script/lib.h"

// The state is the upvalue.
static uint64_t next(lua_State *L) {
  return peri_random_next(lua_touserdata(L, lua_upvalueindex(1)));
}

static int random_number(lua_State *L) {
  lua_pushnumber(L, (double)(next(L) >> 11) / 9007199254740992.0);
  return 1;
}

static int random_integer(lua_State *L) {
  lua_Number low = luaL_checknumber(L, 1);
  lua_Number high = luaL_checknumber(L, 2);
  const lua_Number most = 9007199254740992.0;

  luaL_argcheck(L, low == floor(low) && fabs(low) <= most, 1,
                "a whole number is expected");
  luaL_argcheck(L, high == floor(high) && fabs(high) <= most, 2,
                "a whole number is expected");
  luaL_argcheck(L, low <= high, 2, "the upper end is below the lower one");
  uint64_t range = (uint64_t)(int64_t)high - (uint64_t)(int64_t)low + 1;
  // What does not fill a whole range is thrown away: every number is as likely.
  uint64_t unfair = (UINT64_MAX % range + 1) % range;
  uint64_t drawn = next(L);
  while (drawn > UINT64_MAX - unfair) {
    drawn = next(L);
  }
  lua_pushnumber(L, low + (lua_Number)(drawn % range));
  return 1;
}

int peri_lib_random(struct lua_State *L) {
  static const luaL_Reg functions[] = {
      {"number", random_number}, {"integer", random_integer}, {NULL, NULL}};

  lua_newtable(L);
  uint64_t *state = lua_newuserdata(L, sizeof(*state));
  *state = peri_hash_random_seed();
  luaL_setfuncs(L, functions, 1);
  return 1;
}
