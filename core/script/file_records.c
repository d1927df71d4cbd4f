#include "script/file_records.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#include "script/lib.h"
#include "script/records.h"
#include "script/state.h"

enum { MOST_FIELDS = 16, BYTES_A_STEP = 16 };

static const char records_type[] = "perigee.records";

struct peri_file_index {
  struct peri_records_query query;  // into `texts`
  const char *fields[MOST_FIELDS];
  size_t room_bytes;  // left below the memory cap when it was asked for
  int code;
  struct peri_problem problem;
  struct peri_records *records;
  char texts[];
};

// What a policy holds.
struct handle {
  struct peri_records *records;
  size_t bytes;  // that it counts as
  double mtime;
};

static void bad_key(lua_State *L, int options) {
  luaL_argerror(L, options,
                "key is a field's name or a list of at most 16 names");
}

// Pushes `rows` and the names of fields; returns how many names.
static int push_texts(lua_State *L, int options) {
  int count = 0;

  if (lua_isnoneornil(L, options)) {
    lua_pushliteral(L, "");
    return 0;
  }
  lua_getfield(L, options, "rows");
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushliteral(L, "");
  }
  luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, options,
                "rows is a dotted path");
  lua_getfield(L, options, "key");
  if (lua_istable(L, -1)) {
    int list = lua_gettop(L);
    count = (int)lua_objlen(L, list);
    if (count > MOST_FIELDS) {
      bad_key(L, options);
    }
    for (int i = 1; i <= count; i++) {
      lua_rawgeti(L, list, i);
      if (lua_type(L, -1) != LUA_TSTRING) {
        bad_key(L, options);
      }
    }
    lua_remove(L, list);
  } else if (lua_type(L, -1) == LUA_TSTRING) {
    count = 1;
  } else if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
  } else {
    bad_key(L, options);
  }
  return count;
}

static const char *keep(lua_State *L, int at, char **room) {
  size_t len = lua_objlen(L, at) + 1;
  const char *text = memcpy(*room, lua_tostring(L, at), len);

  *room += len;
  return text;
}

int peri_file_index_new(struct lua_State *L, int options,
                        struct peri_file_index **ret_index) {
  const struct peri_vm *vm = peri_vm_of(L);
  int top = lua_gettop(L);
  size_t bytes = 0;

  luaL_checkstack(L, MOST_FIELDS + 4, NULL);
  int count = push_texts(L, options);
  for (int i = top + 1; i <= lua_gettop(L); i++) {
    bytes += lua_objlen(L, i) + 1;
  }
  struct peri_file_index *index = calloc(1, sizeof(*index) + bytes);
  if (!index) {
    return PERI_ENOMEM;
  }
  char *room = index->texts;
  index->query.rows = keep(L, top + 1, &room);
  for (int i = 0; i < count; i++) {
    index->fields[i] = keep(L, top + 2 + i, &room);
  }
  index->query.fields = index->fields;
  index->query.field_count = (size_t)count;
  index->room_bytes = vm->cap_bytes > vm->bytes ? vm->cap_bytes - vm->bytes : 0;
  lua_settop(L, top);
  *ret_index = index;
  return 0;
}

void peri_file_index_free(struct peri_file_index *index) {
  if (index) {
    peri_records_free(index->records);
    free(index);
  }
}

static int too_large(struct peri_file_index *index) {
  return peri_problem_set(&index->problem, PERI_ELIMIT,
                          "its records do not fit the policy's memory cap");
}

void peri_file_index_make(struct peri_file_index *index,
                          struct peri_slice text) {
  // Reading takes about ten times the text for a while.
  index->code = text.len > index->room_bytes
                    ? too_large(index)
                    : peri_records_new(text, &index->query, &index->records,
                                       &index->problem);
}

int peri_file_index_push(struct lua_State *L, struct peri_file_index *index,
                         double mtime) {
  struct peri_vm *vm = peri_vm_of(L);
  int code = index->code;
  size_t bytes = index->records ? peri_records_bytes(index->records) : 0;

  if (code == 0 && vm->bytes + bytes > vm->cap_bytes) {
    code = too_large(index);
  }
  if (code < 0) {
    return peri_lib_fail(L, code, index->problem.text);
  }
  struct handle *handle = lua_newuserdata(L, sizeof(*handle));
  *handle = (struct handle){NULL, 0, mtime};
  luaL_getmetatable(L, records_type);
  lua_setmetatable(L, -2);
  handle->records = index->records;
  handle->bytes = bytes;
  vm->bytes += bytes;
  index->records = NULL;
  return 1;
}

static const struct handle *check(lua_State *L) {
  return luaL_checkudata(L, 1, records_type);
}

static int records_get(lua_State *L) {
  const struct handle *handle = check(L);
  struct peri_slice key, row;

  key.ptr = luaL_checklstring(L, 2, &key.len);
  if (!peri_records_find(handle->records, key, &row)) {
    lua_pushnil(L);
    return 1;
  }
  peri_vm_charge(L, 1 + (key.len + row.len) / BYTES_A_STEP);
  lua_pushlstring(L, row.ptr, row.len);
  return 1;
}

static int records_count(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)peri_records_count(check(L)->records));
  return 1;
}

static int records_mtime(lua_State *L) {
  lua_pushnumber(L, check(L)->mtime);
  return 1;
}

static int release(lua_State *L) {
  struct handle *handle = luaL_checkudata(L, 1, records_type);

  peri_vm_of(L)->bytes -= handle->bytes;
  peri_records_free(handle->records);
  *handle = (struct handle){0};
  return 0;
}

void peri_file_records_open(struct lua_State *L) {
  static const luaL_Reg methods[] = {{"get", records_get},
                                     {"count", records_count},
                                     {"mtime", records_mtime},
                                     {NULL, NULL}};

  luaL_newmetatable(L, records_type);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, release);
  lua_setfield(L, -2, "__gc");
  lua_pushstring(L, records_type);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}
