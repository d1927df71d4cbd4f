#include <inttypes.h>
#include <lauxlib.h>
#include <lua.h>

#include "base/clock.h"
#include "base/log.h"
#include "script/lib.h"

enum { LINES_A_SECOND = 50, LINE_BYTES = 2048 };

// A policy is called for every request: what it says in one second is bounded.
struct quota {
  uint64_t second;
  uint64_t lines;
  uint64_t dropped;
};

static bool take(struct quota *quota, uint64_t *ret_dropped) {
  uint64_t second = peri_clock_mono_ns() / 1000000000u;

  *ret_dropped = 0;
  if (second != quota->second) {
    *ret_dropped = quota->dropped;
    *quota = (struct quota){.second = second};
  }
  if (quota->lines == LINES_A_SECOND) {
    quota->dropped++;
    return false;
  }
  quota->lines++;
  return true;
}

// Joins the arguments with spaces, as print() does, into a string on top.
static void join(lua_State *L) {
  int top = lua_gettop(L);
  luaL_Buffer line;

  lua_getglobal(L, "tostring");
  int tostring = lua_gettop(L);
  luaL_buffinit(L, &line);
  for (int i = 1; i <= top; i++) {
    if (i > 1) {
      luaL_addchar(&line, ' ');
    }
    lua_pushvalue(L, tostring);
    lua_pushvalue(L, i);
    lua_call(L, 1, 1);
    if (!lua_isstring(L, -1)) {
      luaL_error(L, "'tostring' must return a string to log");
    }
    peri_vm_charge(L, lua_objlen(L, -1) / 16);
    luaL_addvalue(&line);
  }
  luaL_pushresult(&line);
}

static int say(lua_State *L) {
  enum peri_log_level level =
      (enum peri_log_level)lua_tointeger(L, lua_upvalueindex(2));
  const struct peri_vm *vm = peri_vm_of(L);
  uint64_t dropped;
  size_t len;

  if (!peri_log_enabled(level)) {
    return 0;
  }
  join(L);
  const char *text = lua_tolstring(L, -1, &len);
  if (!take(lua_touserdata(L, lua_upvalueindex(1)), &dropped)) {
    return 0;
  }
  if (dropped > 0) {
    peri_log(PERI_LOG_WARN, "policy", "%s %s: %" PRIu64 " lines dropped",
             peri_vm_kind(vm), peri_vm_name(vm), dropped);
  }
  peri_log(level, "policy", "%s %s: %.*s", peri_vm_kind(vm), peri_vm_name(vm),
           (int)(len > LINE_BYTES ? LINE_BYTES : len), text);
  return 0;
}

int peri_lib_log(struct lua_State *L) {
  static const struct {
    const char *name;
    enum peri_log_level level;
  } levels[] = {{"debug", PERI_LOG_DEBUG},
                {"info", PERI_LOG_INFO},
                {"warn", PERI_LOG_WARN},
                {"error", PERI_LOG_ERROR}};

  lua_newtable(L);
  struct quota *quota = lua_newuserdata(L, sizeof(*quota));
  *quota = (struct quota){0};
  for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
    lua_pushvalue(L, -1);
    lua_pushinteger(L, (lua_Integer)levels[i].level);
    lua_pushcclosure(L, say, 2);
    lua_setfield(L, -3, levels[i].name);
  }
  lua_pop(L, 1);
  return 1;
}
