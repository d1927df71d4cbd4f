#include "script/view.h"

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "model/load.h"
#include "model/peers.h"
#include "script/draw.h"
#include "script/handle.h"
#include "script/lib.h"
#include "script/state.h"

// A view's environment holds the peers' userdata at 1, which lives as long.
struct view {
  struct peri_peers_handle *of;
  uint32_t round;  // of the handle, when `shown` was made
  uint32_t count, shown_count;
  uint32_t *shown;     // those of the members that a pick may choose
  uint32_t members[];  // ascending; then room for `shown` and for marks
};

enum { ELEMENTS_A_CHARGE = 64, PEERS_A_STEP = 16 };

static struct view *check(lua_State *L) {
  struct view *view = peri_handle_check(L, 1, PERI_HANDLE_VIEW);

  if (!view->of->peers) {
    luaL_error(L, "these endpoints are used after their end");
  }
  return view;
}

// Both lists ascend.
static void refresh(struct view *view) {
  const struct peri_peers_handle *of = view->of;
  size_t open = 0;

  view->shown_count = 0;
  for (uint32_t i = 0; i < view->count; i++) {
    while (of->open && open < of->open_count &&
           of->open[open] < view->members[i]) {
      open++;
    }
    if (!of->open ||
        (open < of->open_count && of->open[open] == view->members[i])) {
      view->shown[view->shown_count++] = view->members[i];
    }
  }
  view->round = of->round;
}

static struct view *look(lua_State *L) {
  struct view *view = check(L);

  if (view->round != view->of->round) {
    peri_vm_charge(L, 1 + view->count / PEERS_A_STEP);
    refresh(view);
  }
  return view;
}

// Marks those of view->of in the list at index 2: it can name one many times.
static void read_marks(lua_State *L, const struct view *view, size_t count,
                       unsigned char *marks) {
  for (size_t i = 0; i < count; i++) {
    size_t at = 0;
    if (i % ELEMENTS_A_CHARGE == 0) {
      peri_vm_charge(L, (uint64_t)2 * ELEMENTS_A_CHARGE);
    }
    lua_rawgeti(L, 2, (int)i + 1);
    if (!peri_handle_endpoint(L, -1, view->of, &at)) {
      luaL_error(L, "element %d is none of these endpoints", (int)i + 1);
    }
    marks[at / 8] |= (unsigned char)(1u << at % 8);
    lua_pop(L, 1);
  }
}

static void take_marked(struct view *view, const unsigned char *marks,
                        size_t all) {
  for (size_t at = 0; at < all; at++) {
    if (marks[at / 8] & (1u << at % 8)) {
      view->members[view->count++] = (uint32_t)at;
    }
  }
}

int peri_view_only(struct lua_State *L) {
  if (peri_handle_test(L, 1, PERI_HANDLE_VIEW)) {
    check(L);
    lua_getfenv(L, 1);
    lua_rawgeti(L, -1, 1);
    lua_replace(L, 1);
    lua_settop(L, 2);
  }
  // Raises for others, and after their end.
  const struct peri_peers *peers = peri_lib_peers(L, 1);
  peri_handle_balanced(L, lua_touserdata(L, 1));
  luaL_checktype(L, 2, LUA_TTABLE);
  size_t count = lua_objlen(L, 2);
  size_t all = peri_peers_count(peers), most = count < all ? count : all;
  peri_vm_charge(L, 1 + all / PEERS_A_STEP);
  struct view *view = lua_newuserdata(
      L, sizeof(*view) + 2 * most * sizeof(uint32_t) + all / 8 + 1);
  view->of = lua_touserdata(L, 1);
  view->count = 0;
  view->shown = view->members + most;
  unsigned char *marks = (unsigned char *)(view->shown + most);
  memset(marks, 0, all / 8 + 1);
  read_marks(L, view, count, marks);
  take_marked(view, marks, all);
  refresh(view);
  luaL_getmetatable(L, "perigee.endpoints");
  lua_setmetatable(L, -2);
  lua_createtable(L, 1, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, 1);
  lua_setfenv(L, -2);
  return 1;
}

static int view_index(lua_State *L) {
  if (lua_type(L, 2) != LUA_TNUMBER) {
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    return 1;
  }
  const struct view *view = look(L);
  lua_Number at = lua_tonumber(L, 2);
  if (!(at >= 1 && at <= (lua_Number)view->shown_count) ||
      at != (lua_Number)(uint32_t)at) {
    lua_pushnil(L);
    return 1;
  }
  lua_getfenv(L, 1);
  lua_rawgeti(L, -1, 1);
  peri_lib_push_endpoint(L, lua_gettop(L), view->shown[(uint32_t)at - 1]);
  return 1;
}

static int view_length(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)look(L)->shown_count);
  return 1;
}

static int view_service(lua_State *L) {
  lua_pushstring(L, peri_peers_service(check(L)->of->peers));
  return 1;
}

static int view_inflight(lua_State *L) {
  const struct view *view = check(L);
  uint64_t sum = 0;

  peri_vm_charge(L, 1 + view->count / PEERS_A_STEP);

  for (uint32_t i = 0; i < view->count; i++) {
    sum += view->of->loads[view->members[i]]->inflight;
  }
  lua_pushnumber(L, (lua_Number)sum);
  return 1;
}

static struct peri_draw drawn(const struct view *view) {
  return (struct peri_draw){view->of, view->shown, view->shown_count};
}

static int view_draw(lua_State *L) {
  size_t at[2];
  size_t count = peri_draw_two(drawn(look(L)), at);

  lua_settop(L, 1);
  lua_getfenv(L, 1);
  lua_rawgeti(L, -1, 1);
  for (size_t i = 0; i < count; i++) {
    peri_lib_push_endpoint(L, 3, at[i]);
  }
  lua_settop(L, 5);
  return 2;
}

static int view_least(lua_State *L) {
  const struct view *view = look(L);
  size_t at = 0;

  peri_vm_charge(L, 1 + view->shown_count / PEERS_A_STEP);
  if (!peri_draw_least(drawn(view), &at)) {
    lua_pushnil(L);
    return 1;
  }
  lua_getfenv(L, 1);
  lua_rawgeti(L, -1, 1);
  peri_lib_push_endpoint(L, lua_gettop(L), at);
  return 1;
}

void peri_view_open(struct lua_State *L) {
  static const luaL_Reg methods[] = {
      {"service", view_service},      {"inflight", view_inflight},
      {"only", peri_view_only},       {"draw", view_draw},
      {"least_inflight", view_least}, {NULL, NULL}};

  peri_handle_type_open(L, PERI_HANDLE_VIEW, methods, view_index);
  lua_pushcfunction(L, view_length);
  lua_setfield(L, -2, "__len");
  lua_pop(L, 1);
}
