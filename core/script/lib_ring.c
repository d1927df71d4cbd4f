#include <lauxlib.h>
#include <lua.h>
#include <math.h>

#include "base/clock.h"
#include "base/error.h"
#include "model/peers.h"
#include "script/lib.h"
#include "script/state.h"

// A ring belongs to its peers, whose handle is the userdata's environment's
// first element: after the end of the peers an owner() raises.
struct ring {
  const struct peri_ring *ring;
  uint64_t steps;  // of a look-up
};

// Building a ring cannot be interrupted.
enum { MOST_POINTS = 1 << 16, MOST_NS = 5000000, PEERS_A_STEP = 4 };

static const char ring_type[] = "perigee.ring";

static int ring_owner(lua_State *L) {
  const struct ring *ring = luaL_checkudata(L, 1, ring_type);
  struct peri_slice key;

  key.ptr = luaL_checklstring(L, 2, &key.len);
  if (key.len > 256 || ring->steps > 0) {
    peri_vm_charge(L, ring->steps + key.len / 16);
  }
  lua_getfenv(L, 1);
  lua_rawgeti(L, -1, 1);
  int peers = lua_gettop(L);
  peri_lib_peers(L, peers);  // Raises when the ring is gone.
  peri_lib_push_endpoint(L, peers, peri_ring_owner(ring->ring, key));
  return 1;
}

static uint32_t check_replicas(lua_State *L) {
  lua_Number replicas = luaL_optnumber(L, 2, 0);

  luaL_argcheck(
      L, replicas >= 0 && replicas <= 65536 && replicas == floor(replicas), 2,
      "replicas are a whole number from 1 to 65536");
  return (uint32_t)replicas;
}

static int make(lua_State *L, enum peri_ring_kind kind, uint32_t replicas) {
  struct peri_vm *vm = peri_vm_of(L);
  struct peri_peers *peers = peri_lib_peers(L, 1);
  const struct peri_ring *built = NULL;
  uint64_t started = peri_clock_thread_ns();
  uint64_t points = (uint64_t)replicas * peri_peers_count(peers);

  if (points > MOST_POINTS) {
    return peri_lib_fail(L, PERI_EINVAL, "too many points for a ring");
  }
  peri_vm_charge(L, 1 + points / 16);
  if (vm->granted_ns > MOST_NS * UINT64_C(1) * PERI_SLOWDOWN) {
    return luaL_error(L, "too many rings are built in one go");
  }

  int rc = peri_peers_ring(peers, kind, replicas, &built);
  // Building it is this worker's turn of a job done once for all of them.
  peri_vm_grant(vm, peri_clock_thread_ns() - started);
  if (rc < 0) {
    return peri_lib_fail(L, rc,
                         rc == PERI_EINVAL ? peri_peers_count(peers) == 0
                                                 ? "there are no peers"
                                                 : "too many points for a ring"
                                           : NULL);
  }
  struct ring *ring = lua_newuserdata(L, sizeof(*ring));
  ring->ring = built;
  // Only this one looks at each peer.
  ring->steps =
      kind == PERI_RING_RENDEZVOUS ? peri_peers_count(peers) / PEERS_A_STEP : 0;
  luaL_getmetatable(L, ring_type);
  lua_setmetatable(L, -2);
  lua_createtable(L, 1, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, 1);
  lua_setfenv(L, -2);
  return 1;
}

static int ring_crc32(lua_State *L) {
  return make(L, PERI_RING_CRC32, check_replicas(L));
}

static int ring_fnv(lua_State *L) {
  return make(L, PERI_RING_FNV, check_replicas(L));
}

static int ring_maglev(lua_State *L) {
  return make(L, PERI_RING_MAGLEV, 0);
}

static int ring_rendezvous(lua_State *L) {
  return make(L, PERI_RING_RENDEZVOUS, 0);
}

int peri_lib_ring(struct lua_State *L) {
  static const luaL_Reg functions[] = {{"crc32", ring_crc32},
                                       {"fnv", ring_fnv},
                                       {"maglev", ring_maglev},
                                       {"rendezvous", ring_rendezvous},
                                       {NULL, NULL}};

  luaL_newmetatable(L, ring_type);
  lua_newtable(L);
  lua_pushcfunction(L, ring_owner);
  lua_setfield(L, -2, "owner");
  lua_setfield(L, -2, "__index");
  lua_pushstring(L, ring_type);
  lua_setfield(L, -2, "__metatable");
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
