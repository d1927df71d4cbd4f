#include "script/script_shim.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "model/config.h"
#include "model/peers.h"
#include "script/lib.h"
#include "script/script_private.h"
#include "script/sources.h"
#include "script/state.h"
#include "script/version.h"
#include "script/wait.h"

struct peri_vm *script_shim_vm(size_t memory_bytes, const char *lua_dir,
                               const char *plugins_dir) {
  struct peri_vm_options options = {.kind = "picker",
                                    .name = "spec",
                                    .lua_dir = lua_dir,
                                    .plugins_dir = plugins_dir,
                                    .memory_bytes = memory_bytes};
  struct peri_vm *vm = NULL;

  return peri_vm_new(&options, &vm) == 0 ? vm : NULL;
}

struct eval {
  const char *text;
  char *ret_text;
  size_t capacity;
};

static int eval(lua_State *L, void *ctx) {
  const struct eval *job = ctx;

  if (luaL_loadbuffer(L, job->text, strlen(job->text), "=eval") != 0) {
    lua_error(L);
  }
  lua_call(L, 0, 1);
  lua_getglobal(L, "tostring");
  lua_insert(L, -2);
  lua_call(L, 1, 1);
  snprintf(job->ret_text, job->capacity, "%s", lua_tostring(L, -1));
  return 0;
}

int script_shim_eval(struct peri_vm *vm, const char *text, uint64_t steps,
                     uint64_t time_ns, bool loading, char *ret_text,
                     size_t capacity) {
  struct eval job = {text, ret_text, capacity};
  struct peri_vm_budget budget = {steps, time_ns};

  vm->loading = loading;
  int rc = peri_vm_run(vm, eval, &job, budget);
  vm->loading = false;
  if (rc < 0) {
    snprintf(ret_text, capacity, "%s", peri_vm_failure(vm));
  }
  return rc;
}

static uint64_t cpu_ns(void) {
  struct timespec now = {0, 0};

  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t script_shim_eval_ns(struct peri_vm *vm, const char *text,
                             uint64_t steps, uint64_t time_ns) {
  char out[256];
  uint64_t start = cpu_ns();

  script_shim_eval(vm, text, steps, time_ns, false, out, sizeof(out));
  return cpu_ns() - start;
}

static void notice(void *ctx, const char *text) {
  struct script_shim *shim = ctx;

  shim->notices++;
  snprintf(shim->notice, sizeof(shim->notice), "%s", text);
}

static int make_config(struct script_shim *shim, const char *json,
                       struct peri_problem *problem) {
  struct peri_json *tree = NULL;
  struct peri_slice none = {NULL, 0};

  int rc = peri_json_parse(peri_slice_of(json), &tree, problem);
  if (rc == 0) {
    rc = peri_config_build("/spec.lua", none, tree, &shim->config, problem);
  }
  peri_json_unref(tree);
  return rc;
}

struct script_shim *script_shim_new(const char *config, const char *lua_dir,
                                    const char *plugins_dir,
                                    struct peri_problem *ret_problem) {
  struct script_shim *shim = calloc(1, sizeof(*shim));

  if (make_config(shim, config, ret_problem) < 0) {
    free(shim);
    return NULL;
  }
  peri_loop_new(&shim->loop);
  shim->metrics = peri_metrics_new();
  struct peri_script_options options = {.loop = shim->loop,
                                        .config = shim->config,
                                        .metrics = shim->metrics,
                                        .lua_dir = lua_dir,
                                        .plugins_dir = plugins_dir,
                                        .notice = notice,
                                        .notice_ctx = shim};
  shim->lua_dir = strdup(lua_dir);
  shim->plugins_dir = strdup(plugins_dir);
  peri_script_new(&options, &shim->script, ret_problem);
  shim->host = peri_script_host(shim->script);
  return shim;
}

// Policies that the configuration names stay with their versions.
static bool is_empty(struct peri_script *script) {
  struct peri_list *head = &script->policies;

  for (struct peri_list *at = head->next; at != head; at = at->next) {
    const struct peri_policy *policy =
        PERI_CONTAINER_OF(at, struct peri_policy, link);
    if (!policy->named || policy->seat_count > 0 || policy->next ||
        (policy->current && policy->current->uses != 1) ||
        (policy->previous && policy->previous->uses != 1)) {
      return false;
    }
  }
  return true;
}

bool script_shim_free(struct script_shim *shim) {
  peri_script_abort(shim->script);
  bool empty = is_empty(shim->script);

  peri_script_free(shim->script);
  bool closed = peri_loop_free(shim->loop) == 0;
  peri_metrics_free(shim->metrics);
  peri_config_unref(shim->config);
  free(shim->lua_dir);
  free(shim->plugins_dir);
  free(shim);
  return empty && closed;
}

static void prepared(void *ctx, const struct peri_script_failure *failures,
                     size_t count) {
  struct script_shim *shim = ctx;
  size_t used = 0;

  shim->prepared++;
  shim->failure_count = count;
  shim->failures[0] = '\0';
  for (size_t i = 0; i < count && used < sizeof(shim->failures); i++) {
    used +=
        (size_t)snprintf(shim->failures + used, sizeof(shim->failures) - used,
                         "%s/%s %d: %s\n", failures[i].kind, failures[i].name,
                         failures[i].problem.code, failures[i].problem.text);
  }
}

int script_shim_prepare(struct script_shim *shim, const char *config,
                        const char *force) {
  struct peri_config *fresh = peri_config_ref(shim->config);
  struct peri_sources *sources = NULL;
  struct peri_json *tree = NULL;
  int rc = 0;

  shim->prepared = 0;
  if (config) {
    peri_config_unref(fresh);
    peri_json_parse(peri_slice_of(config), &tree, NULL);
    rc = peri_config_build("/spec/perigee.lua", peri_slice_of(""), tree, &fresh,
                           NULL);
    peri_json_unref(tree);
  }
  if (rc < 0) {
    return rc;
  }
  rc = peri_sources_read(fresh, shim->plugins_dir, shim->lua_dir, &sources,
                         NULL);
  if (rc == 0) {
    rc = peri_script_prepare(shim->script, config ? fresh : NULL, sources,
                             force, prepared, shim);
  }
  peri_sources_unref(sources);
  peri_config_unref(fresh);
  return rc;
}

int script_shim_prepared(struct script_shim *shim, uint64_t max_ms) {
  uint64_t end = peri_clock_mono_ns() + max_ms * 1000000u;
  int turns = 0;

  while (shim->prepared == 0) {
    if (peri_clock_mono_ns() > end) {
      return -1;
    }
    peri_loop_step(shim->loop, 5);
    turns++;
  }
  return turns;
}

void script_shim_step(struct script_shim *shim, uint64_t max_ms) {
  peri_loop_step(shim->loop, max_ms);
}

uint64_t script_shim_now_ns(void) {
  return peri_clock_mono_ns();
}

struct looking {
  const char *kind, *name;
  struct script_shim_policy *policy;
  bool found;
};

static void look(void *ctx, const struct peri_script_policy *policy) {
  struct looking *looking = ctx;
  struct script_shim_policy *shown = looking->policy;

  if (strcmp(policy->kind, looking->kind) != 0 ||
      strcmp(policy->name, looking->name) != 0) {
    return;
  }
  looking->found = true;
  shown->version = policy->version;
  shown->previous = policy->previous;
  shown->seats = policy->seats;
  shown->digest = policy->digest;
  shown->off_ms = policy->off_ms;
  shown->calls = policy->calls;
  shown->errors = policy->errors;
  shown->off = policy->off;
  shown->bytes = policy->bytes;
  snprintf(shown->path, sizeof(shown->path), "%s", policy->path);
  snprintf(shown->last_error, sizeof(shown->last_error), "%s",
           policy->last_error);
}

bool script_shim_policy(struct script_shim *shim, const char *kind,
                        const char *name,
                        struct script_shim_policy *ret_policy) {
  struct looking looking = {kind, name, ret_policy, false};

  peri_script_each(shim->script, look, &looking);
  return looking.found;
}

struct sleeper {
  struct peri_wait wait;
  struct peri_timer *timer;
  struct script_shim *shim;
  bool badly;
  char result[64];
};

static int push_result(lua_State *L, void *ctx) {
  const struct sleeper *sleeper = ctx;

  if (sleeper->badly) {
    luaL_error(L, "slept badly");
  }
  lua_pushstring(L, sleeper->result);
  return 1;
}

static void wake(void *ctx) {
  struct sleeper *sleeper = ctx;

  peri_timer_free(sleeper->timer);
  peri_wait_done(&sleeper->wait, push_result, sleeper);
  free(sleeper);
}

static void cancel_sleep(struct peri_wait *wait) {
  struct sleeper *sleeper = PERI_CONTAINER_OF(wait, struct sleeper, wait);

  sleeper->shim->cancels++;
  peri_timer_free(sleeper->timer);
  free(sleeper);
}

static int sleep_for(lua_State *L) {
  lua_Integer ms = luaL_checkinteger(L, 1);
  const char *result = luaL_optstring(L, 2, "slept");

  peri_wait_check(L, "sleep");
  struct sleeper *sleeper = calloc(1, sizeof(*sleeper));
  snprintf(sleeper->result, sizeof(sleeper->result), "%s", result);
  sleeper->shim = lua_touserdata(L, lua_upvalueindex(1));
  sleeper->badly = lua_toboolean(L, lua_upvalueindex(2));
  sleeper->wait.cancel = cancel_sleep;
  peri_timer_new(peri_vm_loop(peri_vm_of(L)), wake, sleeper, &sleeper->timer);
  peri_timer_start(sleeper->timer, (uint64_t)ms, 0);
  return peri_wait_yield(L, &sleeper->wait);
}

static int add_sleepers(lua_State *L, void *ctx) {
  lua_pushlightuserdata(L, ctx);
  lua_pushboolean(L, false);
  lua_pushcclosure(L, sleep_for, 2);
  lua_setglobal(L, "sleep");
  lua_pushlightuserdata(L, ctx);
  lua_pushboolean(L, true);
  lua_pushcclosure(L, sleep_for, 2);
  lua_setglobal(L, "sleep_badly");
  return 0;
}

int script_shim_sleepers(struct script_shim *shim) {
  struct peri_list *head = &shim->script->policies;
  struct peri_vm_budget budget = {1000000, 1000000000};

  for (struct peri_list *at = head->next; at != head; at = at->next) {
    struct peri_policy *policy =
        PERI_CONTAINER_OF(at, struct peri_policy, link);
    struct peri_version *versions[] = {policy->current, policy->previous,
                                       policy->next};
    for (int i = 0; i < 3; i++) {
      int rc = versions[i]
                   ? peri_vm_run(versions[i]->vm, add_sleepers, shim, budget)
                   : 0;
      if (rc < 0) {
        return rc;
      }
    }
  }
  return 0;
}

struct peri_peers *script_shim_peers(const char *const *addresses, size_t count,
                                     const char *self) {
  struct peri_endpoint_init inits[64] = {
      {{NULL, 0}, {NULL, 0}, 0, false, NULL}};
  struct peri_json *metadata = NULL;
  struct peri_peers *peers = NULL;

  peri_json_parse(peri_slice_of("{\"rack\":\"r1\",\"tags\":[1,2]}"), &metadata,
                  NULL);
  for (size_t i = 0; i < count && i < 64; i++) {
    inits[i].address = peri_slice_of(addresses[i]);
    inits[i].zone = peri_slice_of("zone-a");
    inits[i].weight = (uint32_t)i + 1;
    inits[i].metadata = metadata;
  }
  peri_peers_new("orders", inits, count, peri_slice_of(self), &peers, NULL);
  peri_json_unref(metadata);
  return peers;
}

static void done(void *ctx, const struct peri_fetch_result *result) {
  struct script_outcome *outcome = ctx;

  outcome->calls++;
  outcome->code = result->code;
  outcome->ttl_ns = result->ttl_ns;
  outcome->negative_ttl_ns = result->negative_ttl_ns;
  outcome->value_len = result->value.len;
  size_t kept = result->value.len < 256 ? result->value.len : 256;
  if (kept > 0) {
    memcpy(outcome->value, result->value.ptr, kept);
  }
  snprintf(outcome->text, sizeof(outcome->text), "%.*s", (int)result->text.len,
           result->text.ptr ? result->text.ptr : "");
  if (outcome->free_me) {
    outcome->free_me->free(outcome->free_me);
  }
}

int script_shim_fetch(struct peri_fallback *fallback, const char *key,
                      const char *cause, const char *peer, uint64_t timeout_ms,
                      struct script_outcome *outcome,
                      struct peri_fetch **ret_fetch) {
  struct peri_fetch_request request = {.group = peri_slice_of("countries"),
                                       .key = peri_slice_of(key),
                                       .cause = cause,
                                       .peer = peri_slice_of(peer),
                                       .timeout_ms = timeout_ms};

  return fallback->fetch(fallback, &request, done, outcome, ret_fetch);
}

void script_shim_wait(struct script_shim *shim,
                      const struct script_outcome *outcome, uint64_t max_ms) {
  uint64_t end = peri_clock_mono_ns() + max_ms * 1000000u;

  while (outcome->calls == 0 && peri_clock_mono_ns() < end) {
    peri_loop_step(shim->loop, 5);
  }
}

static struct peri_policy_ref make_ref(const char *name, const char *options,
                                       struct peri_json **ret_json) {
  struct peri_policy_ref ref = {.name = name};

  *ret_json = NULL;
  if (options) {
    peri_json_parse(peri_slice_of(options), ret_json, NULL);
    ref.options = *ret_json;
  }
  return ref;
}

int script_shim_picker(struct script_shim *shim, const char *name,
                       const char *options, struct peri_picker **ret_picker,
                       struct peri_problem *ret_problem) {
  struct peri_json *json = NULL;
  struct peri_policy_ref ref = make_ref(name, options, &json);

  int rc = shim->host->picker(shim->host, &ref, ret_picker, ret_problem);
  peri_json_unref(json);
  return rc;
}

int script_shim_fallback(struct script_shim *shim, const char *name,
                         const char *options,
                         struct peri_fallback **ret_fallback,
                         struct peri_problem *ret_problem) {
  struct peri_json *json = NULL;
  struct peri_policy_ref ref = make_ref(name, options, &json);

  int rc = shim->host->fallback(shim->host, &ref, ret_fallback, ret_problem);
  peri_json_unref(json);
  return rc;
}

int script_shim_update(struct peri_picker *picker, struct peri_peers *peers) {
  return picker->update(picker, peers);
}

int script_shim_pick(struct peri_picker *picker, const char *key,
                     size_t *ret_index) {
  struct peri_choice choice;
  int rc = picker->pick(picker, peri_slice_of(key), &choice);
  if (rc == 0) {
    *ret_index = choice.index;
  }
  return rc;
}

double script_shim_pick_ns(struct peri_picker *picker, const char *key,
                           int rounds) {
  struct peri_slice slice = peri_slice_of(key);
  struct peri_choice choice;
  uint64_t start = cpu_ns();

  for (int i = 0; i < rounds; i++) {
    picker->pick(picker, slice, &choice);
  }
  return (double)(cpu_ns() - start) / rounds;
}

void script_shim_cancel(struct peri_fallback *fallback,
                        struct peri_fetch *fetch) {
  fallback->cancel(fallback, fetch);
}

void script_shim_free_picker(struct peri_picker *picker) {
  picker->free(picker);
}

void script_shim_free_fallback(struct peri_fallback *fallback) {
  fallback->free(fallback);
}
