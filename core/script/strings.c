#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "script/pattern.h"
#include "script/state.h"

static struct peri_slice check_slice(lua_State *L, int index) {
  struct peri_slice slice;

  slice.ptr = luaL_checklstring(L, index, &slice.len);
  return slice;
}

static struct peri_pattern prepare(lua_State *L, struct peri_slice subject,
                                   struct peri_slice pattern, bool *ret_fixed) {
  struct peri_pattern m = {.subject = subject, .pattern = pattern};

  peri_vm_charge(L, 1 + pattern.len / 16);
  m.vm = peri_vm_of(L);
  *ret_fixed = pattern.len > 0 && pattern.ptr[0] == '^';
  if (*ret_fixed) {
    m.pattern.ptr++;
    m.pattern.len--;
  }
  return m;
}

static const char *match_at(lua_State *L, struct peri_pattern *m,
                            const char *at) {
  const char *end = peri_pattern_match(m, at);

  if (m->exhausted) {
    peri_vm_charge(L, 0);
  }
  if (m->error) {
    luaL_error(L, "%s", m->error);
  }
  return end;
}

static void push_text(lua_State *L, const char *text, size_t len) {
  peri_vm_charge(L, len / 16);  // Also for one that there is already.
  lua_pushlstring(L, text, len);
}

static void push_capture(lua_State *L, const struct peri_pattern *m, int i,
                         const char *start, const char *end) {
  if (i >= m->count) {
    if (i > 0) {
      luaL_error(L, "invalid capture index");
    }
    push_text(L, start, (size_t)(end - start));
    return;
  }
  const struct peri_capture *capture = &m->captures[i];
  if (capture->len == PERI_PATTERN_OPEN) {
    luaL_error(L, "unfinished capture");
  }
  if (capture->len == PERI_PATTERN_POSITION) {
    lua_pushinteger(L, capture->at - m->subject.ptr + 1);
    return;
  }
  push_text(L, capture->at, (size_t)capture->len);
}

static int push_captures(lua_State *L, const struct peri_pattern *m,
                         const char *start, const char *end) {
  int count = m->count == 0 && start ? 1 : m->count;

  luaL_checkstack(L, count, "too many captures");
  for (int i = 0; i < count; i++) {
    push_capture(L, m, i, start, end);
  }
  return count;
}

// The 0-based place to start at from the 1-based argument, at most the length.
static size_t start_of(lua_State *L, int index, size_t len) {
  lua_Integer init = luaL_optinteger(L, index, 1);

  if (init < 0) {
    init = (lua_Integer)len + init + 1;
  }
  if (init < 1) {
    init = 1;
  }
  return (size_t)init - 1 > len ? len : (size_t)init - 1;
}

static bool is_plain(lua_State *L, struct peri_slice pattern) {
  peri_vm_charge(L, 1 + pattern.len / 4);
  for (size_t i = 0; i < pattern.len; i++) {
    if (pattern.ptr[i] != '\0' && strchr("^$*+?.([%-", pattern.ptr[i])) {
      return false;
    }
  }
  return true;
}

// In pieces, so that a search ends with its budget.
static const char *find_bytes(lua_State *L, struct peri_slice subject,
                              struct peri_slice wanted) {
  enum { PIECE_BYTES = 1 << 15 };
  size_t piece = wanted.len > PIECE_BYTES ? wanted.len : PIECE_BYTES;

  while (subject.len >= wanted.len) {
    size_t window =
        subject.len - wanted.len > piece ? piece + wanted.len : subject.len;
    peri_vm_charge(L, 1 + window / 16);
    const char *found = memmem(subject.ptr, window, wanted.ptr, wanted.len);
    if (found || window == subject.len) {
      return found;
    }
    subject.ptr += window - wanted.len + 1;
    subject.len -= window - wanted.len + 1;
  }
  return NULL;
}

static int find_plain(lua_State *L, struct peri_slice subject,
                      struct peri_slice wanted, size_t start) {
  struct peri_slice rest = {subject.ptr + start, subject.len - start};
  const char *found = wanted.len == 0 ? rest.ptr : find_bytes(L, rest, wanted);

  if (!found) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, found - subject.ptr + 1);
  lua_pushinteger(L, found - subject.ptr + (ptrdiff_t)wanted.len);
  return 2;
}

static int search(lua_State *L, bool find) {
  struct peri_slice subject = check_slice(L, 1);
  struct peri_slice pattern = check_slice(L, 2);
  size_t start = start_of(L, 3, subject.len);
  bool fixed = false;

  if (find && (lua_toboolean(L, 4) || is_plain(L, pattern))) {
    return find_plain(L, subject, pattern, start);
  }
  struct peri_pattern m = prepare(L, subject, pattern, &fixed);
  const char *last = subject.ptr + subject.len;
  for (const char *at = subject.ptr + start; at <= last; at++) {
    const char *end = match_at(L, &m, at);
    if (end && find) {
      lua_pushinteger(L, at - subject.ptr + 1);
      lua_pushinteger(L, end - subject.ptr);
      return 2 + push_captures(L, &m, NULL, NULL);
    }
    if (end) {
      return push_captures(L, &m, at, end);
    }
    if (fixed) {
      break;
    }
  }
  lua_pushnil(L);
  return 1;
}

static int str_find(lua_State *L) {
  return search(L, true);
}

static int str_match(lua_State *L) {
  return search(L, false);
}

static int next_match(lua_State *L) {
  struct peri_slice subject, pattern;

  subject.ptr = lua_tolstring(L, lua_upvalueindex(1), &subject.len);
  pattern.ptr = lua_tolstring(L, lua_upvalueindex(2), &pattern.len);
  size_t from = (size_t)lua_tointeger(L, lua_upvalueindex(3));
  struct peri_pattern m = {
      .subject = subject, .pattern = pattern, .vm = peri_vm_of(L)};
  const char *last = subject.ptr + subject.len;
  if (from > subject.len) {
    return 0;
  }
  for (const char *at = subject.ptr + from; at <= last; at++) {
    const char *end = match_at(L, &m, at);
    if (end) {
      lua_pushinteger(L, end - subject.ptr + (end == at));
      lua_replace(L, lua_upvalueindex(3));
      return push_captures(L, &m, at, end);
    }
  }
  return 0;
}

static int str_gmatch(lua_State *L) {
  check_slice(L, 1);
  check_slice(L, 2);
  lua_settop(L, 2);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, next_match, 3);
  return 1;
}

static void add_template(lua_State *L, luaL_Buffer *out,
                         const struct peri_pattern *m, const char *start,
                         const char *end) {
  struct peri_slice text;

  text.ptr = lua_tolstring(L, 3, &text.len);
  peri_vm_charge(L, 1 + text.len / 16);
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c != '%') {
      luaL_addchar(out, c);
      continue;
    }
    c = '\0';
    if (++i < text.len) {
      c = text.ptr[i];
    }
    if (c == '0') {
      luaL_addlstring(out, start, (size_t)(end - start));
    } else if (c >= '1' && c <= '9') {
      push_capture(L, m, c - '1', start, end);
      luaL_addvalue(out);
    } else {
      luaL_addchar(out, c);
    }
  }
}

static void add_value(lua_State *L, luaL_Buffer *out,
                      const struct peri_pattern *m, const char *start,
                      const char *end) {
  int type = lua_type(L, 3);

  if (type == LUA_TNUMBER || type == LUA_TSTRING) {
    add_template(L, out, m, start, end);
    return;
  }
  peri_vm_charge(L, 1);
  if (type == LUA_TFUNCTION) {
    lua_pushvalue(L, 3);
    int count = push_captures(L, m, start, end);
    lua_call(L, count, 1);
  } else {
    push_capture(L, m, 0, start, end);
    lua_gettable(L, 3);
  }
  if (!lua_toboolean(L, -1)) {
    lua_pop(L, 1);
    push_text(L, start, (size_t)(end - start));
  } else if (!lua_isstring(L, -1)) {
    luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  }
  luaL_addvalue(out);
}

static int str_gsub(lua_State *L) {
  struct peri_slice subject = check_slice(L, 1);
  struct peri_slice pattern = check_slice(L, 2);
  int type = lua_type(L, 3);
  bool fixed = false;
  luaL_Buffer out;

  luaL_argcheck(L,
                type == LUA_TNUMBER || type == LUA_TSTRING ||
                    type == LUA_TTABLE || type == LUA_TFUNCTION,
                3, "string/function/table expected");
  lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)subject.len + 1);
  lua_Integer count = 0;
  struct peri_pattern m = prepare(L, subject, pattern, &fixed);
  const char *at = subject.ptr, *last = subject.ptr + subject.len;
  luaL_buffinit(L, &out);
  while (count < most) {
    const char *end = match_at(L, &m, at);
    if (end) {
      count++;
      add_value(L, &out, &m, at, end);
    }
    if (end && end > at) {
      at = end;
    } else if (at < last) {
      luaL_addchar(&out, *at);
      at++;
    } else {
      break;
    }
    if (fixed) {
      break;
    }
  }
  luaL_addlstring(&out, at, (size_t)(last - at));
  luaL_pushresult(&out);
  lua_pushinteger(L, count);
  return 2;
}

static int str_rep(lua_State *L) {
  size_t len = check_slice(L, 1).len, separator = 0;
  lua_Integer count = luaL_checkinteger(L, 2);

  if (lua_gettop(L) >= 3) {
    separator = check_slice(L, 3).len;
  }
  if (count > 0) {
    double bytes = (double)count * (double)(len + separator + 1);
    peri_vm_charge(
        L, bytes < 1e15 ? (uint64_t)(bytes / PERI_VM_COPIED) : UINT64_MAX / 2);
  }
  int top = lua_gettop(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, top, 1);
  return 1;
}

void peri_strings_open(struct lua_State *L) {
  static const luaL_Reg functions[] = {{"find", str_find},
                                       {"match", str_match},
                                       {"gmatch", str_gmatch},
                                       {"gsub", str_gsub},
                                       {NULL, NULL}};

  luaL_setfuncs(L, functions, 0);
  lua_getfield(L, -1, "rep");
  lua_pushcclosure(L, str_rep, 1);
  lua_setfield(L, -2, "rep");
}
