#include <ctype.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

#include "script/state.h"

// What is told has room for some of the words, and the traceback.
enum { MOST_LEVELS = 64, TOLD_LEVELS = 6, WORDS_BYTES = 1000 };

// Finds the innermost function in Lua from `level` on, in a file if there is
// one: builtins and texts that were loaded have lines, too.
static bool find_line(lua_State *L, int level, lua_Debug *ret_at) {
  bool found = false;
  lua_Debug at;

  for (int i = level; i < MOST_LEVELS && lua_getstack(L, i, &at); i++) {
    lua_getinfo(L, "Sl", &at);
    bool filed = at.currentline > 0 && at.source[0] == '@';
    if (filed || (at.currentline > 0 && !found)) {
      *ret_at = at;
      found = true;
    }
    if (filed) {
      break;
    }
  }
  return found;
}

// Pushes "file:line: " of the function that the policy is about: calls that
// end a function leave nothing of it to name.
static void push_declared(lua_State *L) {
  const struct peri_vm *vm = peri_vm_of(L);
  bool fetches = strcmp(vm->kind, "fallback") == 0;
  lua_Debug at;
  int top = lua_gettop(L);

  lua_getfield(L, LUA_REGISTRYINDEX, "perigee");
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "policies");
  }
  if (lua_istable(L, -1)) {
    lua_pushfstring(L, "%s/%s.lua", vm->kind, vm->name);
    lua_rawget(L, -2);
  }
  if (lua_istable(L, -1)) {
    lua_pushstring(L, fetches ? "fetch" : "pick");
    lua_rawget(L, -2);
  }
  if (lua_isfunction(L, -1) && !lua_iscfunction(L, -1)) {
    lua_getinfo(L, ">S", &at);
    lua_settop(L, top);
    lua_pushfstring(L, "%s:%d: ", at.short_src, at.linedefined);
    return;
  }
  lua_settop(L, top);
  lua_pushliteral(L, "");
}

void peri_words_where(struct lua_State *L) {
  lua_Debug at;

  if (find_line(L, 0, &at)) {
    lua_pushfstring(L, "%s:%d: ", at.short_src, at.currentline);
  } else {
    luaL_where(L, 1);
  }
}

// Whether the first line of the text says ":LINE:".
static bool has_place(const char *text) {
  for (const char *at = text; *at && *at != '\n'; at++) {
    if (*at != ':' || !isdigit((unsigned char)at[1])) {
      continue;
    }
    at += strspn(at + 1, "0123456789");
    if (at[1] == ':') {
      return true;
    }
  }
  return false;
}

static int to_text(lua_State *L) {
  if (!luaL_callmeta(L, 1, "__tostring")) {
    lua_pushnil(L);
  }
  return 1;
}

// Replaces the error value at index 1, which is no text, by words. What it does
// to become text can raise, and never end.
static void describe(lua_State *L) {
  const struct peri_vm *vm = peri_vm_of(L);

  lua_pushcfunction(L, to_text);
  lua_pushvalue(L, 1);
  int status = lua_pcall(L, 1, 1, 0);
  if (status == 0 && lua_isstring(L, -1)) {
    lua_replace(L, 1);
    lua_settop(L, 1);
    return;
  }
  const char *type = luaL_typename(L, 1);
  if (status == 0) {
    lua_pushfstring(L, "an error value of type %s", type);
  } else {
    lua_pushfstring(L, "an error value of type %s whose __tostring fails%s%s",
                    type, vm->tripped[0] ? ": " : "", vm->tripped);
  }
  lua_replace(L, 1);
  lua_settop(L, 1);
}

int peri_words_handler(struct lua_State *L) {
  const struct peri_vm *vm = peri_vm_of(L);
  bool own = vm->tripped[0] != '\0';
  lua_Debug at;

  lua_settop(L, 1);
  if (!lua_isstring(L, 1)) {
    describe(L);
    own = true;
  }
  const char *text = lua_tostring(L, 1);
  if (strstr(text, "\nstack traceback:")) {
    return 1;  // Raised again by what had caught it.
  }
  if (lua_objlen(L, 1) > WORDS_BYTES) {
    lua_pushlstring(L, text, WORDS_BYTES);
    lua_pushliteral(L, "…");
    lua_concat(L, 2);
    lua_replace(L, 1);
    text = lua_tostring(L, 1);
  }
  bool found = find_line(L, 1, &at);
  if ((own || !found) && !has_place(text)) {
    if (found) {
      lua_pushfstring(L, "%s:%d: ", at.short_src, at.currentline);
    } else {
      push_declared(L);
    }
    lua_insert(L, 1);
    lua_concat(L, 2);
    text = lua_tostring(L, 1);
  }
  luaL_traceback(L, L, text, 1);
  return 1;
}

void peri_words_starved(struct peri_vm *vm) {
  lua_State *L = vm->fetching ? vm->fetching : vm->L;
  size_t room = sizeof(vm->starved), used = 0;
  int told = 0;
  lua_Debug at;

  vm->starved[0] = '\0';
  if (!vm->running) {
    return;
  }
  for (int i = 0; i < MOST_LEVELS && told < TOLD_LEVELS && used < room &&
                  lua_getstack(L, i, &at);
       i++) {
    lua_getinfo(L, "Sl", &at);
    if (at.currentline <= 0 || at.source[0] != '@') {
      continue;
    }
    if (told++ == 0) {
      used += (size_t)snprintf(vm->starved, room,
                               "%s:%d: \nstack traceback:", at.short_src,
                               at.currentline);
    }
    if (used < room) {
      used += (size_t)snprintf(vm->starved + used, room - used, "\n\t%s:%d",
                               at.short_src, at.currentline);
    }
  }
}
