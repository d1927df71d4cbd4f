#include "script/lib.h"

#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const struct module {
  const char *name;
  lua_CFunction open;
} modules[] = {
    {"perigee.clock", peri_lib_clock},     {"perigee.file", peri_lib_file},
    {"perigee.hash", peri_lib_hash},       {"perigee.http", peri_lib_http},
    {"perigee.json", peri_lib_json},       {"perigee.log", peri_lib_log},
    {"perigee.metrics", peri_lib_metrics}, {"perigee.policy", peri_lib_policy},
    {"perigee.random", peri_lib_random},   {"perigee.ring", peri_lib_ring},
};

int (*peri_lib_find(const char *module))(struct lua_State *L) {
  for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
    if (strcmp(modules[i].name, module) == 0) {
      return modules[i].open;
    }
  }
  return NULL;
}

int peri_lib_fail(struct lua_State *L, int code, const char *text) {
  const char *name = peri_error_name(code);

  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", name, text ? text : peri_error_text(code));
  lua_pushstring(L, name);
  return 3;
}

int64_t peri_lib_duration_ns(struct lua_State *L, int index) {
  if (lua_type(L, index) == LUA_TNUMBER) {
    double ms = lua_tonumber(L, index);
    luaL_argcheck(L, ms >= 0 && ms < 9.2e12, index,
                  "a duration is not negative and fits 292 years");
    return (int64_t)llround(ms * 1e6);
  }
  struct peri_slice text;
  int64_t ns = 0;
  text.ptr = luaL_checklstring(L, index, &text.len);
  if (peri_text_duration(text, &ns) < 0) {
    luaL_argerror(L, index,
                  "a duration such as \"250ms\" or \"2s\", or a number of "
                  "milliseconds, is expected");
  }
  return ns;
}

struct peri_share {
  struct {
    void *object;
    void (*free_object)(void *object);
  } slots[PERI_SHARE_SLOTS];
};

struct peri_share *peri_share_new(void) {
  return calloc(1, sizeof(struct peri_share));
}

void peri_share_free(struct peri_share *share) {
  if (!share) {
    return;
  }
  for (size_t i = 0; i < PERI_SHARE_SLOTS; i++) {
    if (share->slots[i].object && share->slots[i].free_object) {
      share->slots[i].free_object(share->slots[i].object);
    }
  }
  free(share);
}

void *peri_share_get(struct peri_share *share, enum peri_share_slot slot) {
  return share ? share->slots[slot].object : NULL;
}

void peri_share_put(struct peri_share *share, enum peri_share_slot slot,
                    void *object, void (*free_object)(void *object)) {
  share->slots[slot].object = object;
  share->slots[slot].free_object = free_object;
}
