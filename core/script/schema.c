#include "script/schema.h"

#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "script/vm.h"

enum type {
  STRING,
  NUMBER,
  INTEGER,
  BOOLEAN,
  DURATION,
  SIZE,
  LIST,
  TABLE,
  ANY,
  TYPES
};

static const char *const type_names[TYPES] = {"string",  "number",   "integer",
                                              "boolean", "duration", "size",
                                              "list",    "table",    "any"};
static const char *const type_words[TYPES + 1] = {
    "text",
    "a number",
    "a whole number",
    "true or false",
    "a duration such as \"250ms\" or a number of milliseconds",
    "a size such as \"64KiB\" or a number of bytes",
    "a list",
    "a table",
    "anything",
    "of a known type"};
static const char *const entry_keys[] = {
    "type", "required", "default", "values", "min", "max", "items", "help"};
enum { ENTRY_KEYS = sizeof(entry_keys) / sizeof(entry_keys[0]), MAX_KEYS = 64 };

// The type named by field `field` of the table at `entry`, or TYPES.
static enum type type_of(lua_State *L, int entry, const char *field) {
  lua_getfield(L, entry, field);
  enum type type = TYPES;
  if (lua_isnil(L, -1)) {
    type = ANY;
  }
  for (int i = 0; i < TYPES && lua_type(L, -1) == LUA_TSTRING; i++) {
    if (strcmp(lua_tostring(L, -1), type_names[i]) == 0) {
      type = (enum type)i;
    }
  }
  lua_pop(L, 1);
  return type;
}

static bool push_measure(lua_State *L, int value, enum type type) {
  struct peri_slice text;
  int64_t ns = 0;
  uint64_t bytes = 0;

  if (lua_type(L, value) == LUA_TNUMBER) {
    lua_Number number = lua_tonumber(L, value);
    if (!(number >= 0) || isinf(number)) {
      return false;
    }
    lua_pushnumber(L, number);
    return true;
  }
  if (lua_type(L, value) != LUA_TSTRING) {
    return false;
  }
  text.ptr = lua_tolstring(L, value, &text.len);
  if (type == DURATION && peri_text_duration(text, &ns) == 0) {
    lua_pushnumber(L, (double)ns / 1e6);
    return true;
  }
  if (type == SIZE && peri_text_size(text, &bytes) == 0) {
    lua_pushnumber(L, (double)bytes);
    return true;
  }
  return false;
}

// A table read from JSON is a list when its keys are 1 … n; an empty one is.
static bool is_list(lua_State *L, int value) {
  size_t length = lua_objlen(L, value), count = 0;

  lua_pushnil(L);
  while (lua_next(L, value)) {
    lua_pop(L, 1);
    count++;
  }
  return count == length;
}

// Pushes the value at `value` as the policy gets it; false when it is of
// another type.
static bool push_typed(lua_State *L, int value, enum type type) {
  int have = lua_type(L, value);
  bool fits = false;

  switch (type) {
    case STRING:
      fits = have == LUA_TSTRING;
      break;
    case NUMBER:
      fits = have == LUA_TNUMBER;
      break;
    case INTEGER:
      fits = have == LUA_TNUMBER &&
             lua_tonumber(L, value) == floor(lua_tonumber(L, value));
      break;
    case BOOLEAN:
      fits = have == LUA_TBOOLEAN;
      break;
    case DURATION:
    case SIZE:
      return push_measure(L, value, type);
    case LIST:
      fits = have == LUA_TTABLE && is_list(L, value);
      break;
    case TABLE:
      fits = have == LUA_TTABLE;
      break;
    default:
      fits = true;
  }
  if (fits) {
    lua_pushvalue(L, value);
  }
  return fits;
}

// Checks the elements of the list at the top and replaces it by a converted
// copy.
static bool convert_items(lua_State *L, enum type items) {
  int list = lua_gettop(L);
  int count = (int)lua_objlen(L, list);

  lua_createtable(L, count, 0);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, list, i);
    if (!push_typed(L, lua_gettop(L), items)) {
      lua_settop(L, list - 1);
      return false;
    }
    lua_rawseti(L, list + 1, i);
    lua_pop(L, 1);
  }
  lua_replace(L, list);
  return true;
}

// Whether the value at the top keeps the bound in `field` of `entry`.
static bool in_bound(lua_State *L, int entry, enum type type,
                     const char *field) {
  int have = lua_type(L, -1);
  double measure =
      have == LUA_TNUMBER ? lua_tonumber(L, -1) : (double)lua_objlen(L, -1);
  bool ok = true;

  lua_getfield(L, entry, field);
  if (!lua_isnil(L, -1)) {
    bool timed = type == DURATION || type == SIZE;
    if (push_typed(L, lua_gettop(L), timed ? type : NUMBER)) {
      double bound = lua_tonumber(L, -1);
      ok = field[1] == 'i' ? measure >= bound : measure <= bound;
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
  return ok;
}

static bool in_values(lua_State *L, int entry) {
  bool found = false;

  lua_getfield(L, entry, "values");
  if (!lua_istable(L, -1)) {
    lua_pop(L, 1);
    return true;
  }
  // Up to the first gap, since a list's length can be a lie.
  for (int i = 1; !found; i++) {
    lua_rawgeti(L, -1, i);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      break;
    }
    peri_vm_charge(L, 1);
    found = lua_rawequal(L, -1, -3);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return found;
}

static int refuse_values(lua_State *L, int entry, const char *name,
                         struct peri_problem *problem) {
  char list[200] = "";
  size_t used = 0;

  lua_getfield(L, entry, "values");
  for (int i = 1; used < sizeof(list); i++) {
    lua_rawgeti(L, -1, i);
    bool known = lua_isstring(L, -1);
    if (!known && lua_isnil(L, -1)) {
      lua_pop(L, 1);
      break;
    }
    used += (size_t)snprintf(
        list + used, sizeof(list) - used, "%s\"%s\"", i > 1 ? ", " : "",
        known ? lua_tostring(L, -1) : luaL_typename(L, -1));
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return peri_problem_set(problem, PERI_ECONFIG,
                          "option \"%s\" must be one of %s", name, list);
}

static int refuse_bound(lua_State *L, int entry, const char *name,
                        const char *field, struct peri_problem *problem) {
  const char *what = lua_type(L, -1) == LUA_TNUMBER ? "" : "its length ";

  lua_getfield(L, entry, field);
  peri_problem_set(problem, PERI_ECONFIG, "option \"%s\": %smust be at %s %s",
                   name, what, field[1] == 'i' ? "least" : "most",
                   lua_tostring(L, -1));
  lua_pop(L, 1);
  return PERI_ECONFIG;
}

// Pushes the value at `value`, checked and converted by the entry at `entry`.
static int push_option(lua_State *L, int entry, int value, const char *name,
                       struct peri_problem *problem) {
  enum type type = type_of(L, entry, "type");
  int top = lua_gettop(L);
  int rc = 0;

  if (!push_typed(L, value, type)) {
    return peri_problem_set(problem, PERI_ECONFIG,
                            "option \"%s\" must be %s, not a %s", name,
                            type_words[type], luaL_typename(L, value));
  }
  if (type == LIST) {
    enum type items = type_of(L, entry, "items");
    if (!convert_items(L, items)) {
      return peri_problem_set(problem, PERI_ECONFIG,
                              "every element of option \"%s\" must be %s", name,
                              type_words[items]);
    }
  }
  if (!in_values(L, entry)) {
    rc = refuse_values(L, entry, name, problem);
  } else if (type != TABLE && type != ANY && type != BOOLEAN &&
             !in_bound(L, entry, type, "min")) {
    rc = refuse_bound(L, entry, name, "min", problem);
  } else if (type != TABLE && type != ANY && type != BOOLEAN &&
             !in_bound(L, entry, type, "max")) {
    rc = refuse_bound(L, entry, name, "max", problem);
  }
  if (rc < 0) {
    lua_settop(L, top);
  }
  return rc;
}

static int refuse_unknown(lua_State *L, int schema, const char *name,
                          struct peri_problem *problem) {
  const char *known[MAX_KEYS];
  size_t count = 0;

  lua_pushnil(L);
  while (lua_next(L, schema)) {
    lua_pop(L, 1);
    if (count < MAX_KEYS && lua_type(L, -1) == LUA_TSTRING) {
      known[count++] = lua_tostring(L, -1);
    }
  }
  const char *nearest = peri_text_nearest(name, known, count);
  if (nearest) {
    return peri_problem_set(problem, PERI_ECONFIG,
                            "unknown option \"%s\"; did you mean \"%s\"?", name,
                            nearest);
  }
  return peri_problem_set(problem, PERI_ECONFIG, "unknown option \"%s\"", name);
}

static int refuse_strangers(lua_State *L, int schema, int options,
                            struct peri_problem *problem) {
  int top = lua_gettop(L), rc = 0;

  lua_pushnil(L);
  while (rc == 0 && lua_next(L, options)) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    const char *name = lua_tostring(L, -1);
    lua_getfield(L, schema, name ? name : "");
    bool known = lua_type(L, -3) == LUA_TSTRING && lua_istable(L, -1);
    if (!known) {
      rc = refuse_unknown(L, schema, name ? name : "?", problem);
    } else {
      lua_pop(L, 2);
    }
  }
  lua_settop(L, top);
  return rc;
}

// Adds the option that the key at -2 and the entry at -1 describe to the table
// at `made`.
static int add_option(lua_State *L, int options, int made,
                      struct peri_problem *problem) {
  int entry = lua_gettop(L), value = entry + 1;

  // The policy may have changed its schema since it was checked.
  if (lua_type(L, entry - 1) != LUA_TSTRING || !lua_istable(L, entry)) {
    return 0;
  }
  const char *name = lua_tostring(L, entry - 1);
  lua_getfield(L, options, name);
  if (lua_isnil(L, value)) {
    lua_pop(L, 1);
    lua_getfield(L, entry, "required");
    if (lua_toboolean(L, -1)) {
      return peri_problem_set(problem, PERI_ECONFIG,
                              "option \"%s\" is required", name);
    }
    lua_pop(L, 1);
    lua_getfield(L, entry, "default");
  }
  if (lua_isnil(L, value)) {
    return 0;
  }
  int rc = push_option(L, entry, value, name, problem);
  if (rc == 0) {
    lua_setfield(L, made, name);
  }
  return rc;
}

int peri_schema_apply(struct lua_State *L, int schema, int options,
                      struct peri_problem *ret_problem) {
  int top = lua_gettop(L), made = top + 1;

  luaL_checkstack(L, 16, "options");
  lua_newtable(L);
  if (!lua_istable(L, schema)) {
    lua_newtable(L);  // No schema: no options.
    schema = lua_gettop(L);
  }
  int rc = refuse_strangers(L, schema, options, ret_problem);
  lua_pushnil(L);
  while (rc == 0 && lua_next(L, schema)) {
    int key = lua_gettop(L) - 1;
    rc = add_option(L, options, made, ret_problem);
    lua_settop(L, key);
  }
  lua_settop(L, rc < 0 ? top : made);
  return rc;
}

static void check_entry(lua_State *L, const char *name, int entry) {
  struct peri_problem problem;

  lua_pushnil(L);
  while (lua_next(L, entry)) {
    lua_pop(L, 1);
    const char *key =
        lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?";
    bool known = false;
    for (int i = 0; i < ENTRY_KEYS; i++) {
      known = known || strcmp(entry_keys[i], key) == 0;
    }
    if (!known) {
      luaL_error(L, "schema.%s: unknown key \"%s\"", name, key);
    }
  }
  if (type_of(L, entry, "type") == TYPES ||
      type_of(L, entry, "items") == TYPES) {
    luaL_error(L,
               "schema.%s: a type is one of string, number, integer, boolean, "
               "duration, size, list, table, any",
               name);
  }
  lua_getfield(L, entry, "default");
  if (!lua_isnil(L, -1) &&
      push_option(L, entry, lua_gettop(L), name, &problem) < 0) {
    luaL_error(L, "schema.%s: its default does not fit: %s", name,
               problem.text);
  }
}

void peri_schema_check(struct lua_State *L, int schema) {
  if (lua_isnil(L, schema)) {
    return;
  }
  if (!lua_istable(L, schema)) {
    luaL_error(L, "schema must be a table, not a %s", luaL_typename(L, schema));
  }
  lua_pushnil(L);
  while (lua_next(L, schema)) {
    int entry = lua_gettop(L);
    if (lua_type(L, entry - 1) != LUA_TSTRING || !lua_istable(L, entry)) {
      luaL_error(L, "schema: every option is NAME = { type = … }");
    }
    check_entry(L, lua_tostring(L, entry - 1), entry);
    lua_settop(L, entry - 1);
  }
}
