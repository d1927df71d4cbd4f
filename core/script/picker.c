#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>

#include "base/container.h"
#include "model/peers.h"
#include "model/policy.h"
#include "script/handle.h"
#include "script/instance.h"

// A picker in Lua. Its peers' handle is anchored in the registry.
struct picker {
  struct peri_picker base;
  struct peri_instance instance;
  struct peri_peers_handle *handle;  // NULL before update() and when it failed
  int handle_ref;
};

static const struct peri_vm_budget pick_budget = {
    500000, UINT64_C(1000000) * PERI_SLOWDOWN};
static const struct peri_vm_budget update_budget = {
    5000000, UINT64_C(5000000) * PERI_SLOWDOWN};

struct update_job {
  struct picker *picker;
  struct peri_peers *peers;
};

static int update_body(lua_State *L, void *ctx) {
  struct update_job *job = ctx;
  struct picker *picker = job->picker;

  struct peri_peers_handle *handle = peri_handle_push(L, job->peers);
  lua_pushvalue(L, 1);
  int ref = luaL_ref(L, LUA_REGISTRYINDEX);
  picker->handle = handle;
  picker->handle_ref = ref;
  if (picker->instance.update != LUA_NOREF) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, picker->instance.update);
    lua_rawgeti(L, LUA_REGISTRYINDEX, picker->instance.self);
    lua_pushvalue(L, 1);
    lua_call(L, 2, 0);
  }
  return 0;
}

static void drop_handle(struct picker *picker) {
  lua_State *L = peri_vm_lua(picker->instance.policy->vm);

  peri_handle_end(picker->handle);
  picker->handle = NULL;
  luaL_unref(L, LUA_REGISTRYINDEX, picker->handle_ref);
  picker->handle_ref = LUA_NOREF;
}

static int update(struct peri_picker *base, struct peri_peers *peers) {
  struct picker *picker = PERI_CONTAINER_OF(base, struct picker, base);
  struct peri_policy *policy = picker->instance.policy;
  struct update_job job = {picker, peers};

  drop_handle(picker);
  int rc = peri_vm_run(policy->vm, update_body, &job, update_budget);
  if (rc == 0) {
    return 0;
  }
  // Its state may be half of the old peers and half of the new: no picks until
  // an update succeeds.
  drop_handle(picker);
  peri_policy_report(policy);
  return PERI_ESCRIPT;
}

struct pick_job {
  struct picker *picker;
  struct peri_slice key;
  size_t index;
  bool found;
};

// Raises for the results at -2 and -1, naming where pick was written.
static void nonsense(lua_State *L, const struct picker *picker) {
  lua_Debug at;

  lua_rawgeti(L, LUA_REGISTRYINDEX, picker->instance.main);
  lua_getinfo(L, ">S", &at);
  if (lua_isnil(L, -2) && lua_isstring(L, -1)) {
    luaL_error(L, "%s:%d: pick found no peer: %s", at.short_src, at.linedefined,
               lua_tostring(L, -1));
  }
  bool ended = lua_isuserdata(L, -2);
  luaL_error(L, "%s:%d: pick must return one of its peers, not %s",
             at.short_src, at.linedefined,
             ended ? "something else" : luaL_typename(L, -2));
}

static int pick_body(lua_State *L, void *ctx) {
  struct pick_job *job = ctx;
  const struct picker *picker = job->picker;

  lua_rawgeti(L, LUA_REGISTRYINDEX, picker->instance.main);
  lua_rawgeti(L, LUA_REGISTRYINDEX, picker->instance.self);
  lua_pushlstring(L, job->key.ptr, job->key.len);
  lua_rawgeti(L, LUA_REGISTRYINDEX, picker->handle_ref);
  lua_call(L, 3, 2);
  job->found = peri_handle_endpoint(L, -2, picker->handle, &job->index);
  if (!job->found) {
    nonsense(L, picker);
  }
  return 0;
}

static int pick(struct peri_picker *base, struct peri_slice key,
                struct peri_choice *ret_choice) {
  struct picker *picker = PERI_CONTAINER_OF(base, struct picker, base);
  struct peri_policy *policy = picker->instance.policy;
  struct pick_job job = {picker, key, 0, false};

  *ret_choice = (struct peri_choice){0};
  if (!picker->handle) {
    return PERI_ESCRIPT;
  }
  if (peri_vm_run(policy->vm, pick_body, &job, pick_budget) < 0) {
    peri_policy_report(policy);
    return PERI_ESCRIPT;
  }
  ret_choice->version = 1;
  ret_choice->index = job.index;
  return 0;
}

static void free_picker(struct peri_picker *base) {
  if (!base) {
    return;
  }
  struct picker *picker = PERI_CONTAINER_OF(base, struct picker, base);
  drop_handle(picker);
  peri_instance_done(&picker->instance);
  free(picker);
}

int peri_picker_make(struct peri_script *script,
                     const struct peri_policy_ref *ref,
                     struct peri_picker **ret_picker,
                     struct peri_problem *ret_problem) {
  struct picker *picker = calloc(1, sizeof(*picker));

  if (!picker) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  int rc =
      peri_instance_new(script, "picker", ref, &picker->instance, ret_problem);
  if (rc < 0) {
    free(picker);
    return rc;
  }
  picker->handle_ref = LUA_NOREF;
  picker->base = (struct peri_picker){picker->instance.policy->name, update,
                                      pick, free_picker};
  *ret_picker = &picker->base;
  return 0;
}
