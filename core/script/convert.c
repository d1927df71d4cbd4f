#include "script/convert.h"

#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/slice.h"
#include "script/vm.h"

// How values become Lua's.
struct pusher {
  lua_State *L;
  int array;  // where the arrays' metatable is, and null is kept; 0: neither
  int depth;
};

static void push(struct pusher *p, const struct peri_json *json);

static int push_member(void *ctx, const char *key,
                       const struct peri_json *value) {
  struct pusher *p = ctx;

  push(p, value);
  lua_setfield(p->L, -2, key);
  return 0;
}

static void push_array(struct pusher *p, const struct peri_json *json) {
  size_t count = peri_json_size(json);

  lua_createtable(p->L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    push(p, peri_json_at(json, i));
    lua_rawseti(p->L, -2, (int)i + 1);
  }
  if (p->array != 0) {
    lua_pushvalue(p->L, p->array);
    lua_setmetatable(p->L, -2);
  }
}

static void push_null(struct pusher *p) {
  if (p->array != 0) {
    lua_pushlightuserdata(p->L, NULL);
  } else {
    lua_pushnil(p->L);
  }
}

static void push(struct pusher *p, const struct peri_json *json) {
  lua_State *L = p->L;
  struct peri_slice text;

  if (p->depth > PERI_CONVERT_DEPTH) {
    luaL_error(L, "nested deeper than %d levels", (int)PERI_CONVERT_DEPTH);
  }
  luaL_checkstack(L, 4, "nested too deep");
  peri_vm_charge(L, 1);
  p->depth++;
  switch (peri_json_type(json)) {
    case PERI_JSON_BOOL:
      lua_pushboolean(L, peri_json_to_bool(json));
      break;
    case PERI_JSON_INTEGER:
    case PERI_JSON_REAL:
      lua_pushnumber(L, peri_json_to_real(json));
      break;
    case PERI_JSON_STRING:
      text = peri_json_to_string(json);
      lua_pushlstring(L, text.ptr, text.len);
      break;
    case PERI_JSON_ARRAY:
      push_array(p, json);
      break;
    case PERI_JSON_OBJECT:
      lua_createtable(L, 0, (int)peri_json_size(json));
      peri_json_each(json, push_member, p);
      break;
    default:
      push_null(p);
  }
  p->depth--;
}

void peri_convert_push(struct lua_State *L, const struct peri_json *json) {
  struct pusher pusher = {L, 0, 0};

  push(&pusher, json);
}

void peri_convert_push_whole(struct lua_State *L,
                             const struct peri_json *json) {
  struct pusher pusher = {L, lua_gettop(L), 0};

  push(&pusher, json);
}

// Reading. Nothing below raises: values are held by C while it runs.

// What is read is held outside of the VM's memory cap, and a table that is in
// many places counts in each.
enum { MAX_VALUES = 1 << 18, MAX_TEXT_BYTES = 16 << 20 };

struct reader {
  lua_State *L;
  uint64_t values, text_bytes;
  bool exhausted;  // the budget is used up
  struct peri_problem *problem;
  const void *open[PERI_CONVERT_DEPTH];  // the tables being read
  int depth;
  char path[256];
};

static int refuse(struct reader *r, const char *words, const char *type) {
  return peri_problem_set(r->problem, PERI_EINVAL, "%s%s%s%s", r->path,
                          r->path[0] ? ": " : "", words, type);
}

static int read_value(struct reader *r, struct peri_json **ret_json);

// Counts a value, or the bytes of a text.
static int count(struct reader *r, size_t bytes) {
  r->values++;
  r->text_bytes += bytes;
  if (r->values > MAX_VALUES || r->text_bytes > MAX_TEXT_BYTES) {
    return refuse(r, "these are too many values", "");
  }
  if (!peri_vm_spend(peri_vm_of(r->L), 2 + bytes / 16)) {
    r->exhausted = true;
    return PERI_ELIMIT;
  }
  return 0;
}

static int read_number(struct reader *r, struct peri_json **ret_json) {
  double number = lua_tonumber(r->L, -1);

  if (!isfinite(number)) {
    return refuse(r, "this number is not finite", "");
  }
  bool whole = number == floor(number) && fabs(number) <= 9007199254740992.0;
  struct peri_json *json =
      whole ? peri_json_integer((int64_t)number) : peri_json_real(number);
  if (!json) {
    return PERI_ENOMEM;
  }
  *ret_json = json;
  return 0;
}

static int read_string(struct reader *r, struct peri_json **ret_json) {
  struct peri_slice text;

  text.ptr = lua_tolstring(r->L, -1, &text.len);
  int rc = count(r, text.len);
  if (rc < 0) {
    return rc;
  }
  if (!peri_slice_is_utf8(text)) {
    return refuse(r, "this text is not UTF-8", "");
  }
  *ret_json = peri_json_string(text);
  return *ret_json ? 0 : PERI_ENOMEM;
}

// The length when the keys of the table at the top are 1 … n with n > 0, else
// 0.
static size_t sequence(lua_State *L) {
  size_t length = lua_objlen(L, -1), found = 0;

  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pop(L, 1);
    double key = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
    if (key < 1 || key > (double)length || key != floor(key)) {
      lua_pop(L, 1);
      return 0;
    }
    found++;
  }
  return found == length ? length : 0;
}

static int read_array(struct reader *r, size_t length,
                      struct peri_json **ret_json) {
  struct peri_json *array = peri_json_array();
  size_t path_len = strlen(r->path);
  int rc = array ? 0 : PERI_ENOMEM;

  for (size_t i = 1; rc == 0 && i <= length; i++) {
    struct peri_json *value = NULL;
    snprintf(r->path + path_len, sizeof(r->path) - path_len, "[%zu]", i);
    lua_rawgeti(r->L, -1, (int)i);
    rc = read_value(r, &value);
    lua_pop(r->L, 1);
    r->path[path_len] = '\0';
    if (rc == 0) {
      rc = peri_json_append(array, value);
    }
  }
  if (rc < 0) {
    peri_json_unref(array);
    return rc;
  }
  *ret_json = array;
  return 0;
}

// Writes the key below the value at the top into `name`.
static int key_name(struct reader *r, char name[64], const char **ret_key) {
  int type = lua_type(r->L, -2);

  if (type == LUA_TNUMBER) {
    snprintf(name, 64, "%.14g", lua_tonumber(r->L, -2));
    *ret_key = name;
    return 0;
  }
  if (type != LUA_TSTRING) {
    return refuse(r, "a key may not be a ", lua_typename(r->L, type));
  }
  struct peri_slice key;
  key.ptr = lua_tolstring(r->L, -2, &key.len);
  int rc = count(r, key.len);
  if (rc < 0) {
    return rc;
  }
  if (strlen(key.ptr) != key.len || !peri_slice_is_utf8(key)) {
    return refuse(r, "a key is not text", "");
  }
  *ret_key = key.ptr;
  return 0;
}

static int read_object(struct reader *r, struct peri_json **ret_json) {
  struct peri_json *object = peri_json_object();
  size_t path_len = strlen(r->path);
  int rc = object ? 0 : PERI_ENOMEM;
  int top = lua_gettop(r->L);

  lua_pushnil(r->L);
  while (rc == 0 && lua_next(r->L, top)) {
    struct peri_json *value = NULL;
    const char *key = NULL;
    char name[64];
    rc = key_name(r, name, &key);
    if (rc < 0) {
      break;
    }
    snprintf(r->path + path_len, sizeof(r->path) - path_len, "%s%s",
             path_len > 0 ? "." : "", key);
    rc = read_value(r, &value);
    r->path[path_len] = '\0';
    if (rc == 0) {
      rc = peri_json_set(object, key, value);
    }
    lua_pop(r->L, 1);
  }
  lua_settop(r->L, top);
  if (rc < 0) {
    peri_json_unref(object);
    return rc;
  }
  *ret_json = object;
  return 0;
}

static int read_table(struct reader *r, struct peri_json **ret_json) {
  const void *table = lua_topointer(r->L, -1);

  for (int i = 0; i < r->depth; i++) {
    if (r->open[i] == table) {
      return refuse(r, "this table contains itself", "");
    }
  }
  if (r->depth == PERI_CONVERT_DEPTH) {
    return refuse(r, "this is nested too deep", "");
  }
  r->open[r->depth++] = table;
  size_t length = sequence(r->L);
  int rc =
      length > 0 ? read_array(r, length, ret_json) : read_object(r, ret_json);
  r->depth--;
  return rc;
}

static int read_value(struct reader *r, struct peri_json **ret_json) {
  int type = lua_type(r->L, -1);
  int rc = count(r, 0);

  if (rc < 0) {
    return rc;
  }
  switch (type) {
    case LUA_TBOOLEAN:
      *ret_json = peri_json_bool(lua_toboolean(r->L, -1));
      return *ret_json ? 0 : PERI_ENOMEM;
    case LUA_TNUMBER:
      return read_number(r, ret_json);
    case LUA_TSTRING:
      return read_string(r, ret_json);
    case LUA_TTABLE:
      return read_table(r, ret_json);
    case LUA_TNIL:
      *ret_json = peri_json_null();
      return *ret_json ? 0 : PERI_ENOMEM;
    default:
      return refuse(r, "a value may not be a ", lua_typename(r->L, type));
  }
}

int peri_convert_read(struct lua_State *L, int index,
                      struct peri_json **ret_json,
                      struct peri_problem *ret_problem) {
  struct reader r = {.L = L, .problem = ret_problem};
  struct peri_json *json = NULL;

  luaL_checkstack(L, PERI_CONVERT_DEPTH * 3 + 4, "nested too deep");
  lua_pushvalue(L, index);
  int top = lua_gettop(L);
  int rc = read_value(&r, &json);
  lua_settop(L, top - 1);
  if (r.exhausted) {
    peri_vm_charge(L, 0);
  }
  if (rc < 0) {
    return rc;
  }
  *ret_json = json;
  return 0;
}
