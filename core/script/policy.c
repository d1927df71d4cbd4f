#include "script/policy.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "model/config.h"
#include "script/lib.h"
#include "script/schema.h"
#include "script/sources.h"
#include "script/state.h"

enum { NAME_BYTES = 64, MAX_KEYS = 10 };

static const struct kind {
  const char *name;
  const char *meta;
  const char *keys[MAX_KEYS];  // the required function first
} kinds[] = {
    {"picker",
     "perigee.policy.picker",
     {"pick", "update", "name", "schema", "new", "selftest", "export",
      "import"}},
    {"fallback",
     "perigee.policy.fallback",
     {"fetch", "name", "schema", "new", "selftest", "export", "import"}},
    {"balancer",
     "perigee.policy.balancer",
     {"pick", "update", "done", "name", "schema", "new", "selftest", "export",
      "import"}},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static const char opened_field[] = "perigee.policies";

static const struct kind *find_kind(const char *name) {
  for (int i = 0; i < KINDS; i++) {
    if (strcmp(kinds[i].name, name) == 0) {
      return &kinds[i];
    }
  }
  return NULL;
}

bool peri_policy_name_ok(const char *name) {
  size_t len = strlen(name);

  return len > 0 && len <= NAME_BYTES &&
         strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static void refuse_key(lua_State *L, const struct kind *kind, const char *key) {
  size_t count = 0;

  while (count < MAX_KEYS && kind->keys[count]) {
    count++;
  }
  const char *nearest = peri_text_nearest(key, kind->keys, count);
  if (nearest) {
    luaL_error(L, "a %s has no field \"%s\"; did you mean \"%s\"?", kind->name,
               key, nearest);
  }
  luaL_error(L, "a %s has no field \"%s\"", kind->name, key);
}

// Checks the field whose name is at -2 and whose value is at -1.
static void check_field(lua_State *L, const struct kind *kind) {
  if (lua_type(L, -2) != LUA_TSTRING) {
    luaL_error(L, "the fields of a %s have names", kind->name);
  }
  const char *key = lua_tostring(L, -2);
  bool known = false;
  for (int i = 0; i < MAX_KEYS && kind->keys[i]; i++) {
    known = known || strcmp(kind->keys[i], key) == 0;
  }
  if (!known) {
    refuse_key(L, kind, key);
  }
  bool data = strcmp(key, "name") == 0 || strcmp(key, "schema") == 0;
  if (!data && !lua_isfunction(L, -1)) {
    luaL_error(L, "%s.%s must be a function, not a %s", kind->name, key,
               luaL_typename(L, -1));
  }
}

// Pushes "file:line: " of the declaration at index 1. The usual
// `return policy.picker({…})` is a tail call, which leaves no caller to name,
// so a function in the declaration is.
static void push_place(lua_State *L) {
  lua_Debug at;

  luaL_where(L, 1);
  if (lua_objlen(L, -1) > 0 || !lua_istable(L, 1)) {
    return;
  }
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    if (lua_isfunction(L, -1) && !lua_iscfunction(L, -1)) {
      lua_getinfo(L, ">S", &at);
      lua_pop(L, 2);
      lua_pushfstring(L, "%s:%d: ", at.short_src, at.linedefined);
      return;
    }
    lua_pop(L, 1);
  }
}

// Checks the declaration at index 1 and marks it.
static int check(lua_State *L) {
  const struct kind *kind = lua_touserdata(L, lua_upvalueindex(1));

  lua_settop(L, 1);
  if (!lua_istable(L, 1)) {
    return luaL_error(L, "a %s is declared by a table, not %s%s", kind->name,
                      lua_isnil(L, 1) ? "" : "a ", luaL_typename(L, 1));
  }
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    check_field(L, kind);
    lua_pop(L, 1);
  }
  lua_getfield(L, 1, "name");
  if (lua_type(L, -1) != LUA_TSTRING ||
      !peri_policy_name_ok(lua_tostring(L, -1))) {
    return luaL_error(L, "a %s needs a name of a-z, 0-9 and _", kind->name);
  }
  lua_getfield(L, 1, kind->keys[0]);
  if (!lua_isfunction(L, -1)) {
    return luaL_error(L, "a %s needs a function \"%s\"", kind->name,
                      kind->keys[0]);
  }
  lua_getfield(L, 1, "schema");
  peri_schema_check(L, lua_gettop(L));
  lua_settop(L, 1);
  if (luaL_newmetatable(L, kind->meta)) {
    lua_pushstring(L, kind->meta);
    lua_setfield(L, -2, "__metatable");
  }
  lua_setmetatable(L, 1);
  return 1;
}

// policy.picker{…} and its like.
static int declare(lua_State *L) {
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushcclosure(L, check, 1);
  lua_pushvalue(L, 1);
  int status = lua_pcall(L, 1, 1, 0);
  if (status == LUA_ERRRUN && lua_isstring(L, -1)) {
    push_place(L);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  if (status != 0) {
    return lua_error(L);
  }
  return 1;
}

// Adds the file to an error that does not say where it happened.
static void run_file(lua_State *L, const char *path) {
  if (lua_pcall(L, 0, 1, 0) != 0) {
    if (lua_type(L, -1) == LUA_TSTRING && !strchr(lua_tostring(L, -1), ':')) {
      lua_pushfstring(L, "%s:1: %s", path, lua_tostring(L, -1));
    }
    lua_error(L);
  }
}

static bool is_declared(lua_State *L, int index, const struct kind *kind) {
  bool marked = false;

  if (lua_istable(L, index) && lua_getmetatable(L, index)) {
    luaL_getmetatable(L, kind->meta);
    marked = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
  }
  return marked;
}

const char *peri_policy_kind(struct lua_State *L, int declaration) {
  for (int i = 0; i < KINDS; i++) {
    if (is_declared(L, declaration, &kinds[i])) {
      return kinds[i].name;
    }
  }
  return NULL;
}

// Checks that the value at the top is a declaration of `kind` called `name`.
static void check_declaration(lua_State *L, const struct kind *kind,
                              const char *name, const char *path) {
  if (!is_declared(L, lua_gettop(L), kind)) {
    const char *other = peri_policy_kind(L, lua_gettop(L));
    if (other != NULL) {
      luaL_error(L, "%s:1: the file must return policy.%s{…}, not policy.%s{…}",
                 path, kind->name, other);
    }
    luaL_error(L, "%s:1: the file must return policy.%s{…}, not %s%s", path,
               kind->name, lua_isnil(L, -1) ? "" : "a ", luaL_typename(L, -1));
  }
  lua_getfield(L, -1, "name");
  const char *own = lua_tostring(L, -1);
  if (!own || strcmp(own, name) != 0) {
    luaL_error(L, "%s:1: the file is named %s, but the policy in it \"%s\"",
               path, name, own ? own : "");
  }
  lua_pop(L, 1);
}

static int refuse_missing(const struct peri_vm *vm, const char *kind,
                          const char *name, struct peri_problem *problem) {
  const struct peri_config *config = vm->config;
  struct peri_buffer folders = {NULL, 0, 0};
  size_t count = config ? config->policy_path_count : 0;
  int rc = 0;

  for (size_t i = 0; rc == 0 && i < count; i++) {
    rc = peri_buffer_printf(&folders, "%s/%s, ", config->policy_paths[i], kind);
  }
  if (rc == 0 && vm->plugins_dir) {
    rc = peri_buffer_printf(&folders, "%s/%s, ", vm->plugins_dir, kind);
  }
  int cut = rc == 0 && folders.len > 2 ? (int)folders.len - 2 : 0;
  peri_problem_set(problem, PERI_ENOTFOUND, "there is no %s \"%s\" in %.*s",
                   kind, name, cut, folders.ptr ? folders.ptr : "");
  peri_buffer_done(&folders);
  return PERI_ENOTFOUND;
}

int peri_policy_open(struct lua_State *L, const char *kind_name,
                     const char *name, struct peri_problem *ret_problem) {
  const struct kind *kind = find_kind(kind_name);
  struct peri_vm *vm = peri_vm_of(L);
  char relative[NAME_BYTES * 2];

  if (!kind || !peri_policy_name_ok(name)) {
    return peri_problem_set(
        ret_problem, PERI_ENOTFOUND,
        "\"%.80s\" cannot be a %s's name: only a-z, 0-9 and _ can be in it",
        name, kind_name);
  }
  snprintf(relative, sizeof(relative), "%s/%s.lua", kind_name, name);
  luaL_findtable(L, LUA_REGISTRYINDEX, opened_field, 1);
  lua_getfield(L, -1, relative);
  if (!lua_isnil(L, -1)) {
    lua_remove(L, -2);
    return 0;
  }
  lua_pop(L, 1);
  const struct peri_source *source = peri_chunk_find(L, relative);
  if (!source) {
    lua_pop(L, 1);
    return refuse_missing(vm, kind_name, name, ret_problem);
  }
  peri_chunk_load(L, source);
  run_file(L, source->path);
  check_declaration(L, kind, name, source->path);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, relative);
  lua_remove(L, -2);
  return 0;
}

int peri_policy_make(struct lua_State *L, int declaration, int options,
                     struct peri_problem *ret_problem) {
  int top = lua_gettop(L);

  lua_getfield(L, declaration, "schema");
  int rc = peri_schema_apply(L, top + 1, options, ret_problem);
  if (rc < 0) {
    lua_settop(L, top);
    return rc;
  }
  lua_getfield(L, declaration, "new");
  if (lua_isnil(L, -1)) {
    lua_newtable(L);
    lua_pushvalue(L, top + 2);
    lua_setfield(L, -2, "options");
  } else {
    lua_pushvalue(L, top + 2);
    lua_call(L, 1, 2);
    if (lua_isnil(L, -2)) {
      const char *text = lua_tostring(L, -1);
      rc = peri_problem_set(ret_problem, PERI_ECONFIG, "%s",
                            text ? text : "new() returned nothing");
    }
    lua_pop(L, 1);
  }
  lua_replace(L, top + 1);
  lua_settop(L, rc < 0 ? top : top + 1);
  return rc;
}

// Pushes the name in the reference at index 2: "name" or { "name", … }. Tables
// that came through the configuration have "1" for 1.
static const char *reference_name(lua_State *L) {
  if (lua_type(L, 2) == LUA_TSTRING) {
    lua_pushvalue(L, 2);
    return lua_tostring(L, -1);
  }
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_rawgeti(L, 2, 1);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_getfield(L, 2, "1");
  }
  if (lua_type(L, -1) != LUA_TSTRING) {
    luaL_argerror(L, 2, "a policy is given as \"name\" or { \"name\", … }");
  }
  return lua_tostring(L, -1);
}

// Pushes a copy of the reference at index 2 without the name.
static void push_reference_options(lua_State *L) {
  lua_newtable(L);
  if (!lua_istable(L, 2)) {
    return;
  }
  lua_pushnil(L);
  while (lua_next(L, 2)) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
  lua_pushnil(L);
  lua_rawseti(L, -2, 1);
  lua_pushnil(L);
  lua_setfield(L, -2, "1");
}

// The object's methods are Lua, since a fetch could not wait across C.
void peri_policy_bind(struct lua_State *L, int declaration, int self) {
  static const char source[] =
      "local declaration, self = ...\n"
      "local object = {}\n"
      "for _, name in ipairs({ 'fetch', 'update', 'pick', 'done', 'export',\n"
      "                        'import' }) do\n"
      "  local method = declaration[name]\n"
      "  object[name] = method and function(_, ...)\n"
      "    return method(self, ...)\n"
      "  end\n"
      "end\n"
      "local function nothing() end\n"
      "object.update = object.update or nothing\n"
      "object.done = object.done or nothing\n"
      "return object\n";

  if (luaL_loadbuffer(L, source, sizeof(source) - 1, "=perigee.policy") != 0) {
    lua_error(L);
  }
  lua_pushvalue(L, declaration);
  lua_pushvalue(L, self);
  lua_call(L, 2, 1);
}

int peri_policy_use(struct lua_State *L) {
  static const char *const names[] = {"picker", "fallback", "balancer", NULL};
  const char *kind = names[luaL_checkoption(L, 1, NULL, names)];
  struct peri_problem problem;

  if (!peri_vm_of(L)->loading) {
    return luaL_error(L, "policy.use() is for when the policy loads");
  }
  lua_settop(L, 2);
  const char *name = reference_name(L);
  if (peri_policy_open(L, kind, name, &problem) < 0) {
    return luaL_error(L, "%s", problem.text);
  }
  push_reference_options(L);
  if (peri_policy_make(L, 4, 5, &problem) < 0) {
    return luaL_error(L, "%s %s: %s", kind, name, problem.text);
  }
  peri_policy_bind(L, 4, 6);
  return 1;
}

int peri_lib_policy(struct lua_State *L) {
  lua_newtable(L);
  for (int i = 0; i < KINDS; i++) {
    lua_pushlightuserdata(L, (void *)&kinds[i]);
    lua_pushcclosure(L, declare, 1);
    lua_setfield(L, -2, kinds[i].name);
  }
  lua_pushcfunction(L, peri_policy_use);
  lua_setfield(L, -2, "use");
  return 1;
}
