#include "script/handle.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/hash.h"
#include "model/load.h"
#include "model/peers.h"
#include "script/convert.h"
#include "script/draw.h"
#include "script/lib.h"
#include "script/state.h"
#include "script/view.h"

enum { UNKNOWN_MS = 1000000000, PEERS_A_STEP = 16 };

// An endpoint's environment is the table of its peers' endpoints, which holds
// the peers' userdata at 0: the handle lives as long as any of them.
struct endpoint {
  struct peri_peers_handle *handle;
  size_t at;
};

static const char peers_type[] = "perigee.peers";
static const char endpoint_type[] = "perigee.endpoint";

static const char *const type_names[] = {peers_type, endpoint_type,
                                         "perigee.endpoints", "perigee.call"};

void *peri_handle_test(struct lua_State *L, int index,
                       enum peri_handle_type type) {
  void *handle = lua_touserdata(L, index);

  if (!handle || !lua_getmetatable(L, index)) {
    return NULL;
  }
  // luaL_checkudata() looks its metatable up by name each time.
  const void *metatable = lua_topointer(L, -1);
  lua_pop(L, 1);
  return metatable == peri_vm_of(L)->metatables[type] ? handle : NULL;
}

void *peri_handle_check(struct lua_State *L, int index,
                        enum peri_handle_type type) {
  void *handle = peri_handle_test(L, index, type);

  return handle ? handle : luaL_checkudata(L, index, type_names[type]);
}

static struct peri_peers_handle *check_peers(lua_State *L, int index) {
  struct peri_peers_handle *handle =
      peri_handle_check(L, index, PERI_HANDLE_PEERS);

  if (!handle->peers) {
    luaL_error(L, "these peers are used after their end");
  }
  return handle;
}

static const struct endpoint *check_handle(lua_State *L) {
  const struct endpoint *endpoint =
      peri_handle_check(L, 1, PERI_HANDLE_ENDPOINT);

  if (!endpoint->handle->peers) {
    luaL_error(L, "this endpoint is used after its end");
  }
  return endpoint;
}

static const struct peri_endpoint *check_endpoint(lua_State *L) {
  const struct endpoint *endpoint = check_handle(L);

  return peri_peers_at(endpoint->handle->peers, endpoint->at);
}

size_t peri_handle_count(const struct peri_peers_handle *handle) {
  return handle->open ? handle->open_count : peri_peers_count(handle->peers);
}

size_t peri_handle_at(const struct peri_peers_handle *handle, size_t place) {
  return handle->open ? handle->open[place] : place;
}

struct peri_peers_handle *peri_handle_push(struct lua_State *L,
                                           struct peri_peers *peers) {
  struct peri_peers_handle *handle = lua_newuserdata(L, sizeof(*handle));

  *handle = (struct peri_peers_handle){
      NULL, NULL, NULL, 0, 0, 0, peri_hash_random_seed()};
  luaL_getmetatable(L, peers_type);
  lua_setmetatable(L, -2);
  lua_createtable(L, (int)peri_peers_count(peers), 1);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, 0);
  lua_setfenv(L, -2);
  handle->peers = peri_peers_ref(peers);
  return handle;
}

int peri_handle_hold(struct peri_peers_handle *handle,
                     struct peri_load *const *loads) {
  size_t count = peri_peers_count(handle->peers);
  struct peri_load **held = calloc(count + 1, sizeof(held[0]));

  if (!held) {
    return PERI_ENOMEM;
  }
  for (size_t i = 0; i < count; i++) {
    held[i] = loads[i];
    held[i]->holders++;
  }
  handle->loads = held;
  return 0;
}

void peri_handle_end(struct peri_peers_handle *handle) {
  if (!handle || !handle->peers) {
    return;
  }
  size_t count = handle->loads ? peri_peers_count(handle->peers) : 0;
  for (size_t i = 0; i < count; i++) {
    handle->loads[i]->holders--;
  }
  free(handle->loads);
  handle->loads = NULL;
  peri_peers_unref(handle->peers);
  handle->peers = NULL;
}

bool peri_handle_endpoint(struct lua_State *L, int index,
                          const struct peri_peers_handle *handle,
                          size_t *ret_at) {
  const struct endpoint *endpoint =
      peri_handle_test(L, index, PERI_HANDLE_ENDPOINT);

  if (!endpoint || endpoint->handle != handle) {
    return false;
  }
  *ret_at = endpoint->at;
  return true;
}

// Pushes endpoint `at` of the handle whose environment is at the top.
static void push_endpoint(lua_State *L, struct peri_peers_handle *handle,
                          size_t at) {
  lua_rawgeti(L, -1, (int)at + 1);
  if (!lua_isnil(L, -1)) {
    return;
  }
  lua_pop(L, 1);
  struct endpoint *endpoint = lua_newuserdata(L, sizeof(*endpoint));
  endpoint->handle = handle;
  endpoint->at = at;
  luaL_getmetatable(L, endpoint_type);
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -2);
  lua_setfenv(L, -2);
  lua_pushvalue(L, -1);
  lua_rawseti(L, -3, (int)at + 1);
}

struct peri_peers *peri_lib_peers(struct lua_State *L, int index) {
  return check_peers(L, index)->peers;
}

void peri_lib_push_endpoint(struct lua_State *L, int index, size_t at) {
  struct peri_peers_handle *handle = check_peers(L, index);

  if (at >= peri_peers_count(handle->peers)) {
    lua_pushnil(L);
    return;
  }
  lua_getfenv(L, index);
  push_endpoint(L, handle, at);
  lua_remove(L, -2);
}

static int peers_index(lua_State *L) {
  if (lua_type(L, 2) == LUA_TNUMBER) {
    lua_Number at = lua_tonumber(L, 2);
    struct peri_peers_handle *handle = check_peers(L, 1);
    if (at >= 1 && at <= (lua_Number)peri_handle_count(handle) &&
        at == (lua_Number)(int)at) {
      lua_getfenv(L, 1);
      push_endpoint(L, handle, peri_handle_at(handle, (size_t)at - 1));
    } else {
      lua_pushnil(L);
    }
    return 1;
  }
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(1));
  return 1;
}

static int peers_length(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)peri_handle_count(check_peers(L, 1)));
  return 1;
}

static int peers_service(lua_State *L) {
  lua_pushstring(L, peri_peers_service(check_peers(L, 1)->peers));
  return 1;
}

static int peers_collect(lua_State *L) {
  peri_handle_end(lua_touserdata(L, 1));
  return 0;
}

static int peers_text(lua_State *L) {
  const struct peri_peers_handle *handle = luaL_checkudata(L, 1, peers_type);

  lua_pushfstring(
      L, "peers of %s",
      handle->peers ? peri_peers_service(handle->peers) : "(ended)");
  return 1;
}

static int endpoint_address(lua_State *L) {
  lua_pushstring(L, check_endpoint(L)->address);
  return 1;
}

static int endpoint_zone(lua_State *L) {
  lua_pushstring(L, check_endpoint(L)->zone);
  return 1;
}

static int endpoint_weight(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_endpoint(L)->weight);
  return 1;
}

static int endpoint_self(lua_State *L) {
  lua_pushboolean(L, check_endpoint(L)->self);
  return 1;
}

static int endpoint_metadata(lua_State *L) {
  const struct peri_json *metadata = check_endpoint(L)->metadata;

  if (lua_isnoneornil(L, 2)) {
    peri_convert_push(L, metadata);
    return 1;
  }
  const char *key = luaL_checkstring(L, 2);
  peri_convert_push(L, metadata ? peri_json_get(metadata, key) : NULL);
  return 1;
}

void peri_handle_balanced(struct lua_State *L,
                          const struct peri_peers_handle *handle) {
  if (!handle->loads && peri_peers_count(handle->peers) > 0) {
    luaL_error(L, "only a balancer's endpoints have a load, and can be drawn");
  }
}

static const struct peri_load *check_load(lua_State *L, uint64_t *ret_now_ns) {
  const struct endpoint *endpoint = check_handle(L);

  peri_handle_balanced(L, endpoint->handle);
  *ret_now_ns = endpoint->handle->now_ns;
  return endpoint->handle->loads[endpoint->at];
}

static int endpoint_inflight(lua_State *L) {
  uint64_t now_ns = 0;

  lua_pushinteger(L, (lua_Integer)check_load(L, &now_ns)->inflight);
  return 1;
}

static int endpoint_latency(lua_State *L) {
  uint64_t now_ns = 0;
  const struct peri_load *load = check_load(L, &now_ns);

  lua_pushnumber(L, (double)peri_load_latency_ns(load, now_ns) / 1e6);
  return 1;
}

static int endpoint_failures(lua_State *L) {
  uint64_t now_ns = 0;
  const struct peri_load *load = check_load(L, &now_ns);

  lua_pushnumber(L, peri_load_failures(load, now_ns));
  return 1;
}

// In C, since a pick asks it of every endpoint that it compares.
static int endpoint_wait(lua_State *L) {
  uint64_t now_ns = 0;
  const struct peri_load *load = check_load(L, &now_ns);
  double latency_ms = (double)peri_load_latency_ns(load, now_ns) / 1e6;

  // Whoever has not answered yet gets one call at a time.
  if (load->ewma_ns == 0 && load->inflight > 0) {
    latency_ms = UNKNOWN_MS;
  }
  // One that fails fast must not look like a fast one.
  double slower =
      (load->inflight + 1.0) * (peri_load_failures(load, now_ns) + 1.0);
  lua_pushnumber(L, latency_ms * slower / check_endpoint(L)->weight);
  return 1;
}

static int endpoint_suspect(lua_State *L) {
  uint64_t now_ns = 0;

  (void)check_load(L, &now_ns);
  lua_pushboolean(L, check_endpoint(L)->suspect);
  return 1;
}

static int endpoint_text(lua_State *L) {
  const struct endpoint *endpoint = luaL_checkudata(L, 1, endpoint_type);

  if (!endpoint->handle->peers) {
    lua_pushliteral(L, "endpoint (ended)");
    return 1;
  }
  return endpoint_address(L);
}

static struct peri_peers_handle *check_balanced(lua_State *L) {
  struct peri_peers_handle *handle = check_peers(L, 1);

  peri_handle_balanced(L, handle);
  return handle;
}

// Sums over all endpoints, tried or not: what a bound on loads is made from.
static int peers_inflight(lua_State *L) {
  const struct peri_peers_handle *handle = check_balanced(L);
  size_t count = peri_peers_count(handle->peers);
  uint64_t sum = 0;

  peri_vm_charge(L, 1 + count / PEERS_A_STEP);
  for (size_t i = 0; i < count; i++) {
    sum += handle->loads[i]->inflight;
  }
  lua_pushnumber(L, (lua_Number)sum);
  return 1;
}

static struct peri_draw drawn(struct peri_peers_handle *handle) {
  return (struct peri_draw){handle, handle->open, peri_handle_count(handle)};
}

// Two different endpoints drawn at random; as many as there are of fewer.
static int peers_draw(lua_State *L) {
  size_t at[2];
  size_t count = peri_draw_two(drawn(check_balanced(L)), at);

  lua_settop(L, 1);
  for (size_t i = 0; i < count; i++) {
    peri_lib_push_endpoint(L, 1, at[i]);
  }
  lua_settop(L, 3);
  return 2;
}

static int peers_least(lua_State *L) {
  struct peri_peers_handle *handle = check_balanced(L);
  size_t at = 0;

  peri_vm_charge(L, 1 + peri_handle_count(handle) / PEERS_A_STEP);
  if (!peri_draw_least(drawn(handle), &at)) {
    lua_pushnil(L);
    return 1;
  }
  peri_lib_push_endpoint(L, 1, at);
  return 1;
}

void peri_handle_type_open(struct lua_State *L, enum peri_handle_type type,
                           const struct luaL_Reg *methods,
                           int (*index)(struct lua_State *L)) {
  luaL_newmetatable(L, type_names[type]);
  peri_vm_of(L)->metatables[type] = lua_topointer(L, -1);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  if (index) {
    lua_pushcclosure(L, index, 1);
  }
  lua_setfield(L, -2, "__index");
  lua_pushstring(L, type_names[type]);
  lua_setfield(L, -2, "__metatable");
}

void peri_handle_open(struct lua_State *L) {
  static const luaL_Reg endpoint_methods[] = {{"address", endpoint_address},
                                              {"zone", endpoint_zone},
                                              {"weight", endpoint_weight},
                                              {"self", endpoint_self},
                                              {"metadata", endpoint_metadata},
                                              {"inflight", endpoint_inflight},
                                              {"latency_ms", endpoint_latency},
                                              {"failures", endpoint_failures},
                                              {"suspect", endpoint_suspect},
                                              {"wait_ms", endpoint_wait},
                                              {NULL, NULL}};
  static const luaL_Reg peers_methods[] = {
      {"service", peers_service}, {"inflight", peers_inflight},
      {"draw", peers_draw},       {"least_inflight", peers_least},
      {"only", peri_view_only},   {NULL, NULL}};
  static const luaL_Reg peers_meta[] = {{"__len", peers_length},
                                        {"__gc", peers_collect},
                                        {"__tostring", peers_text},
                                        {NULL, NULL}};

  peri_handle_type_open(L, PERI_HANDLE_ENDPOINT, endpoint_methods, NULL);
  lua_pushcfunction(L, endpoint_text);
  lua_setfield(L, -2, "__tostring");
  peri_handle_type_open(L, PERI_HANDLE_PEERS, peers_methods, peers_index);
  luaL_setfuncs(L, peers_meta, 0);
  lua_pop(L, 2);
}
