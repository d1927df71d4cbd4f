#include "script/json_text.h"

#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "script/state.h"

// The text grows in a buffer that a userdata owns, so that whatever raises on
// the way leaks nothing.
struct writer {
  struct peri_buffer text;
  lua_State *L;
  int array;  // where the arrays' metatable is
  int depth;  // levels left
  struct peri_problem *problem;
  char path[128];  // of the value being written, as "rows[3].name"
  size_t path_len;
};

static const char writer_type[] = "perigee.json.writer";

static int collect(lua_State *L) {
  struct writer *writer = lua_touserdata(L, 1);

  peri_buffer_done(&writer->text);
  return 0;
}

static int refuse(struct writer *writer, const char *words, const char *what) {
  return peri_problem_set(writer->problem, PERI_EINVAL, "%s: %s%s",
                          writer->path_len > 0 ? writer->path : "the value",
                          words, what);
}

static void put(struct writer *writer, const char *bytes, size_t len) {
  const struct peri_vm *vm = peri_vm_of(writer->L);

  // It is outside of the VM's memory, which it is to be put into.
  if (vm->bytes + writer->text.len + len > vm->cap_bytes) {
    luaL_error(writer->L, "the text does not fit the memory cap");
  }
  if (peri_buffer_add(&writer->text, bytes, len) < 0) {
    luaL_error(writer->L, "out of memory");
  }
}

static int put_string(struct writer *writer, struct peri_slice text) {
  size_t done = 0;

  if (!peri_slice_is_utf8(text)) {
    return refuse(writer, "text is not UTF-8", "");
  }
  peri_vm_charge(writer->L, text.len / 16);
  put(writer, "\"", 1);
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    char escape[8];
    if (c >= 0x20 && c != '"' && c != '\\') {
      continue;
    }
    put(writer, text.ptr + done, i - done);
    done = i + 1;
    int len = c >= 0x20   ? snprintf(escape, sizeof(escape), "\\%c", c)
              : c == '\n' ? snprintf(escape, sizeof(escape), "\\n")
                          : snprintf(escape, sizeof(escape), "\\u%04x", c);
    put(writer, escape, (size_t)len);
  }
  put(writer, text.ptr + done, text.len - done);
  put(writer, "\"", 1);
  return 0;
}

static int put_number(struct writer *writer, double number) {
  char text[40];
  int len;

  if (!isfinite(number)) {
    return refuse(writer, "JSON has no infinite numbers and no NaN", "");
  }
  if (number == floor(number) && fabs(number) <= 9007199254740992.0) {
    len = snprintf(text, sizeof(text), "%.0f", number);
  } else {
    len = snprintf(text, sizeof(text), "%.15g", number);
    double back = 0;
    if (sscanf(text, "%lf", &back) != 1 || back != number) {
      len = snprintf(text, sizeof(text), "%.17g", number);
    }
  }
  put(writer, text, (size_t)len);
  return 0;
}

// Appends `[3]` or `.name` to the path and returns how long it was before.
static size_t enter(struct writer *writer, const char *name, size_t at) {
  size_t before = writer->path_len;
  size_t room = sizeof(writer->path) - before;
  const char *dot = before > 0 ? "." : "";
  int len = name ? snprintf(writer->path + before, room, "%s%.40s", dot, name)
                 : snprintf(writer->path + before, room, "[%zu]", at);

  writer->path_len = before + ((size_t)len < room ? (size_t)len : room - 1);
  return before;
}

static void leave(struct writer *writer, size_t before) {
  writer->path_len = before;
  writer->path[before] = '\0';
}

static int put_value(struct writer *writer, int index);

static int put_array(struct writer *writer, int index, size_t count) {
  lua_State *L = writer->L;
  int rc = 0;

  put(writer, "[", 1);
  for (size_t i = 1; rc == 0 && i <= count; i++) {
    if (i > 1) {
      put(writer, ",", 1);
    }
    size_t before = enter(writer, NULL, i);
    lua_rawgeti(L, index, (int)i);
    rc = put_value(writer, lua_gettop(L));
    lua_pop(L, 1);
    if (rc == 0) {
      leave(writer, before);
    }
  }
  put(writer, "]", 1);
  return rc;
}

// Pushes a sorted list of the keys of the table at `index`.
static int push_keys(struct writer *writer, int index) {
  lua_State *L = writer->L;
  int count = 0;

  lua_newtable(L);
  int keys = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    peri_vm_charge(L, 2);
    if (lua_type(L, -1) != LUA_TSTRING) {
      lua_settop(L, keys - 1);
      return refuse(writer, "a table with named and numbered entries, or gaps",
                    " is neither an object nor an array");
    }
    lua_pushvalue(L, -1);
    lua_rawseti(L, keys, ++count);
  }
  peri_sandbox_push_sort(L);
  lua_pushvalue(L, keys);
  lua_call(L, 1, 0);
  lua_settop(L, keys);
  return count;
}

static int put_object(struct writer *writer, int index) {
  lua_State *L = writer->L;
  int count = push_keys(writer, index);
  int rc = count < 0 ? count : 0;

  if (rc < 0) {
    return rc;
  }
  int keys = lua_gettop(L);
  put(writer, "{", 1);
  for (int i = 1; rc == 0 && i <= count; i++) {
    struct peri_slice key;
    lua_rawgeti(L, keys, i);
    key.ptr = lua_tolstring(L, -1, &key.len);
    if (i > 1) {
      put(writer, ",", 1);
    }
    size_t before = enter(writer, key.ptr, 0);
    rc = put_string(writer, key);
    if (rc == 0) {
      put(writer, ":", 1);
      lua_rawget(L, index);
      rc = put_value(writer, lua_gettop(L));
    }
    lua_settop(L, keys);
    if (rc == 0) {
      leave(writer, before);
    }
  }
  put(writer, "}", 1);
  lua_pop(L, 1);
  return rc;
}

// How many elements the table at `index` has when it is an array, or -1.
static long array_size(struct writer *writer, int index) {
  lua_State *L = writer->L;
  size_t length = lua_objlen(L, index);
  size_t count = 0;

  if (lua_getmetatable(L, index)) {
    bool marked = lua_rawequal(L, -1, writer->array);
    lua_pop(L, 1);
    if (marked) {
      return (long)length;
    }
  }
  if (length == 0) {
    return -1;
  }
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    count++;
  }
  peri_vm_charge(L, count);
  return count == length ? (long)length : -1;
}

static int put_table(struct writer *writer, int index) {
  if (writer->depth == 0) {
    return refuse(writer, "nested too deep, or in a circle", "");
  }
  luaL_checkstack(writer->L, 10, "nested too deep");
  writer->depth--;
  long count = array_size(writer, index);
  int rc = count >= 0 ? put_array(writer, index, (size_t)count)
                      : put_object(writer, index);
  writer->depth++;
  return rc;
}

static int put_value(struct writer *writer, int index) {
  lua_State *L = writer->L;
  struct peri_slice text;

  peri_vm_charge(L, 1);
  switch (lua_type(L, index)) {
    case LUA_TNIL:
      put(writer, "null", 4);
      return 0;
    case LUA_TBOOLEAN:
      text = peri_slice_of(lua_toboolean(L, index) ? "true" : "false");
      put(writer, text.ptr, text.len);
      return 0;
    case LUA_TNUMBER:
      return put_number(writer, lua_tonumber(L, index));
    case LUA_TSTRING:
      text.ptr = lua_tolstring(L, index, &text.len);
      return put_string(writer, text);
    case LUA_TTABLE:
      return put_table(writer, index);
    case LUA_TLIGHTUSERDATA:
      if (!lua_touserdata(L, index)) {
        put(writer, "null", 4);
        return 0;
      }
      break;
  }
  return refuse(writer, "JSON has no form for a ", luaL_typename(L, index));
}

int peri_json_text_push(struct lua_State *L, int index, int array, int depth,
                        struct peri_problem *ret_problem) {
  struct writer *writer = lua_newuserdata(L, sizeof(*writer));
  int top = lua_gettop(L);

  *writer = (struct writer){
      .L = L, .array = array, .depth = depth, .problem = ret_problem};
  if (luaL_newmetatable(L, writer_type)) {
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, top);
  int rc = put_value(writer, index);
  lua_settop(L, top);
  if (rc == 0) {
    lua_pushlstring(L, writer->text.ptr, writer->text.len);
  }
  peri_buffer_done(&writer->text);
  lua_remove(L, top);
  return rc;
}
