#include "script/instance.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/hash.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "model/policy.h"
#include "script/convert.h"
#include "script/policy.h"
#include "script/state.h"

static const struct peri_vm_budget load_budget = {20000000, 500000000};

static void unload(struct peri_policy *policy) {
  peri_list_remove(&policy->link);
  peri_vm_free(policy->vm);
  free(policy);
}

static struct peri_metric *errors_metric(const struct peri_policy *policy) {
  struct peri_metrics *metrics = peri_vm_metrics(policy->vm);
  char labels[128] = "";

  if (!metrics) {
    return NULL;
  }
  peri_metrics_label(labels, sizeof(labels), "kind",
                     peri_slice_of(policy->kind));
  peri_metrics_label(labels, sizeof(labels), "name",
                     peri_slice_of(policy->name));
  return peri_metrics_counter(metrics, "perigee_policy_errors_total",
                              "Failures of policies: raised, over budget, or "
                              "nonsense returned.",
                              labels);
}

static int find(struct peri_script *script, const char *kind, const char *name,
                struct peri_policy **ret_policy) {
  struct peri_list *head = peri_script_policies(script);

  for (struct peri_list *at = head->next; at != head; at = at->next) {
    struct peri_policy *policy =
        PERI_CONTAINER_OF(at, struct peri_policy, link);
    if (strcmp(policy->kind, kind) == 0 && strcmp(policy->name, name) == 0) {
      *ret_policy = policy;
      return 0;
    }
  }
  struct peri_vm_options options = *peri_script_vm_options(script);
  struct peri_policy *policy = calloc(1, sizeof(*policy));
  if (!policy) {
    return PERI_ENOMEM;
  }
  options.kind = kind;
  options.name = name;
  if (peri_vm_new(&options, &policy->vm) < 0) {
    free(policy);
    return PERI_ENOMEM;
  }
  policy->script = script;
  policy->kind = kind;
  snprintf(policy->name, sizeof(policy->name), "%s", name);
  policy->declaration = LUA_NOREF;
  policy->errors = errors_metric(policy);
  peri_list_push(head, &policy->link);
  *ret_policy = policy;
  return 0;
}

struct making {
  struct peri_policy *policy;
  const struct peri_json *options;
  struct peri_instance *instance;
  struct peri_problem *problem;
  int rc;
};

static int keep_function(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return LUA_NOREF;
  }
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

static int make(lua_State *L, void *ctx) {
  struct making *making = ctx;
  struct peri_policy *policy = making->policy;
  struct peri_instance *instance = making->instance;

  making->rc = peri_policy_open(L, policy->kind, policy->name, making->problem);
  if (making->rc < 0) {
    return 0;
  }
  peri_convert_push(L, making->options);
  if (!lua_istable(L, 2)) {
    lua_settop(L, 1);
    lua_newtable(L);
  }
  making->rc = peri_policy_make(L, 1, 2, making->problem);
  if (making->rc < 0) {
    return 0;
  }
  bool fetches = strcmp(policy->kind, "fallback") == 0;
  instance->self = luaL_ref(L, LUA_REGISTRYINDEX);
  instance->main = keep_function(L, fetches ? "fetch" : "pick");
  instance->update = fetches ? LUA_NOREF : keep_function(L, "update");
  instance->done = fetches ? LUA_NOREF : keep_function(L, "done");
  return 0;
}

static int load(struct making *making) {
  struct peri_policy *policy = making->policy;
  struct peri_problem *problem = making->problem;
  char words[sizeof(problem->text)];

  policy->vm->loading = true;
  int rc = peri_vm_run(policy->vm, make, making, load_budget);
  policy->vm->loading = false;
  if (rc < 0) {
    const char *failure = peri_vm_failure(policy->vm);
    int line = (int)strcspn(failure, "\n");
    return peri_problem_set(problem, rc, "%s %s: %.*s", policy->kind,
                            policy->name, line, failure);
  }
  if (making->rc == PERI_ECONFIG) {
    snprintf(words, sizeof(words), "%s", problem ? problem->text : "");
    peri_problem_set(problem, PERI_ECONFIG, "%s %s: %s", policy->kind,
                     policy->name, words);
  }
  return making->rc;
}

int peri_instance_new(struct peri_script *script, const char *kind,
                      const struct peri_policy_ref *ref,
                      struct peri_instance *ret_instance,
                      struct peri_problem *ret_problem) {
  struct peri_instance instance = {NULL, LUA_NOREF, LUA_NOREF, LUA_NOREF,
                                   LUA_NOREF};
  struct peri_problem problem = {0, ""};

  if (!ref->name || !peri_policy_name_ok(ref->name)) {
    return peri_problem_set(
        ret_problem, PERI_ENOTFOUND,
        "\"%.80s\" cannot be a %s's name: only a-z, 0-9 and _ can be in it",
        ref->name ? ref->name : "", kind);
  }
  int rc = find(script, kind, ref->name, &instance.policy);
  if (rc < 0) {
    return peri_problem_set(ret_problem, rc, "%s %s: out of memory", kind,
                            ref->name);
  }
  struct making making = {instance.policy, ref->options, &instance, &problem,
                          0};
  rc = load(&making);
  instance.policy->uses++;
  if (rc < 0) {
    peri_instance_done(&instance);
    return peri_problem_set(ret_problem, rc, "%s", problem.text);
  }
  *ret_instance = instance;
  return 0;
}

void peri_instance_done(struct peri_instance *instance) {
  struct peri_policy *policy = instance->policy;

  if (!policy) {
    return;
  }
  instance->policy = NULL;
  if (--policy->uses == 0) {
    unload(policy);
    return;
  }
  lua_State *L = peri_vm_lua(policy->vm);
  luaL_unref(L, LUA_REGISTRYINDEX, instance->self);
  luaL_unref(L, LUA_REGISTRYINDEX, instance->main);
  luaL_unref(L, LUA_REGISTRYINDEX, instance->update);
  luaL_unref(L, LUA_REGISTRYINDEX, instance->done);
}

static bool is_new(struct peri_policy *policy, const char *text) {
  struct peri_slice line = {text, strcspn(text, "\n")};
  uint64_t hash = peri_hash_xxh3(line, 0);

  for (uint32_t i = 0; i < policy->seen_count; i++) {
    if (policy->seen[i] == hash) {
      return false;
    }
  }
  if (policy->seen_count == PERI_POLICY_SEEN) {
    return false;
  }
  policy->seen[policy->seen_count++] = hash;
  return true;
}

void peri_policy_report(struct peri_policy *policy) {
  const char *failure = peri_vm_failure(policy->vm);
  char text[4096];

  if (policy->errors) {
    peri_metric_add(policy->errors, 1);
  }
  if (is_new(policy, failure)) {
    snprintf(text, sizeof(text), "%s %s: %s", policy->kind, policy->name,
             failure);
    peri_script_tell(policy->script, text);
  }
}
