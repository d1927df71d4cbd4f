#include <lauxlib.h>
#include <lua.h>

#include "base/error.h"
#include "base/json.h"
#include "script/convert.h"
#include "script/json_text.h"
#include "script/lib.h"

// A text is read in one go: this much takes as long as a worker may stand
// still.
enum { DEPTH = 64, NS_A_BYTE = 30, MOST_BYTES = 320 << 10 };

static const char document_type[] = "perigee.json.document";
static const char array_type[] = "perigee.json.array";

static int release(lua_State *L) {
  struct peri_json **box = luaL_checkudata(L, 1, document_type);

  peri_json_unref(*box);
  *box = NULL;
  return 0;
}

static int json_decode(lua_State *L) {
  struct peri_vm *vm = peri_vm_of(L);
  struct peri_problem problem;
  struct peri_slice text;

  text.ptr = luaL_checklstring(L, 1, &text.len);
  lua_settop(L, 1);
  // Its length bounds the work; the time for it is not the policy's.
  peri_vm_charge(L, 1 + text.len / 16);
  if (text.len > MOST_BYTES || !peri_vm_grant(vm, text.len * NS_A_BYTE)) {
    return peri_lib_fail(L, PERI_ELIMIT, "over 320 KiB of JSON at a time");
  }
  // The box owns the document, so that an error while it is turned into tables
  // frees it.
  struct peri_json **box = lua_newuserdata(L, sizeof(*box));
  *box = NULL;
  luaL_getmetatable(L, document_type);
  lua_setmetatable(L, -2);
  int rc = peri_json_parse(text, box, &problem);
  if (rc < 0) {
    return peri_lib_fail(L, rc, rc == PERI_EINVAL ? problem.text : NULL);
  }
  luaL_getmetatable(L, array_type);
  peri_convert_push_whole(L, *box);
  peri_json_unref(*box);
  *box = NULL;
  return 1;
}

static int json_encode(lua_State *L) {
  struct peri_problem problem;

  luaL_checkany(L, 1);
  lua_settop(L, 1);
  luaL_getmetatable(L, array_type);
  if (peri_json_text_push(L, 1, 2, DEPTH, &problem) < 0) {
    return peri_lib_fail(L, problem.code, problem.text);
  }
  return 1;
}

static int json_array(lua_State *L) {
  if (lua_isnoneornil(L, 1)) {
    lua_settop(L, 0);
    lua_newtable(L);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  luaL_getmetatable(L, array_type);
  lua_setmetatable(L, 1);
  return 1;
}

int peri_lib_json(struct lua_State *L) {
  static const luaL_Reg functions[] = {{"decode", json_decode},
                                       {"encode", json_encode},
                                       {"array", json_array},
                                       {NULL, NULL}};

  luaL_newmetatable(L, document_type);
  lua_pushcfunction(L, release);
  lua_setfield(L, -2, "__gc");
  luaL_newmetatable(L, array_type);
  lua_pushstring(L, array_type);
  lua_setfield(L, -2, "__metatable");
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  return 1;
}
