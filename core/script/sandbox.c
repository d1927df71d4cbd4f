#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <lualib.h>
#include <string.h>

#include "base/log.h"
#include "script/state.h"

// What policies may use of the builtin libraries; everything else is taken out.
static const char *const base_names[] = {
    "_G",       "_VERSION", "assert", "error",        "getmetatable",
    "ipairs",   "next",     "pairs",  "pcall",        "rawequal",
    "rawget",   "rawset",   "select", "setmetatable", "tonumber",
    "tostring", "type",     "unpack", "xpcall",       "coroutine",
    "string",   "table",    "math",   "bit",          NULL};
static const char *const table_names[] = {"concat", "insert", "remove",
                                          "sort",   "move",   NULL};
static const char *const string_names[] = {
    "byte",  "char",  "find", "format",  "gmatch", "gsub",  "len",
    "lower", "match", "rep",  "reverse", "sub",    "upper", NULL};
static const char *const os_names[] = {"time", "clock", "date", NULL};

static const char sort_field[] = "perigee.sort";

static bool listed(const char *const *names, const char *name) {
  for (; *names; names++) {
    if (strcmp(*names, name) == 0) {
      return true;
    }
  }
  return false;
}

// Removes from the table at the top what `names` does not list.
static void strip(lua_State *L, const char *const *names) {
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING || !listed(names, lua_tostring(L, -1))) {
      lua_pushvalue(L, -1);
      lua_pushnil(L);
      lua_rawset(L, -4);  // Clearing a field during traversal is allowed.
    }
  }
}

static void open_library(lua_State *L, const char *name, lua_CFunction open) {
  lua_pushcfunction(L, open);
  lua_pushstring(L, name);
  lua_call(L, 1, 0);
}

static uint64_t text_bytes(lua_State *L) {
  uint64_t bytes = 0;
  int top = lua_gettop(L);

  for (int i = 1; i <= top; i++) {
    if (lua_type(L, i) == LUA_TSTRING) {
      bytes += lua_objlen(L, i);
    }
  }
  return bytes;
}

// Calls the builtin in the first upvalue with the arguments there are.
static int pass_on(lua_State *L) {
  int top = lua_gettop(L);

  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, top, LUA_MULTRET);
  return lua_gettop(L);
}

// Calls the builtin in the first upvalue after counting its strings' bytes. The
// second says whether it looks at each, instead of copying them.
static int count_text(lua_State *L) {
  bool each = lua_toboolean(L, lua_upvalueindex(2));

  peri_vm_charge(L, 1 + text_bytes(L) / (each ? 1 : PERI_VM_COPIED));
  return pass_on(L);
}

// table.insert and table.remove, which move elements but at the end.
static int count_table(lua_State *L) {
  bool removes = lua_toboolean(L, lua_upvalueindex(2));
  bool at_end = lua_gettop(L) == (removes ? 1 : 2);
  bool moves = lua_type(L, 1) == LUA_TTABLE && !at_end;

  if (moves && !removes) {
    // The builtin would go down to it, however far below the first it is.
    lua_Number place = luaL_checknumber(L, 2);
    luaL_argcheck(L, place >= 1 && place <= INT_MAX, 2,
                  "position out of bounds");
  }
  peri_vm_charge(L, 1 + (moves ? lua_objlen(L, 1) / 4 : 0));
  return pass_on(L);
}

// unpack(table, first, last)
static int count_unpack(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_Number first = luaL_optnumber(L, 2, 1);
  lua_Number last = luaL_optnumber(L, 3, (lua_Number)lua_objlen(L, 1));
  lua_Number count = last - first + 1;

  // More than that is refused by the builtin.
  peri_vm_charge(L, 1 + (count > 0 && count < 1e6 ? (uint64_t)count / 4 : 0));
  return pass_on(L);
}

// Reads the directive behind a "%" and returns what it can cost: a number can
// take 400 digits.
static uint64_t directive_steps(struct peri_slice *rest) {
  enum { STEPS = 20, LONG_STEPS = 1200 };
  bool precise = false;

  for (; rest->len > 0; rest->ptr++, rest->len--) {
    char c = *rest->ptr;
    precise = precise || c == '.';
    if (!strchr("-+ #.0123456789", c)) {
      precise = precise || c == 'f' || c == 'F';
      rest->ptr++;
      rest->len--;
      break;
    }
  }
  return precise ? LONG_STEPS : STEPS;
}

static int count_format(lua_State *L) {
  struct peri_slice rest;
  uint64_t steps = 0;

  rest.ptr = luaL_checklstring(L, 1, &rest.len);
  while (rest.len > 0) {
    bool directive = *rest.ptr == '%';
    rest.ptr++;
    rest.len--;
    if (directive) {
      steps += directive_steps(&rest);
      // Quoting looks at each byte.
      steps += rest.ptr[-1] == 'q' ? text_bytes(L) : 0;
    }
  }
  peri_vm_charge(L, steps);
  return count_text(L);
}

// Each of its directives can cost as much as a microsecond.
static int count_date(lua_State *L) {
  enum { FORMAT_BYTES = 256 };

  luaL_argcheck(
      L, lua_type(L, 1) != LUA_TSTRING || lua_objlen(L, 1) <= FORMAT_BYTES, 1,
      "a format has at most 256 bytes");
  return count_text(L);
}

// The builtin's work is in the values, of which one can be in many places.
static int concat(lua_State *L) {
  struct peri_slice separator;
  luaL_Buffer text;

  luaL_checktype(L, 1, LUA_TTABLE);
  separator.ptr = luaL_optlstring(L, 2, "", &separator.len);
  int first = luaL_optint(L, 3, 1);
  int last = luaL_optint(L, 4, (int)lua_objlen(L, 1));
  luaL_buffinit(L, &text);
  for (lua_Integer i = first; i <= last; i++) {
    lua_rawgeti(L, 1, (int)i);
    if (!lua_isstring(L, -1)) {
      return luaL_error(L,
                        "invalid value (%s) at index %d in table for 'concat'",
                        luaL_typename(L, -1), (int)i);
    }
    size_t len = lua_type(L, -1) == LUA_TSTRING ? lua_objlen(L, -1) : 0;
    peri_vm_charge(L, 1 + (len + separator.len) / PERI_VM_COPIED);
    luaL_addvalue(&text);
    if (i < last) {
      luaL_addlstring(&text, separator.ptr, separator.len);
    }
  }
  luaL_pushresult(&text);
  return 1;
}

// Without a function in Lua a sort would run outside the hook's sight.
static int sort(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  peri_vm_charge(L, 1 + lua_objlen(L, 1));
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) {
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_replace(L, 2);
  } else if (lua_iscfunction(L, 2)) {
    lua_pushvalue(L, lua_upvalueindex(3));
    lua_insert(L, 2);
    lua_call(L, 1, 1);
  }
  return pass_on(L);
}

void peri_sandbox_push_sort(struct lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, sort_field);
}

static int print(lua_State *L) {
  int top = lua_gettop(L);
  luaL_Buffer line;

  if (!peri_log_enabled(PERI_LOG_DEBUG)) {
    return 0;
  }
  lua_getglobal(L, "tostring");
  int tostring = lua_gettop(L);
  luaL_buffinit(L, &line);
  for (int i = 1; i <= top; i++) {
    if (i > 1) {
      luaL_addchar(&line, ' ');
    }
    lua_pushvalue(L, tostring);
    lua_pushvalue(L, i);
    lua_call(L, 1, 1);
    if (!lua_isstring(L, -1)) {
      return luaL_error(L, "'tostring' must return a string to 'print'");
    }
    luaL_addvalue(&line);
  }
  luaL_pushresult(&line);
  peri_log(PERI_LOG_DEBUG, "policy", "%s", lua_tostring(L, -1));
  return 0;
}

// Wraps field `name` of the table at the top; the builtin is the first upvalue.
static void wrap(lua_State *L, const char *name, lua_CFunction wrapper,
                 bool flag) {
  lua_getfield(L, -1, name);
  lua_pushboolean(L, flag);
  lua_pushcclosure(L, wrapper, 2);
  lua_setfield(L, -2, name);
}

// Pushes what the Lua text returns.
static void push_lua(lua_State *L, const char *source, const char *name) {
  if (luaL_loadbuffer(L, source, strlen(source), name) != 0) {
    lua_error(L);
  }
  lua_call(L, 0, 1);
}

static void open_table(lua_State *L) {
  static const char less[] = "return function(a, b) return a < b end";
  static const char call[] =
      "return function(order) return function(a, b) return (order(a, b)) end "
      "end";

  lua_getglobal(L, "table");
  strip(L, table_names);
  wrap(L, "insert", count_table, false);
  wrap(L, "remove", count_table, true);
  lua_pushcfunction(L, concat);
  lua_setfield(L, -2, "concat");
  lua_getfield(L, -1, "sort");
  push_lua(L, less, "=less");
  push_lua(L, call, "=order");
  lua_pushcclosure(L, sort, 3);
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, sort_field);
  lua_setfield(L, -2, "sort");
  lua_pop(L, 1);
}

static void open_string(lua_State *L) {
  static const struct {
    const char *name;
    bool each;
  } counted[] = {{"byte", false},   {"char", false}, {"lower", true},
                 {"reverse", true}, {"sub", false},  {"upper", true}};

  lua_getglobal(L, "string");
  strip(L, string_names);
  for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
    wrap(L, counted[i].name, count_text, counted[i].each);
  }
  wrap(L, "format", count_format, false);
  peri_strings_open(L);
  lua_pop(L, 1);

  // Strings' methods are the library; their metatable is out of reach.
  lua_pushliteral(L, "");
  lua_getmetatable(L, -1);
  lua_pushliteral(L, "string");
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 2);
}

static void open_os(lua_State *L) {
  open_library(L, "os", luaopen_os);
  lua_getglobal(L, "os");
  strip(L, os_names);
  wrap(L, "date", count_date, false);
}

// The builtin calls its handler where the error happened; for one raised by the
// hook that is inside the hook, where nothing could end the handler.
static const char safe_xpcall[] =
    "local pcall = pcall\n"
    "local function finish(handler, ok, ...)\n"
    "  if ok then return true, ... end\n"
    "  return false, handler((...))\n"
    "end\n"
    "return function(body, handler, ...)\n"
    "  return finish(handler, pcall(body, ...))\n"
    "end\n";

void peri_sandbox_open(struct lua_State *L, bool with_require) {
  open_library(L, "", luaopen_base);
  open_library(L, LUA_STRLIBNAME, luaopen_string);
  open_library(L, LUA_TABLIBNAME, luaopen_table);
  open_library(L, LUA_MATHLIBNAME, luaopen_math);
  open_library(L, LUA_BITLIBNAME, luaopen_bit);
  open_table(L);

  open_string(L);
  peri_coroutines_open(L);

  lua_pushvalue(L, LUA_GLOBALSINDEX);
  strip(L, base_names);
  wrap(L, "tonumber", count_text, true);
  wrap(L, "unpack", count_unpack, false);
  push_lua(L, safe_xpcall, "=xpcall");
  lua_setfield(L, -2, "xpcall");
  lua_pushcfunction(L, print);
  lua_setfield(L, -2, "print");
  peri_chunk_open(L, with_require);
  lua_pop(L, 1);
  if (with_require) {
    open_os(L);
    lua_pop(L, 1);
  }
}
