#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/slice.h"
#include "loop/loop.h"
#include "model/peers.h"
#include "model/policy.h"
#include "script/asked.h"
#include "script/handle.h"
#include "script/instance.h"
#include "script/lib.h"

enum { REASON_BYTES = 160 };

// A balancer in Lua. Its handles are anchored in the registry: one for the
// endpoints between two updates, and one for the requests of all picks.
struct balancer {
  struct peri_balancer base;
  struct peri_instance instance;
  struct peri_peers_handle *handle;  // NULL before update() and when it failed
  int handle_ref;
  struct peri_asked_handle *asked;
  int asked_ref;
  char reason[REASON_BYTES];
};

static const struct peri_vm_budget pick_budget = {
    500000, UINT64_C(1000000) * PERI_SLOWDOWN};
static const struct peri_vm_budget update_budget = {
    5000000, UINT64_C(5000000) * PERI_SLOWDOWN};

static uint64_t now_ns(const struct balancer *balancer) {
  struct peri_loop *loop = peri_vm_loop(balancer->instance.policy->vm);

  return loop ? peri_loop_now_ns(loop) : peri_clock_mono_ns();
}

struct update_job {
  struct balancer *balancer;
  struct peri_peers *peers;
  struct peri_load *const *loads;
};

static int update_body(lua_State *L, void *ctx) {
  struct update_job *job = ctx;
  struct balancer *balancer = job->balancer;
  const struct peri_instance *instance = &balancer->instance;

  if (!balancer->asked) {
    struct peri_asked_handle *asked = peri_asked_push(L);
    balancer->asked_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    balancer->asked = asked;
  }
  struct peri_peers_handle *handle = peri_handle_push(L, job->peers);
  handle->now_ns = now_ns(balancer);
  lua_pushvalue(L, -1);
  int ref = luaL_ref(L, LUA_REGISTRYINDEX);
  balancer->handle = handle;
  balancer->handle_ref = ref;
  if (peri_handle_hold(handle, job->loads) < 0) {
    luaL_error(L, "out of memory");
  }
  if (instance->update != LUA_NOREF) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, instance->update);
    lua_rawgeti(L, LUA_REGISTRYINDEX, instance->self);
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    lua_call(L, 2, 0);
  }
  return 0;
}

static void drop_handle(struct balancer *balancer) {
  lua_State *L = peri_vm_lua(balancer->instance.policy->vm);

  peri_handle_end(balancer->handle);
  balancer->handle = NULL;
  luaL_unref(L, LUA_REGISTRYINDEX, balancer->handle_ref);
  balancer->handle_ref = LUA_NOREF;
}

static int update(struct peri_balancer *base, struct peri_peers *peers,
                  struct peri_load *const *loads) {
  struct balancer *balancer = PERI_CONTAINER_OF(base, struct balancer, base);
  struct peri_policy *policy = balancer->instance.policy;
  struct update_job job = {balancer, peers, loads};

  drop_handle(balancer);
  int rc = peri_vm_run(policy->vm, update_body, &job, update_budget);
  if (rc == 0) {
    return 0;
  }
  // Its state may be half of the old endpoints and half of the new: no picks
  // until an update succeeds.
  drop_handle(balancer);
  peri_policy_report(policy);
  return PERI_ESCRIPT;
}

struct pick_job {
  struct balancer *balancer;
  const uint32_t *open;
  size_t open_count;
  size_t index;
  int rc;
  size_t reason_len;
};

static void raise_at_pick(lua_State *L, const struct balancer *balancer,
                          const char *words, const char *type) {
  lua_Debug at;

  lua_rawgeti(L, LUA_REGISTRYINDEX, balancer->instance.main);
  lua_getinfo(L, ">S", &at);
  luaL_error(L, "%s:%d: pick %s%s", at.short_src, at.linedefined, words, type);
}

// The results at -2 and -1 are no endpoint: `nil, "why"` wants none of them.
static void read_refusal(lua_State *L, struct pick_job *job) {
  if (lua_isnil(L, -2) && lua_type(L, -1) == LUA_TSTRING) {
    job->rc = PERI_ENOTFOUND;
    return;
  }
  raise_at_pick(
      L, job->balancer,
      "must return one of its endpoints, or nil and why, not ",
      lua_isuserdata(L, -2) ? "something else" : luaL_typename(L, -2));
}

static bool is_open(const struct pick_job *job) {
  size_t low = 0, high = job->open_count;

  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (job->open[middle] < job->index) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < job->open_count && job->open[low] == job->index;
}

// The words are copied: those that the policy made can be collected.
static void read_reason(lua_State *L, struct pick_job *job) {
  size_t len = 0;
  const char *text =
      lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;

  if (text) {
    job->reason_len = len < REASON_BYTES ? len : REASON_BYTES;
    memcpy(job->balancer->reason, text, job->reason_len);
  }
}

static int pick_body(lua_State *L, void *ctx) {
  struct pick_job *job = ctx;
  struct balancer *balancer = job->balancer;

  lua_rawgeti(L, LUA_REGISTRYINDEX, balancer->instance.main);
  lua_rawgeti(L, LUA_REGISTRYINDEX, balancer->instance.self);
  lua_rawgeti(L, LUA_REGISTRYINDEX, balancer->asked_ref);
  lua_rawgeti(L, LUA_REGISTRYINDEX, balancer->handle_ref);
  lua_call(L, 3, 2);
  if (!peri_handle_endpoint(L, -2, balancer->handle, &job->index)) {
    read_refusal(L, job);
  } else if (job->open && !is_open(job)) {
    raise_at_pick(L, balancer, "returned an endpoint that was tried already",
                  "");
  }
  read_reason(L, job);
  return 0;
}

static void show(struct balancer *balancer, const uint32_t *open,
                 size_t open_count) {
  struct peri_peers_handle *handle = balancer->handle;

  if (open || handle->open) {
    handle->open = open;
    handle->open_count = open_count;
    handle->round++;
  }
}

static int pick(struct peri_balancer *base,
                const struct peri_pick_request *request, const uint32_t *open,
                size_t open_count, struct peri_choice *ret_choice) {
  struct balancer *balancer = PERI_CONTAINER_OF(base, struct balancer, base);
  struct peri_policy *policy = balancer->instance.policy;
  struct pick_job job = {balancer, open, open_count, 0, 0, 0};

  *ret_choice = (struct peri_choice){0};
  if (!balancer->handle) {
    return PERI_ESCRIPT;
  }
  show(balancer, open, open_count);
  balancer->handle->now_ns = now_ns(balancer);
  balancer->asked->request = request;
  int rc = peri_vm_run(policy->vm, pick_body, &job, pick_budget);
  balancer->asked->request = NULL;
  show(balancer, NULL, 0);
  if (rc < 0) {
    peri_policy_report(policy);
    return PERI_ESCRIPT;
  }
  ret_choice->reason = (struct peri_slice){balancer->reason, job.reason_len};
  ret_choice->version = 1;
  ret_choice->index = job.index;
  return job.rc;
}

struct done_job {
  struct balancer *balancer;
  const char *address;
  const struct peri_outcome *outcome;
};

// Pushes the endpoint of that address, or nil when it has left.
static void push_addressed(lua_State *L, const struct balancer *balancer,
                           const char *address) {
  struct peri_peers *peers = balancer->handle->peers;
  size_t low = 0, high = peri_peers_count(peers);

  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = strcmp(peri_peers_at(peers, middle)->address, address);
    if (order == 0) {
      lua_rawgeti(L, LUA_REGISTRYINDEX, balancer->handle_ref);
      peri_lib_push_endpoint(L, lua_gettop(L), middle);
      lua_remove(L, -2);
      return;
    }
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  lua_pushnil(L);
}

static void push_outcome(lua_State *L, const struct peri_outcome *outcome) {
  lua_createtable(L, 0, 4);
  lua_pushinteger(L, outcome->status);
  lua_setfield(L, -2, "status");
  lua_pushboolean(L, outcome->failed);
  lua_setfield(L, -2, "failed");
  lua_pushnumber(L, (double)outcome->latency_ns / 1e6);
  lua_setfield(L, -2, "latency_ms");
  lua_pushnumber(L, (double)outcome->bytes);
  lua_setfield(L, -2, "bytes");
}

static int done_body(lua_State *L, void *ctx) {
  const struct done_job *job = ctx;
  const struct balancer *balancer = job->balancer;

  lua_rawgeti(L, LUA_REGISTRYINDEX, balancer->instance.done);
  lua_rawgeti(L, LUA_REGISTRYINDEX, balancer->instance.self);
  lua_rawgeti(L, LUA_REGISTRYINDEX, balancer->asked_ref);
  push_addressed(L, balancer, job->address);
  push_outcome(L, job->outcome);
  lua_call(L, 4, 0);
  return 0;
}

static void done(struct peri_balancer *base,
                 const struct peri_pick_request *request, const char *address,
                 const struct peri_outcome *outcome) {
  struct balancer *balancer = PERI_CONTAINER_OF(base, struct balancer, base);
  struct peri_policy *policy = balancer->instance.policy;
  struct done_job job = {balancer, address, outcome};

  if (!balancer->handle) {
    return;
  }
  balancer->handle->now_ns = now_ns(balancer);
  balancer->asked->request = request;
  int rc = peri_vm_run(policy->vm, done_body, &job, pick_budget);
  balancer->asked->request = NULL;
  if (rc < 0) {
    peri_policy_report(policy);
  }
}

static void free_balancer(struct peri_balancer *base) {
  if (!base) {
    return;
  }
  struct balancer *balancer = PERI_CONTAINER_OF(base, struct balancer, base);
  drop_handle(balancer);
  luaL_unref(peri_vm_lua(balancer->instance.policy->vm), LUA_REGISTRYINDEX,
             balancer->asked_ref);
  peri_instance_done(&balancer->instance);
  free(balancer);
}

int peri_balancer_make(struct peri_script *script,
                       const struct peri_policy_ref *ref,
                       struct peri_balancer **ret_balancer,
                       struct peri_problem *ret_problem) {
  struct balancer *balancer = calloc(1, sizeof(*balancer));

  if (!balancer) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  int rc = peri_instance_new(script, "balancer", ref, &balancer->instance,
                             ret_problem);
  if (rc < 0) {
    free(balancer);
    return rc;
  }
  bool wants_done = balancer->instance.done != LUA_NOREF;
  balancer->handle_ref = LUA_NOREF;
  balancer->asked_ref = LUA_NOREF;
  balancer->base =
      (struct peri_balancer){balancer->instance.policy->name, update, pick,
                             wants_done ? done : NULL, free_balancer};
  *ret_balancer = &balancer->base;
  return 0;
}
