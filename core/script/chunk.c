#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop/file.h"
#include "model/config.h"
#include "script/lib.h"
#include "script/state.h"

enum { FILE_BYTES = 1 << 20, PATH_BYTES = 4096, MODULE_BYTES = 128 };

static const char loaded_field[] = "perigee.loaded";
static const char bytecode_mark = 0x1b;

static bool is_bytecode(struct peri_slice text) {
  return text.len > 0 && text.ptr[0] == bytecode_mark;
}

int peri_chunk_text(struct lua_State *L, struct peri_slice text,
                    const char *name) {
  if (is_bytecode(text)) {
    lua_pushfstring(L, "%s: bytecode is not loaded, only Lua text", name + 1);
    return LUA_ERRSYNTAX;
  }
  return luaL_loadbufferx(L, text.ptr, text.len, name, "t");
}

void peri_chunk_load(struct lua_State *L, const char *path) {
  const char *name = lua_pushfstring(L, "@%s", path);
  struct peri_slice text;
  char *bytes = NULL;
  int rc = peri_file_slurp(path, FILE_BYTES, &bytes, &text.len);

  if (rc < 0) {
    luaL_error(L, "%s: %s", path, peri_error_text(rc));
  }
  text.ptr = bytes;
  if (is_bytecode(text)) {
    free(bytes);
    luaL_error(L, "%s: bytecode is not loaded, only Lua text", path);
    return;
  }
  int status = peri_chunk_text(L, text, name);
  free(bytes);
  if (status != 0) {
    lua_error(L);
  }
  lua_remove(L, -2);
}

bool peri_chunk_find(const struct peri_vm *vm, const char *relative,
                     char *ret_path, size_t capacity) {
  const struct peri_config *config = vm->config;
  size_t count = config ? config->policy_path_count : 0;

  for (size_t i = 0; i <= count; i++) {
    const char *folder = i < count ? config->policy_paths[i] : vm->plugins_dir;
    if (!folder) {
      continue;
    }
    int length = snprintf(ret_path, capacity, "%s/%s", folder, relative);
    if (length > 0 && (size_t)length < capacity &&
        access(ret_path, F_OK) == 0) {
      return true;
    }
  }
  return false;
}

// "lib.util" becomes "lib/util.lua"; raises for names that could leave the
// folder.
static void module_file(lua_State *L, const char *module,
                        char file[MODULE_BYTES]) {
  size_t len = strlen(module);
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_.";

  if (len == 0 || len + 5 > MODULE_BYTES || strspn(module, allowed) != len ||
      module[0] == '.' || module[len - 1] == '.' || strstr(module, "..")) {
    luaL_error(L, "a module's name is written in a-z, 0-9, _ and dots: '%s'",
               module);
  }
  for (size_t i = 0; i < len; i++) {
    file[i] = module[i];
    if (file[i] == '.') {
      file[i] = '/';
    }
  }
  memcpy(file + len, ".lua", 5);
}

static bool find_module(lua_State *L, const char *module, char *path) {
  const struct peri_vm *vm = peri_vm_of(L);
  char file[MODULE_BYTES];

  module_file(L, module, file);
  if (strncmp(module, "perigee.", 8) != 0) {
    return peri_chunk_find(vm, file, path, PATH_BYTES);
  }
  if (!vm->lua_dir) {
    return false;
  }
  int length = snprintf(path, PATH_BYTES, "%s/%s", vm->lua_dir, file);
  return length > 0 && length < PATH_BYTES && access(path, F_OK) == 0;
}

// Pushes the function that makes the module.
static void push_opener(lua_State *L, const char *module) {
  lua_CFunction open = peri_lib_find(module);
  char path[PATH_BYTES];

  if (open) {
    lua_pushcfunction(L, open);
    return;
  }
  if (!find_module(L, module, path)) {
    luaL_error(L,
               "module '%s' not found: a policy may require perigee's modules "
               "and files on the policy path",
               module);
  }
  if (!peri_vm_of(L)->loading) {
    luaL_error(L,
               "module '%s' is read too late: require files while the policy "
               "loads, at its top",
               module);
  }
  peri_chunk_load(L, path);
}

static int require(lua_State *L) {
  const char *module = luaL_checkstring(L, 1);

  lua_settop(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, loaded_field);
  lua_getfield(L, 2, module);
  if (lua_type(L, 3) == LUA_TLIGHTUSERDATA) {
    return luaL_error(L, "module '%s' requires itself, or failed to load",
                      module);
  }
  if (!lua_isnil(L, 3)) {
    return 1;
  }
  push_opener(L, module);
  lua_pushlightuserdata(L, (void *)loaded_field);
  lua_setfield(L, 2, module);
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushboolean(L, true);
  }
  lua_pushvalue(L, -1);
  lua_setfield(L, 2, module);
  return 1;
}

// Joins what the reader function in slot 1 gives, and puts it into slot 1.
static void read_pieces(lua_State *L) {
  luaL_Buffer pieces;

  luaL_buffinit(L, &pieces);
  for (;;) {
    lua_pushvalue(L, 1);
    lua_call(L, 0, 1);
    if (lua_isnil(L, -1)) {
      break;
    }
    if (lua_type(L, -1) != LUA_TSTRING) {
      luaL_error(L, "reader function must return a string");
    }
    if (lua_objlen(L, -1) == 0) {
      break;
    }
    luaL_addvalue(&pieces);
  }
  lua_pop(L, 1);
  luaL_pushresult(&pieces);
  lua_replace(L, 1);
}

static int load(lua_State *L) {
  struct peri_slice text;

  lua_settop(L, 4);
  if (lua_isfunction(L, 1)) {
    read_pieces(L);
  }
  text.ptr = luaL_checklstring(L, 1, &text.len);
  const char *name = luaL_optstring(L, 2, "=(load)");
  peri_vm_charge(L, 1 + text.len / 4);
  int status = peri_chunk_text(L, text, name);
  if (status == LUA_ERRMEM) {
    return lua_error(L);
  }
  if (status != 0) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
  }
  if (!lua_isnil(L, 4)) {
    lua_pushvalue(L, 4);
    lua_setfenv(L, -2);
  }
  return 1;
}

void peri_chunk_open(struct lua_State *L, bool with_require) {
  lua_pushcfunction(L, load);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "loadstring");
  lua_setfield(L, -2, "load");
  if (with_require) {
    lua_newtable(L);
    lua_setfield(L, LUA_REGISTRYINDEX, loaded_field);
    lua_pushcfunction(L, require);
    lua_setfield(L, -2, "require");
  }
}
