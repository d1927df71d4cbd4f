#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "model/peers.h"
#include "model/policy.h"
#include "script/asked.h"
#include "script/handle.h"
#include "script/instance.h"
#include "script/lib.h"
#include "script/script_private.h"
#include "script/seat.h"
#include "script/vm.h"

enum { REASON_BYTES = 160 };

// A balancer in Lua. One handle of each instance serves the requests of all
// picks.
struct balancer {
  struct peri_balancer base;
  struct peri_seat seat;
  char reason[REASON_BYTES];
};

static uint64_t now_ns(const struct balancer *balancer) {
  return peri_script_now_ns(balancer->seat.policy->script);
}

static int update(struct peri_balancer *base, struct peri_peers *peers,
                  struct peri_load *const *loads) {
  struct balancer *balancer = PERI_CONTAINER_OF(base, struct balancer, base);

  return peri_seat_update(&balancer->seat, peers, loads);
}

struct pick_job {
  struct balancer *balancer;
  struct peri_instance *instance;
  const uint32_t *open;
  size_t open_count;
  size_t index;
  int rc;
  size_t reason_len;
};

static void raise_at_pick(lua_State *L, const struct peri_instance *instance,
                          const char *words, const char *type) {
  lua_Debug at;

  lua_rawgeti(L, LUA_REGISTRYINDEX, instance->version->main);
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
      L, job->instance,
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
  const struct peri_instance *instance = job->instance;

  lua_rawgeti(L, LUA_REGISTRYINDEX, instance->version->main);
  lua_rawgeti(L, LUA_REGISTRYINDEX, instance->self);
  lua_rawgeti(L, LUA_REGISTRYINDEX, instance->asked_ref);
  lua_rawgeti(L, LUA_REGISTRYINDEX, instance->handle_ref);
  lua_call(L, 3, 2);
  if (!peri_handle_endpoint(L, -2, instance->handle, &job->index)) {
    read_refusal(L, job);
  } else if (job->open && !is_open(job)) {
    raise_at_pick(L, instance, "returned an endpoint that was tried already",
                  "");
  }
  read_reason(L, job);
  return 0;
}

static void show(struct peri_peers_handle *handle, const uint32_t *open,
                 size_t open_count) {
  if (open || handle->open) {
    handle->open = open;
    handle->open_count = open_count;
    handle->round++;
  }
}

static int ask(struct pick_job *job, const struct peri_pick_request *request) {
  struct peri_instance *instance = job->instance;
  struct peri_vm *vm = instance->version->vm;

  show(instance->handle, job->open, job->open_count);
  instance->handle->now_ns = now_ns(job->balancer);
  instance->asked->request = request;
  int rc = peri_vm_run(vm, pick_body, job, peri_vm_budget(vm, PERI_ENTRY_PICK));
  instance->asked->request = NULL;
  show(instance->handle, NULL, 0);
  return rc;
}

static void tell(const struct pick_job *job, struct peri_choice *ret_choice) {
  struct balancer *balancer = job->balancer;
  struct peri_instance *instance = job->instance;

  peri_seat_succeeded(&balancer->seat, instance);
  if (job->rc == 0 && instance->version->done != LUA_NOREF) {
    peri_seat_hold(instance);
  }
  ret_choice->index = job->index;
  ret_choice->reason = (struct peri_slice){balancer->reason, job->reason_len};
  peri_seat_tell(&balancer->seat, instance, ret_choice);
}

static int pick(struct peri_balancer *base,
                const struct peri_pick_request *request, const uint32_t *open,
                size_t open_count, struct peri_choice *ret_choice) {
  struct balancer *balancer = PERI_CONTAINER_OF(base, struct balancer, base);
  struct peri_seat *seat = &balancer->seat;
  struct peri_seat_order order = {request->version, 0, {NULL, NULL, NULL}};
  struct peri_instance *instance = peri_seat_first(seat, &order);

  *ret_choice = (struct peri_choice){0};
  while (instance) {
    struct pick_job job = {balancer, instance, open, open_count, 0, 0, 0};
    if (ask(&job, request) == 0) {
      tell(&job, ret_choice);
      return job.rc;
    }
    peri_seat_failed(seat, instance);
    instance = peri_seat_next(seat, &order);
  }
  peri_seat_tell(seat, NULL, ret_choice);
  return PERI_ESCRIPT;
}

struct done_job {
  const struct peri_instance *instance;
  const char *address;
  const struct peri_outcome *outcome;
};

// Pushes the endpoint of that address, or nil when it has left.
static void push_addressed(lua_State *L, const struct peri_instance *instance,
                           const char *address) {
  struct peri_peers *peers = instance->handle->peers;
  size_t low = 0, high = peri_peers_count(peers);

  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = strcmp(peri_peers_at(peers, middle)->address, address);
    if (order == 0) {
      lua_rawgeti(L, LUA_REGISTRYINDEX, instance->handle_ref);
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
  const struct peri_instance *instance = job->instance;

  lua_rawgeti(L, LUA_REGISTRYINDEX, instance->version->done);
  lua_rawgeti(L, LUA_REGISTRYINDEX, instance->self);
  lua_rawgeti(L, LUA_REGISTRYINDEX, instance->asked_ref);
  push_addressed(L, instance, job->address);
  push_outcome(L, job->outcome);
  lua_call(L, 4, 0);
  return 0;
}

static void run_done(struct balancer *balancer, struct done_job *job,
                     struct peri_instance *instance,
                     const struct peri_pick_request *request) {
  struct peri_vm *vm = instance->version->vm;

  instance->handle->now_ns = now_ns(balancer);
  instance->asked->request = request;
  int rc = peri_vm_run(vm, done_body, job, peri_vm_budget(vm, PERI_ENTRY_PICK));
  instance->asked->request = NULL;
  if (rc < 0) {
    peri_version_failed(instance->version);
  }
}

static void done(struct peri_balancer *base,
                 const struct peri_pick_request *request, const char *address,
                 const struct peri_outcome *outcome) {
  struct balancer *balancer = PERI_CONTAINER_OF(base, struct balancer, base);
  struct peri_seat *seat = &balancer->seat;
  struct peri_instance *instance = peri_seat_find(seat, request->version);
  struct done_job job = {instance, address, outcome};

  if (!instance || instance->version->done == LUA_NOREF) {
    return;
  }
  if (instance->handle && !instance->version->off) {
    run_done(balancer, &job, instance, request);
  }
  if (instance->open > 0) {
    peri_seat_release(seat, instance);
  }
}

static void free_balancer(struct peri_balancer *base) {
  if (!base) {
    return;
  }
  struct balancer *balancer = PERI_CONTAINER_OF(base, struct balancer, base);
  peri_seat_close(&balancer->seat);
  free(balancer);
}

// The vtable says whether outcomes are wanted, which each version may change.
static void changed(struct peri_seat *seat) {
  struct balancer *balancer = PERI_CONTAINER_OF(seat, struct balancer, seat);

  balancer->base.done = peri_seat_wants_done(seat) ? done : NULL;
}

int peri_balancer_make(struct peri_script *script,
                       const struct peri_policy_ref *ref,
                       struct peri_balancer **ret_balancer,
                       struct peri_problem *ret_problem) {
  struct balancer *balancer = calloc(1, sizeof(*balancer));

  if (!balancer) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  int rc =
      peri_seat_open(&balancer->seat, script, "balancer", ref, ret_problem);
  if (rc < 0) {
    free(balancer);
    return rc;
  }
  balancer->base = (struct peri_balancer){
      .update = update, .pick = pick, .free = free_balancer};
  balancer->seat.changed = changed;
  changed(&balancer->seat);
  *ret_balancer = &balancer->base;
  return 0;
}
