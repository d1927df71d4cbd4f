#include "script/script.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/slice.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "model/config.h"
#include "script/lib.h"
#include "script/script_private.h"
#include "script/seat.h"
#include "script/sources.h"

enum { NS_A_MS = 1000000 };

static struct peri_script *script_of(struct peri_policy_host *host) {
  return PERI_CONTAINER_OF(host, struct peri_script, host);
}

static int host_picker(struct peri_policy_host *host,
                       const struct peri_policy_ref *ref,
                       struct peri_picker **ret_picker,
                       struct peri_problem *ret_problem) {
  return peri_picker_make(script_of(host), ref, ret_picker, ret_problem);
}

static int host_fallback(struct peri_policy_host *host,
                         const struct peri_policy_ref *ref,
                         struct peri_fallback **ret_fallback,
                         struct peri_problem *ret_problem) {
  return peri_fallback_make(script_of(host), ref, ret_fallback, ret_problem);
}

static int host_balancer(struct peri_policy_host *host,
                         const struct peri_policy_ref *ref,
                         struct peri_balancer **ret_balancer,
                         struct peri_problem *ret_problem) {
  return peri_balancer_make(script_of(host), ref, ret_balancer, ret_problem);
}

static char *copy(const char *text, bool *ret_failed) {
  struct peri_slice slice = peri_slice_of(text);
  char *twin = text ? peri_slice_dup(slice) : NULL;

  if (text && !twin) {
    *ret_failed = true;
  }
  return twin;
}

static void reap_one(struct peri_script *script) {
  peri_version_free(
      PERI_CONTAINER_OF(script->dead.next, struct peri_version, link));
}

// One in each turn: closing a VM takes a while.
static void reap(void *ctx) {
  struct peri_script *script = ctx;

  reap_one(script);
  if (peri_list_empty(&script->dead)) {
    peri_timer_stop(script->reaper);
  }
}

static int take_sources(struct peri_script *script,
                        const struct peri_script_options *options,
                        struct peri_problem *ret_problem) {
  if (options->sources) {
    script->sources = peri_sources_ref(options->sources);
    return 0;
  }
  return peri_sources_read(options->config, script->plugins_dir,
                           script->lua_dir, &script->sources, ret_problem);
}

static int set_up(struct peri_script *script,
                  const struct peri_script_options *options,
                  struct peri_problem *ret_problem) {
  struct peri_vm_options *vm = &script->vm_options;
  bool failed = false;

  script->notice = options->notice;
  script->notice_ctx = options->notice_ctx;
  script->lua_dir = copy(options->lua_dir, &failed);
  script->plugins_dir = copy(options->plugins_dir, &failed);
  script->share = peri_share_new();
  vm->config = options->config ? peri_config_ref(options->config) : NULL;
  vm->loop = options->loop;
  vm->metrics = options->metrics;
  vm->lua_dir = script->lua_dir;
  vm->plugins_dir = script->plugins_dir;
  vm->share = script->share;
  if (vm->loop) {
    failed =
        failed || peri_timer_new(vm->loop, reap, script, &script->reaper) < 0;
  }
  if (failed || !script->share) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  return take_sources(script, options, ret_problem);
}

int peri_script_new(const struct peri_script_options *options,
                    struct peri_script **ret_script,
                    struct peri_problem *ret_problem) {
  struct peri_script *script = calloc(1, sizeof(*script));

  if (!script) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  peri_list_init(&script->policies);
  peri_list_init(&script->dead);
  script->host.picker = host_picker;
  script->host.fallback = host_fallback;
  script->host.balancer = host_balancer;
  int rc = set_up(script, options, ret_problem);
  if (rc < 0) {
    peri_script_free(script);
    return rc;
  }
  *ret_script = script;
  return 0;
}

struct peri_policy_host *peri_script_host(struct peri_script *script) {
  return &script->host;
}

static void let_go(struct peri_script *script) {
  struct peri_list *at = script->policies.next;

  while (at != &script->policies) {
    struct peri_policy *policy =
        PERI_CONTAINER_OF(at, struct peri_policy, link);
    at = at->next;
    policy->named = false;
    peri_policy_settle(policy);
  }
  while (!peri_list_empty(&script->dead)) {
    reap_one(script);
  }
}

void peri_script_free(struct peri_script *script) {
  if (!script) {
    return;
  }
  peri_script_abort(script);
  let_go(script);
  peri_timer_free(script->reaper);
  peri_share_free(script->share);
  peri_config_unref(script->vm_options.config);
  peri_sources_unref(script->sources);
  free(script->lua_dir);
  free(script->plugins_dir);
  free(script);
}

uint64_t peri_script_now_ns(const struct peri_script *script) {
  struct peri_loop *loop = script->vm_options.loop;

  return loop ? peri_loop_now_ns(loop) : peri_clock_mono_ns();
}

void peri_script_tell(struct peri_script *script, const char *text) {
  if (script->notice) {
    script->notice(script->notice_ctx, text);
  }
}

int peri_script_rollback(struct peri_script *script, const char *kind,
                         const char *name, struct peri_problem *ret_problem) {
  struct peri_policy *policy = peri_policy_find(script, kind, name);

  if (!policy || !policy->current) {
    return peri_problem_set(ret_problem, PERI_ENOTFOUND,
                            "no %s \"%s\" is in use", kind, name);
  }
  if (!policy->previous) {
    return peri_problem_set(ret_problem, PERI_ENOTFOUND,
                            "%s %s has no version before %u", kind, name,
                            policy->current->number);
  }
  for (struct peri_list *at = policy->seats.next; at != &policy->seats;
       at = at->next) {
    peri_seat_swap(PERI_CONTAINER_OF(at, struct peri_seat, link));
  }
  peri_policy_swap(policy);
  return 0;
}

static void show(const struct peri_policy *policy,
                 void (*visit)(void *ctx,
                               const struct peri_script_policy *policy),
                 void *ctx) {
  const struct peri_version *current = policy->current;
  const struct peri_failing *failing = &current->failing;
  uint64_t now_ns = peri_script_now_ns(policy->script);
  struct peri_script_policy shown = {
      .kind = policy->kind,
      .name = policy->name,
      .path = current->path,
      .version = current->number,
      .previous = policy->previous ? policy->previous->number : 0,
      .digest = current->digest,
      .off = current->off,
      .calls = policy->calls,
      .errors = policy->errors,
      .bytes = peri_vm_bytes(current->vm),
      .seats = policy->seat_count,
      .last_error = failing->last,
  };

  if (current->off && failing->try_ns > now_ns) {
    shown.off_ms = (failing->try_ns - now_ns) / NS_A_MS;
  }
  visit(ctx, &shown);
}

void peri_script_each(struct peri_script *script,
                      void (*visit)(void *ctx,
                                    const struct peri_script_policy *policy),
                      void *ctx) {
  struct peri_list *head = &script->policies;

  for (struct peri_list *at = head->next; at != head; at = at->next) {
    const struct peri_policy *policy =
        PERI_CONTAINER_OF(at, struct peri_policy, link);
    if (policy->current && !policy->orphaned) {
      show(policy, visit, ctx);
    }
  }
}
