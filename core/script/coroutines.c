#include <lauxlib.h>
#include <lua.h>

#include "script/state.h"

enum { BYTES_A_STEP = 8, SLOTS_A_STEP = 4 };

// Whether it can be resumed, or is running.
static bool is_live(lua_State *co) {
  lua_Debug ar;

  if (lua_status(co) != 0) {
    return lua_status(co) == LUA_YIELD;
  }
  // Not begun, with its function on its stack, or in the middle of a call.
  return lua_gettop(co) > 0 || lua_getstack(co, 0, &ar) > 0;
}

// Forgets those in the table (the second upvalue) that have ended, and counts
// the others.
static uint32_t recount(lua_State *L) {
  uint32_t count = 0;
  int table = lua_upvalueindex(2);

  lua_pushnil(L);
  while (lua_next(L, table)) {
    lua_pop(L, 1);
    if (is_live(lua_tothread(L, -1))) {
      count++;
    } else {
      lua_pushvalue(L, -1);
      lua_pushnil(L);
      lua_rawset(L, table);
    }
  }
  return count;
}

// Coroutines end unseen, and are dropped unseen while they could go on: only
// when there seem to be too many are they counted, and what is not in use any
// more collected.
static void make_room(lua_State *L) {
  struct peri_vm *vm = peri_vm_of(L);
  uint32_t most = vm->limits.coroutines;

  if (vm->coroutines < most) {
    return;
  }
  peri_vm_charge(L, 1 + vm->coroutines / SLOTS_A_STEP);
  vm->coroutines = recount(L);
  if (vm->coroutines >= most) {
    peri_vm_charge(L, vm->bytes / BYTES_A_STEP);
    lua_gc(L, LUA_GCCOLLECT, 0);
    vm->coroutines = recount(L);
  }
  if (vm->coroutines >= most) {
    luaL_error(L,
               "the policy has %d coroutines that have not ended; it may "
               "have %d",
               (int)vm->coroutines, (int)most);
  }
}

// coroutine.create() or wrap(), by the builtin in the first upvalue.
static int make(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  make_room(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  if (lua_isthread(L, 1)) {
    lua_pushvalue(L, 1);
  } else {
    lua_getupvalue(L, 1, 1);  // What wrap() gives keeps its coroutine there.
  }
  lua_pushboolean(L, true);
  lua_rawset(L, lua_upvalueindex(2));
  peri_vm_of(L)->coroutines++;
  return 1;
}

void peri_coroutines_open(struct lua_State *L) {
  static const char *const names[] = {"create", "wrap"};

  lua_getglobal(L, "coroutine");
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    lua_getfield(L, -2, names[i]);
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, make, 2);
    lua_setfield(L, -3, names[i]);
  }
  lua_pop(L, 2);
}
