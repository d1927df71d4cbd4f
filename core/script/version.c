#include "script/version.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop/timer.h"
#include "model/config.h"
#include "script/lib.h"
#include "script/policy.h"
#include "script/script_private.h"
#include "script/sources.h"
#include "script/state.h"

struct loading {
  struct peri_version *version;
  struct peri_problem *problem;
  int rc;
};

static const char *path_of(const struct peri_version *version) {
  const struct peri_policy *policy = version->policy;
  char relative[PERI_SOURCES_NAME_BYTES];

  snprintf(relative, sizeof(relative), "%s/%s.lua", policy->kind, policy->name);
  const struct peri_source *source =
      peri_sources_find(version->sources, relative);
  return source ? source->path : "";
}

// The policy may have changed its declaration since it was checked.
static int keep_function(lua_State *L, const struct peri_version *version,
                         const char *name, bool needed) {
  lua_getfield(L, 1, name);
  if (lua_isnil(L, -1) && !needed) {
    lua_pop(L, 1);
    return LUA_NOREF;
  }
  if (!lua_isfunction(L, -1)) {
    luaL_error(L, "%s:1: %s must be a function, not a %s", path_of(version),
               name, luaL_typename(L, -1));
  }
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

static int load_body(lua_State *L, void *ctx) {
  struct loading *loading = ctx;
  struct peri_version *version = loading->version;
  const struct peri_policy *policy = version->policy;

  loading->rc =
      peri_policy_open(L, policy->kind, policy->name, loading->problem);
  if (loading->rc < 0) {
    return 0;
  }
  peri_policy_selftest(L, 1);
  lua_settop(L, 1);
  bool fetches = strcmp(policy->kind, "fallback") == 0;
  version->main = keep_function(L, version, fetches ? "fetch" : "pick", true);
  version->update =
      fetches ? LUA_NOREF : keep_function(L, version, "update", false);
  version->done =
      fetches ? LUA_NOREF : keep_function(L, version, "done", false);
  version->exports = keep_function(L, version, "export", false);
  version->imports = keep_function(L, version, "import", false);
  version->declaration = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

int peri_version_problem(const struct peri_version *version,
                         struct peri_problem *ret_problem) {
  const char *failure = peri_vm_failure(version->vm);

  return peri_problem_set(ret_problem, PERI_ESCRIPT, "%s %s: %.*s",
                          version->policy->kind, version->policy->name,
                          (int)strcspn(failure, "\n"), failure);
}

static int load(struct peri_version *version,
                struct peri_problem *ret_problem) {
  struct peri_vm *vm = version->vm;
  struct loading loading = {version, ret_problem, 0};

  vm->loading = true;
  int rc =
      peri_vm_run(vm, load_body, &loading, peri_vm_budget(vm, PERI_ENTRY_LOAD));
  vm->loading = false;
  if (rc < 0) {
    return peri_version_problem(version, ret_problem);
  }
  version->digest = peri_vm_digest(vm);
  version->path = path_of(version);
  return loading.rc;
}

static int no_memory(const struct peri_policy *policy,
                     struct peri_problem *ret_problem) {
  return peri_problem_set(ret_problem, PERI_ENOMEM, "%s %s: out of memory",
                          policy->kind, policy->name);
}

static int limit(struct peri_version *version) {
  struct peri_config_policies limits;

  if (version->config) {
    return peri_failing_init(&version->failing, &version->config->policies);
  }
  peri_config_policies_defaults(&limits);
  return peri_failing_init(&version->failing, &limits);
}

int peri_version_load(struct peri_policy *policy, struct peri_config *config,
                      struct peri_sources *sources, uint32_t number,
                      struct peri_version **ret_version,
                      struct peri_problem *ret_problem) {
  struct peri_vm_options options = policy->script->vm_options;
  struct peri_version *version = calloc(1, sizeof(*version));

  if (!version) {
    return no_memory(policy, ret_problem);
  }
  peri_list_init(&version->link);
  version->policy = policy;
  version->number = number;
  version->uses = 1;
  version->config = config ? peri_config_ref(config) : NULL;
  version->sources = peri_sources_ref(sources);
  options.kind = policy->kind;
  options.name = policy->name;
  options.config = version->config;
  options.sources = version->sources;
  if (limit(version) < 0 || peri_vm_new(&options, &version->vm) < 0) {
    peri_version_free(version);
    return no_memory(policy, ret_problem);
  }
  peri_metrics_show(version->vm, false);
  int rc = load(version, ret_problem);
  if (rc < 0) {
    peri_version_free(version);
    return rc;
  }
  *ret_version = version;
  return 0;
}

struct peri_version *peri_version_ref(struct peri_version *version) {
  version->uses++;
  return version;
}

void peri_version_free(struct peri_version *version) {
  peri_list_remove(&version->link);
  peri_vm_free(version->vm);
  peri_failing_done(&version->failing);
  peri_config_unref(version->config);
  peri_sources_unref(version->sources);
  free(version);
}

void peri_version_unref(struct peri_version *version) {
  if (!version || --version->uses > 0) {
    return;
  }
  struct peri_script *script = version->policy->script;
  if (!script->reaper) {
    peri_version_free(version);
    return;
  }
  // Its policy may go before it.
  version->policy = NULL;
  if (peri_list_empty(&script->dead)) {
    peri_timer_start(script->reaper, 1, 1);
  }
  peri_list_push(&script->dead, &version->link);
}
