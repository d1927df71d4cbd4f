#include "script/instance.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/peers.h"
#include "script/asked.h"
#include "script/carry.h"
#include "script/convert.h"
#include "script/handle.h"
#include "script/policy.h"
#include "script/state.h"
#include "script/version.h"

struct making {
  struct peri_instance *instance;
  const struct peri_instance_init *init;
  struct peri_problem *problem;
  int rc;
};

static void import(lua_State *L, const struct making *making) {
  const struct peri_version *version = making->instance->version;

  if (!making->init->carried.ptr || version->imports == LUA_NOREF) {
    return;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, version->imports);
  lua_rawgeti(L, LUA_REGISTRYINDEX, making->instance->self);
  peri_carry_push(L, making->init->carried);
  lua_call(L, 2, 0);
}

static int make_body(lua_State *L, void *ctx) {
  struct making *making = ctx;
  struct peri_instance *instance = making->instance;

  lua_rawgeti(L, LUA_REGISTRYINDEX, instance->version->declaration);
  peri_convert_push(L, making->init->options);
  if (!lua_istable(L, 2)) {
    lua_settop(L, 1);
    lua_newtable(L);
  }
  making->rc = peri_policy_make(L, 1, 2, making->problem);
  if (making->rc < 0) {
    return 0;
  }
  instance->self = luaL_ref(L, LUA_REGISTRYINDEX);
  if (making->init->asks) {
    struct peri_asked_handle *asked = peri_asked_push(L);
    instance->asked_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    instance->asked = asked;
  }
  import(L, making);
  return 0;
}

static int make(struct making *making) {
  const struct peri_version *version = making->instance->version;
  struct peri_vm *vm = version->vm;
  struct peri_problem *problem = making->problem;
  char words[sizeof(problem->text)];

  vm->loading = true;
  int rc =
      peri_vm_run(vm, make_body, making, peri_vm_budget(vm, PERI_ENTRY_LOAD));
  vm->loading = false;
  if (rc < 0) {
    return peri_version_problem(version, problem);
  }
  if (making->rc == PERI_ECONFIG) {
    snprintf(words, sizeof(words), "%s", problem->text);
    peri_problem_set(problem, PERI_ECONFIG, "%s %s: %s", version->policy->kind,
                     version->policy->name, words);
  }
  return making->rc;
}

int peri_instance_new(struct peri_version *version,
                      const struct peri_instance_init *init,
                      struct peri_instance **ret_instance,
                      struct peri_problem *ret_problem) {
  struct peri_instance *instance = calloc(1, sizeof(*instance));
  struct peri_problem problem = {0, ""};
  struct making making = {instance, init, &problem, 0};

  if (!instance) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "%s %s: out of memory",
                            version->policy->kind, version->policy->name);
  }
  peri_list_init(&instance->link);
  instance->version = peri_version_ref(version);
  instance->self = LUA_NOREF;
  instance->handle_ref = LUA_NOREF;
  instance->asked_ref = LUA_NOREF;
  int rc = make(&making);
  if (rc < 0) {
    peri_instance_free(instance);
    return peri_problem_set(ret_problem, rc, "%s", problem.text);
  }
  *ret_instance = instance;
  return 0;
}

static void drop_handle(struct peri_instance *instance) {
  peri_handle_end(instance->handle);
  instance->handle = NULL;
  luaL_unref(peri_vm_lua(instance->version->vm), LUA_REGISTRYINDEX,
             instance->handle_ref);
  instance->handle_ref = LUA_NOREF;
}

void peri_instance_free(struct peri_instance *instance) {
  if (!instance) {
    return;
  }
  lua_State *L = peri_vm_lua(instance->version->vm);
  peri_list_remove(&instance->link);
  drop_handle(instance);
  luaL_unref(L, LUA_REGISTRYINDEX, instance->asked_ref);
  luaL_unref(L, LUA_REGISTRYINDEX, instance->self);
  peri_version_unref(instance->version);
  free(instance);
}

struct update_job {
  struct peri_instance *instance;
  struct peri_peers *peers;
  struct peri_load *const *loads;
  uint64_t now_ns;
};

static int update_body(lua_State *L, void *ctx) {
  const struct update_job *job = ctx;
  struct peri_instance *instance = job->instance;
  int update = instance->version->update;

  struct peri_peers_handle *handle = peri_handle_push(L, job->peers);
  handle->now_ns = job->now_ns;
  lua_pushvalue(L, -1);
  int ref = luaL_ref(L, LUA_REGISTRYINDEX);
  instance->handle = handle;
  instance->handle_ref = ref;
  if (job->loads && peri_handle_hold(handle, job->loads) < 0) {
    luaL_error(L, "out of memory");
  }
  if (update != LUA_NOREF) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, update);
    lua_rawgeti(L, LUA_REGISTRYINDEX, instance->self);
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    lua_call(L, 2, 0);
  }
  return 0;
}

int peri_instance_update(struct peri_instance *instance,
                         struct peri_peers *peers,
                         struct peri_load *const *loads, uint64_t now_ns) {
  struct peri_vm *vm = instance->version->vm;
  struct update_job job = {instance, peers, loads, now_ns};

  drop_handle(instance);
  int rc =
      peri_vm_run(vm, update_body, &job, peri_vm_budget(vm, PERI_ENTRY_UPDATE));
  if (rc < 0) {
    // Its state may be half of the old peers and half of the new.
    drop_handle(instance);
  }
  instance->ready = rc == 0;
  instance->spoilt = rc < 0;
  return rc;
}
