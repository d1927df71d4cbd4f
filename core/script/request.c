#include "script/request.h"

#include <lauxlib.h>
#include <lua.h>

#include "loop/loop.h"
#include "script/state.h"

static const char request_type[] = "perigee.request";

static const struct peri_request_view *check(lua_State *L) {
  const struct peri_request_handle *handle =
      luaL_checkudata(L, 1, request_type);

  if (!handle->view) {
    luaL_error(L, "this request is used after its end");
  }
  return handle->view;
}

struct peri_request_handle *peri_request_push(
    struct lua_State *L, const struct peri_request_view *view) {
  struct peri_request_handle *handle = lua_newuserdata(L, sizeof(*handle));

  handle->view = view;
  luaL_getmetatable(L, request_type);
  lua_setmetatable(L, -2);
  return handle;
}

static int request_group(lua_State *L) {
  struct peri_slice group = check(L)->group;

  lua_pushlstring(L, group.ptr, group.len);
  return 1;
}

static int request_key(lua_State *L) {
  struct peri_slice key = check(L)->key;

  lua_pushlstring(L, key.ptr, key.len);
  return 1;
}

static int request_peer(lua_State *L) {
  struct peri_slice peer = check(L)->peer;

  if (peer.len == 0) {
    lua_pushnil(L);
  } else {
    lua_pushlstring(L, peer.ptr, peer.len);
  }
  return 1;
}

// Milliseconds that are left, or nil without a limit.
static int request_deadline(lua_State *L) {
  const struct peri_request_view *view = check(L);
  uint64_t now = view->loop ? peri_loop_now_ns(view->loop) : 0;

  if (view->deadline_ns == 0) {
    lua_pushnil(L);
  } else {
    uint64_t left = view->deadline_ns > now ? view->deadline_ns - now : 0;
    lua_pushnumber(L, (double)left / 1e6);
  }
  return 1;
}

void peri_request_open(struct lua_State *L) {
  static const luaL_Reg methods[] = {{"group", request_group},
                                     {"key", request_key},
                                     {"peer", request_peer},
                                     {"deadline_ms", request_deadline},
                                     {NULL, NULL}};

  luaL_newmetatable(L, request_type);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushstring(L, request_type);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}
