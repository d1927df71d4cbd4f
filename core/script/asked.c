#include "script/asked.h"

#include <lauxlib.h>
#include <lua.h>

#include "base/clock.h"
#include "model/policy.h"
#include "script/field.h"
#include "script/state.h"

static const struct peri_pick_request *check(lua_State *L) {
  const struct peri_asked_handle *handle =
      peri_handle_check(L, 1, PERI_HANDLE_ASKED);

  if (!handle->request) {
    luaL_error(L, "this request is used after its end");
  }
  return handle->request;
}

struct peri_asked_handle *peri_asked_push(struct lua_State *L) {
  struct peri_asked_handle *handle = lua_newuserdata(L, sizeof(*handle));

  handle->request = NULL;
  luaL_getmetatable(L, "perigee.call");
  lua_setmetatable(L, -2);
  return handle;
}

static int push(lua_State *L, struct peri_slice text) {
  lua_pushlstring(L, text.ptr ? text.ptr : "", text.len);
  return 1;
}

static int asked_service(lua_State *L) {
  return push(L, check(L)->service);
}

static int asked_method(lua_State *L) {
  return push(L, check(L)->method);
}

static int asked_header(lua_State *L) {
  const struct peri_pick_request *request = check(L);
  const char *name = luaL_checkstring(L, 2);
  struct peri_slice value = {NULL, 0};

  if (!request->header || !request->header(request->ctx, name, &value)) {
    lua_pushnil(L);
    return 1;
  }
  return push(L, value);
}

static int asked_deadline(lua_State *L) {
  uint64_t deadline_ns = check(L)->deadline_ns;

  if (deadline_ns == 0) {
    lua_pushnil(L);
    return 1;
  }
  uint64_t now_ns = peri_clock_mono_ns();
  uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
  lua_pushnumber(L, (double)left_ns / 1e6);
  return 1;
}

static int asked_attempt(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check(L)->attempt);
  return 1;
}

static int asked_field(lua_State *L) {
  const struct peri_pick_request *request = check(L);
  struct peri_field_path path;
  struct peri_slice text, value;
  char digits[PERI_FIELD_DIGITS];

  text.ptr = luaL_checklstring(L, 2, &text.len);
  if (peri_field_path(text, &path) < 0) {
    return luaL_argerror(L, 2, "a field path such as \"1.2\" is expected");
  }
  if (!peri_field_find(request->body, &path, digits, &value)) {
    lua_pushnil(L);
    return 1;
  }
  return push(L, value);
}

void peri_asked_open(struct lua_State *L) {
  static const luaL_Reg methods[] = {{"service", asked_service},
                                     {"method", asked_method},
                                     {"header", asked_header},
                                     {"deadline_ms", asked_deadline},
                                     {"attempt", asked_attempt},
                                     {"field", asked_field},
                                     {NULL, NULL}};

  peri_handle_type_open(L, PERI_HANDLE_ASKED, methods, NULL);
  lua_pop(L, 1);
}
