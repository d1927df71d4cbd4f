#include "script/types_shim.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

#include "script/lib.h"
#include "script/state.h"

struct list {
  char *text;
  size_t capacity, used;
};

static void add(struct list *list, const char *type, const char *name) {
  int length = snprintf(list->text + list->used, list->capacity - list->used,
                        "%s %s\n", type, name);

  list->used += (size_t)length;
}

// Adds the functions in the table at the top, and pops it.
static void add_functions(lua_State *L, struct list *list, const char *type) {
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    if (lua_isfunction(L, -1) && strcmp(lua_tostring(L, -2), "__gc") != 0) {
      add(list, type, lua_tostring(L, -2));
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

// Adds what the metatable at the top has; its methods are in __index, or in
// that function's first upvalue.
static void add_type(lua_State *L, struct list *list, const char *type) {
  lua_pushvalue(L, -1);
  add_functions(L, list, type);
  lua_getfield(L, -1, "__index");
  if (lua_isfunction(L, -1)) {
    lua_getupvalue(L, -1, 1);
    lua_remove(L, -2);
  }
  if (lua_istable(L, -1)) {
    add_functions(L, list, type);
  } else {
    lua_pop(L, 1);
  }
}

static int list_types(lua_State *L, void *ctx) {
  static const char *const modules[] = {"perigee.metrics", "perigee.ring",
                                        "perigee.json", "perigee.policy"};

  for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
    lua_pushcfunction(L, peri_lib_find(modules[i]));
    lua_call(L, 0, 0);
  }
  lua_pushnil(L);
  while (lua_next(L, LUA_REGISTRYINDEX)) {
    const char *name =
        lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    if (strncmp(name, "perigee.", 8) == 0 && lua_istable(L, -1)) {
      lua_getfield(L, -1, "__metatable");
      bool is_type = lua_isstring(L, -1);
      lua_pop(L, 1);
      if (is_type) {
        add_type(L, ctx, name);
      }
    }
    lua_pop(L, 1);
  }
  return 0;
}

int types_shim_list(struct peri_vm *vm, char *ret_text, size_t capacity) {
  struct list list = {ret_text, capacity, 0};
  struct peri_vm_budget budget = {1000000, 1000000000};

  ret_text[0] = '\0';
  return peri_vm_run(vm, list_types, &list, budget);
}
