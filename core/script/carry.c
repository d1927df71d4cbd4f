#include "script/carry.h"

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "base/buffer.h"
#include "script/vm.h"

// A value is a letter and, for numbers and strings, the bytes of a double or of
// a length and the text. A table is its pairs between '{' and '}'.
enum { BYTES_A_STEP = 16 };

static void add(lua_State *L, struct peri_buffer *buffer, const void *bytes,
                size_t len) {
  peri_vm_charge(L, 1 + len / BYTES_A_STEP);
  if (buffer->len + len > PERI_CARRY_BYTES) {
    luaL_error(L, "more than %d KiB of state are exported",
               PERI_CARRY_BYTES / 1024);
  }
  if (peri_buffer_add(buffer, bytes, len) < 0) {
    luaL_error(L, "out of memory");
  }
}

static void read_value(lua_State *L, int index, struct peri_buffer *buffer,
                       int depth);

static void read_table(lua_State *L, int index, struct peri_buffer *buffer,
                       int depth) {
  if (depth == 0) {
    luaL_error(L, "the state is nested too deep, or holds itself");
  }
  luaL_checkstack(L, 4, "the state is nested too deep");
  add(L, buffer, "{", 1);
  lua_pushnil(L);
  while (lua_next(L, index)) {
    int top = lua_gettop(L);
    read_value(L, top - 1, buffer, depth - 1);
    read_value(L, top, buffer, depth - 1);
    lua_settop(L, top - 1);
  }
  add(L, buffer, "}", 1);
}

static void read_value(lua_State *L, int index, struct peri_buffer *buffer,
                       int depth) {
  size_t len = 0;
  lua_Number number;
  const char *text;

  switch (lua_type(L, index)) {
    case LUA_TNIL:
      add(L, buffer, "0", 1);
      break;
    case LUA_TBOOLEAN:
      add(L, buffer, lua_toboolean(L, index) ? "t" : "f", 1);
      break;
    case LUA_TNUMBER:
      number = lua_tonumber(L, index);
      add(L, buffer, "n", 1);
      add(L, buffer, &number, sizeof(number));
      break;
    case LUA_TSTRING:
      text = lua_tolstring(L, index, &len);
      add(L, buffer, "s", 1);
      add(L, buffer, &len, sizeof(len));
      add(L, buffer, text, len);
      break;
    case LUA_TTABLE:
      read_table(L, index, buffer, depth);
      break;
    default:
      luaL_error(L, "only plain data can be exported, not a %s",
                 luaL_typename(L, index));
  }
}

void peri_carry_read(struct lua_State *L, int index,
                     struct peri_buffer *buffer) {
  read_value(L, index, buffer, PERI_CARRY_DEPTH);
}

static struct peri_slice take(struct peri_slice *bytes, size_t len) {
  struct peri_slice taken = {bytes->ptr, len};

  bytes->ptr += len;
  bytes->len -= len;
  return taken;
}

static void push_value(lua_State *L, struct peri_slice *bytes);

static void push_table(lua_State *L, struct peri_slice *bytes) {
  luaL_checkstack(L, 4, "the state is nested too deep");
  lua_newtable(L);
  while (*bytes->ptr != '}') {
    push_value(L, bytes);
    push_value(L, bytes);
    lua_rawset(L, -3);
  }
  take(bytes, 1);
}

static void push_value(lua_State *L, struct peri_slice *bytes) {
  lua_Number number = 0;
  size_t len = 0;

  peri_vm_charge(L, 1);
  switch (*take(bytes, 1).ptr) {
    case 't':
      lua_pushboolean(L, true);
      break;
    case 'f':
      lua_pushboolean(L, false);
      break;
    case 'n':
      memcpy(&number, take(bytes, sizeof(number)).ptr, sizeof(number));
      lua_pushnumber(L, number);
      break;
    case 's':
      memcpy(&len, take(bytes, sizeof(len)).ptr, sizeof(len));
      peri_vm_charge(L, len / BYTES_A_STEP);
      lua_pushlstring(L, take(bytes, len).ptr, len);
      break;
    case '{':
      push_table(L, bytes);
      break;
    default:
      lua_pushnil(L);
  }
}

void peri_carry_push(struct lua_State *L, struct peri_slice bytes) {
  push_value(L, &bytes);
}
