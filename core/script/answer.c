#include "script/answer.h"

#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

static int code_of(const char *name, size_t len) {
  for (int code = PERI_ENOMEM; code >= PERI_EREFUSED; code--) {
    const char *known = peri_error_name(code);
    if (strlen(known) == len && strncmp(known, name, len) == 0) {
      return code;
    }
  }
  return PERI_EIO;
}

static int64_t read_ttl(lua_State *L, int index, const char *field) {
  struct peri_slice text;
  int64_t ns = -1;

  lua_getfield(L, index, field);
  if (lua_type(L, -1) == LUA_TNUMBER) {
    double ms = lua_tonumber(L, -1);
    ns = ms >= 0 && ms < 9.2e12 ? (int64_t)llround(ms * 1e6) : -2;
  } else if (lua_type(L, -1) == LUA_TSTRING) {
    text.ptr = lua_tolstring(L, -1, &text.len);
    ns = peri_text_duration(text, &ns) == 0 ? ns : -2;
  } else if (!lua_isnil(L, -1)) {
    ns = -2;
  }
  if (ns == -2) {
    luaL_error(L,
               "fetch returned a %s that is no duration such as \"60s\" or a "
               "number of milliseconds",
               field);
  }
  lua_pop(L, 1);
  return ns;
}

static void read_options(lua_State *L, int index,
                         struct peri_fetch_result *result) {
  if (lua_isnoneornil(L, index)) {
    return;
  }
  if (!lua_istable(L, index)) {
    luaL_error(L, "fetch returned a %s where { ttl = … } is expected",
               luaL_typename(L, index));
  }
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    const char *key =
        lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?";
    if (strcmp(key, "ttl") != 0 && strcmp(key, "negative_ttl") != 0) {
      luaL_error(L,
                 "fetch returned an unknown field \"%s\" beside ttl and "
                 "negative_ttl",
                 key);
    }
  }
  result->ttl_ns = read_ttl(L, index, "ttl");
  result->negative_ttl_ns = read_ttl(L, index, "negative_ttl");
}

static void read_failure(lua_State *L, struct peri_fetch_result *result) {
  size_t name_len = 0;
  const char *name = NULL;

  if (lua_istable(L, 2)) {
    read_options(L, 2, result);
    result->code = PERI_ENOTFOUND;
    lua_pushliteral(L, "");
    return;
  }
  if (lua_type(L, 2) != LUA_TSTRING) {
    luaL_error(L,
               "fetch returned nil without saying why: return nil, \"ENAME: "
               "text\", \"ENAME\"");
  }
  result->text.ptr = lua_tolstring(L, 2, &result->text.len);
  if (lua_type(L, 3) == LUA_TSTRING) {
    name = lua_tolstring(L, 3, &name_len);
  } else {
    name = result->text.ptr;
    name_len = strcspn(name, ":");
  }
  result->code = code_of(name, name_len);
  read_options(L, 4, result);
  lua_pushvalue(L, 2);
}

void peri_answer_read(struct lua_State *L,
                      struct peri_fetch_result *ret_result) {
  struct peri_fetch_result result = {.ttl_ns = -1, .negative_ttl_ns = -1};

  lua_settop(L, 4);
  if (lua_type(L, 1) == LUA_TSTRING) {
    result.value.ptr = lua_tolstring(L, 1, &result.value.len);
    read_options(L, 2, &result);
    lua_pushvalue(L, 1);
  } else if (lua_isnil(L, 1)) {
    read_failure(L, &result);
  } else {
    luaL_error(L, "fetch must return a string or nil, not a %s",
               luaL_typename(L, 1));
  }
  *ret_result = result;
}
