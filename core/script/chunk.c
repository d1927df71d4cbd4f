#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "script/lib.h"
#include "script/sources.h"
#include "script/state.h"

enum { MODULE_BYTES = PERI_SOURCES_NAME_BYTES, MOST_FILES = 256 };

static const char loaded_field[] = "perigee.loaded";
static const char bytecode_mark = 0x1b;

static bool is_bytecode(struct peri_slice text) {
  return text.len > 0 && text.ptr[0] == bytecode_mark;
}

// Gives the compiler its text piece by piece, so that it ends with its budget:
// some texts take it long.
static const char *read_piece(lua_State *L, void *ctx, size_t *ret_len) {
  enum { PIECE_BYTES = 512 };
  struct peri_slice *text = ctx;
  const char *piece = text->ptr;

  *ret_len = text->len < PIECE_BYTES ? text->len : PIECE_BYTES;
  if (*ret_len == 0) {
    return NULL;
  }
  peri_vm_charge(L, *ret_len);
  text->ptr += *ret_len;
  text->len -= *ret_len;
  return piece;
}

int peri_chunk_text(struct lua_State *L, struct peri_slice text,
                    const char *name) {
  if (is_bytecode(text)) {
    lua_pushfstring(L, "%s: bytecode is not loaded, only Lua text", name + 1);
    return LUA_ERRSYNTAX;
  }
  return lua_loadx(L, read_piece, &text, name, "t");
}

static const char *words_of(const struct peri_source *source) {
  switch (source->code) {
    case PERI_ELIMIT:
      return "a policy's file has at most 1 MiB";
    case PERI_EINVAL:
      return "this is not a regular file";
    case PERI_ENOTFOUND:
      return "this link leads nowhere";
    case PERI_EPERM:
      return "this process may not read it";
    default:
      return peri_error_text(source->code);
  }
}

void peri_chunk_load(struct lua_State *L, const struct peri_source *source) {
  if (source->code < 0) {
    luaL_error(L, "%s: %s", source->path, words_of(source));
  }
  const char *name = lua_pushfstring(L, "@%s", source->path);
  if (peri_chunk_text(L, source->text, name) != 0) {
    lua_error(L);
  }
  lua_remove(L, -2);
}

// Without sources that were read for all workers, a VM reads its own.
static const struct peri_sources *sources_of(lua_State *L) {
  struct peri_vm *vm = peri_vm_of(L);
  struct peri_problem problem = {0, ""};

  if (!vm->sources &&
      peri_sources_read(vm->config, vm->plugins_dir, vm->lua_dir, &vm->sources,
                        &problem) < 0) {
    luaL_error(L, "%s", problem.text);
  }
  return vm->sources;
}

static const struct peri_source *look(const struct peri_sources *sources,
                                      const char *relative) {
  return strncmp(relative, "perigee/", 8) == 0
             ? peri_sources_module(sources, relative)
             : peri_sources_find(sources, relative);
}

// What a name stood for; a name that stood for nothing differs from all that
// can be found.
static uint64_t print_of(const char *relative,
                         const struct peri_source *source) {
  struct peri_slice name = {relative, strlen(relative)};

  if (!source) {
    return peri_hash_xxh3(name, 1);
  }
  uint64_t seed = source->digest + (uint64_t)(int64_t)source->code;
  return peri_hash_xxh3(name, seed);
}

static void remember(lua_State *L, const char *relative, uint64_t print) {
  struct peri_vm *vm = peri_vm_of(L);

  for (size_t i = 0; i < vm->resolved_count; i++) {
    if (strcmp(vm->resolved[i].relative, relative) == 0) {
      return;
    }
  }
  if (vm->resolved_count == MOST_FILES) {
    luaL_error(L, "a policy requires at most %d files", MOST_FILES);
  }
  struct peri_vm_resolved *grown =
      realloc(vm->resolved, (vm->resolved_count + 1) * sizeof(*vm->resolved));
  if (grown) {
    vm->resolved = grown;
    grown[vm->resolved_count].relative = strdup(relative);
    grown[vm->resolved_count].print = print;
  }
  if (!grown || !grown[vm->resolved_count].relative) {
    luaL_error(L, "out of memory");
  }
  vm->resolved_count++;
}

const struct peri_source *peri_chunk_find(struct lua_State *L,
                                          const char *relative) {
  peri_vm_charge(L, 1 + peri_vm_of(L)->resolved_count);
  const struct peri_source *source = look(sources_of(L), relative);

  remember(L, relative, print_of(relative, source));
  return source;
}

uint64_t peri_vm_digest(const struct peri_vm *vm) {
  uint64_t digest = 0;

  for (size_t i = 0; i < vm->resolved_count; i++) {
    struct peri_slice print = {(const char *)&vm->resolved[i].print,
                               sizeof(vm->resolved[i].print)};
    digest = peri_hash_xxh3(print, digest);
  }
  return digest;
}

bool peri_vm_same(const struct peri_vm *vm, const struct peri_sources *fresh) {
  for (size_t i = 0; i < vm->resolved_count; i++) {
    const struct peri_vm_resolved *known = &vm->resolved[i];
    if (print_of(known->relative, look(fresh, known->relative)) !=
        known->print) {
      return false;
    }
  }
  return true;
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

// Pushes the function that makes the module.
static void push_opener(lua_State *L, const char *module) {
  lua_CFunction open = peri_lib_find(module);
  char file[MODULE_BYTES];

  if (open) {
    lua_pushcfunction(L, open);
    return;
  }
  module_file(L, module, file);
  const struct peri_source *source = peri_chunk_find(L, file);
  if (!source) {
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
  peri_chunk_load(L, source);
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
    peri_vm_charge(L, 1);
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
