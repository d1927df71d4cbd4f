#include "script/prepare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "loop/timer.h"
#include "model/config.h"
#include "model/policy.h"
#include "script/named.h"
#include "script/policy.h"
#include "script/script.h"
#include "script/script_private.h"
#include "script/seat.h"
#include "script/sources.h"

// One turn of the loop ends after a piece of work that is over this.
enum { SLICE_NS = 1000000 };

static struct peri_script *script_of(struct peri_prepare *prepare) {
  return PERI_CONTAINER_OF(prepare, struct peri_script, prepare);
}

static void forgo(struct peri_policy *policy) {
  for (struct peri_list *at = policy->seats.next; at != &policy->seats;
       at = at->next) {
    peri_seat_forgo(PERI_CONTAINER_OF(at, struct peri_seat, link));
  }
  peri_version_unref(policy->next);
  policy->next = NULL;
  policy->waiting = false;
}

static void refuse(struct peri_prepare *prepare, struct peri_policy *policy,
                   const struct peri_problem *problem) {
  // There is room for one of each policy that waits.
  struct peri_script_failure *failure =
      &prepare->failures[prepare->failure_count++];

  failure->kind = policy->kind;
  failure->name = policy->name;
  failure->problem = *problem;
  forgo(policy);
}

static bool is_forced(const struct peri_prepare *prepare,
                      const struct peri_policy *policy) {
  const char *force = prepare->force;
  size_t len = strlen(policy->kind);

  if (!force) {
    return false;
  }
  return strcmp(force, "*") == 0 ||
         (strncmp(force, policy->kind, len) == 0 && force[len] == '/' &&
          strcmp(force + len + 1, policy->name) == 0);
}

static bool same_files(const struct peri_config *a,
                       const struct peri_config *b) {
  if (a->file_count != b->file_count) {
    return false;
  }
  for (size_t i = 0; i < a->file_count; i++) {
    if (strcmp(a->files[i], b->files[i]) != 0) {
      return false;
    }
  }
  return true;
}

// Whether two configurations let a policy do the same.
static bool same_rules(const struct peri_config *a,
                       const struct peri_config *b) {
  if (a == b || !a || !b) {
    return a == b;
  }
  return memcmp(&a->policies, &b->policies, sizeof(a->policies)) == 0 &&
         same_files(a, b);
}

static bool is_unchanged(const struct peri_prepare *prepare,
                         const struct peri_policy *policy) {
  const struct peri_version *latest = peri_policy_latest(policy);

  return latest && !is_forced(prepare, policy) &&
         same_rules(latest->config, prepare->config) &&
         peri_vm_same(latest->vm, prepare->sources);
}

static struct peri_seat *unprepared(const struct peri_policy *policy) {
  for (struct peri_list *at = policy->seats.next; at != &policy->seats;
       at = at->next) {
    struct peri_seat *seat = PERI_CONTAINER_OF(at, struct peri_seat, link);
    if (!seat->next && !seat->stays) {
      return seat;
    }
  }
  return NULL;
}

// Does one piece of the work on a policy.
static void work(struct peri_prepare *prepare, struct peri_policy *policy) {
  struct peri_problem problem = {0, ""};
  int rc = 0;

  if (!policy->next && is_unchanged(prepare, policy)) {
    policy->waiting = false;
    return;
  }
  if (!policy->next) {
    rc = peri_version_load(policy, prepare->config, prepare->sources,
                           policy->made + 1, &policy->next, &problem);
  } else {
    struct peri_seat *seat = unprepared(policy);
    if (seat) {
      rc = peri_seat_prepare(seat, &problem);
    } else {
      policy->waiting = false;
    }
  }
  if (rc < 0) {
    refuse(prepare, policy, &problem);
  }
}

static struct peri_policy *first_waiting(struct peri_script *script) {
  struct peri_list *head = &script->policies;

  for (struct peri_list *at = head->next; at != head; at = at->next) {
    struct peri_policy *policy =
        PERI_CONTAINER_OF(at, struct peri_policy, link);
    if (policy->waiting) {
      return policy;
    }
  }
  return NULL;
}

static void finish(struct peri_prepare *prepare) {
  struct peri_script_failure *failures = prepare->failures;

  prepare->ready = true;
  prepare->failures = NULL;
  prepare->done(prepare->ctx, failures, prepare->failure_count);
  free(failures);
}

static void step(void *ctx) {
  struct peri_prepare *prepare = ctx;
  uint64_t start = peri_clock_mono_ns();

  do {
    struct peri_policy *policy = first_waiting(script_of(prepare));
    if (!policy) {
      finish(prepare);
      return;
    }
    work(prepare, policy);
  } while (peri_clock_mono_ns() - start < SLICE_NS);
  peri_turn_request(&prepare->turn);
}

// A timer set to now by a timer would run before anything else does.
static void go_on(struct peri_turn *turn) {
  struct peri_prepare *prepare =
      PERI_CONTAINER_OF(turn, struct peri_prepare, turn);

  peri_timer_start(prepare->timer, 0, 0);
}

static int take_name(void *ctx, const char *kind,
                     const struct peri_policy_ref *ref) {
  struct peri_policy *policy;

  if (!peri_policy_name_ok(ref->name)) {
    return 0;  // Its object cannot be made, which says why.
  }
  int rc = peri_policy_get(ctx, kind, ref->name, &policy);
  if (rc == 0) {
    policy->waiting = true;
  }
  return rc;
}

static void mark_seats(const struct peri_prepare *prepare,
                       struct peri_policy *policy) {
  for (struct peri_list *at = policy->seats.next; at != &policy->seats;
       at = at->next) {
    struct peri_seat *seat = PERI_CONTAINER_OF(at, struct peri_seat, link);
    struct peri_policy_ref ref = {.name = policy->name,
                                  .options = seat->options};
    seat->stays =
        prepare->renamed &&
        !peri_named_has(prepare->config, policy->kind, policy->name, &ref);
  }
}

// Finds what is to be prepared. @return 0 or PERI_ENOMEM
static int take_stock(struct peri_prepare *prepare) {
  struct peri_script *script = script_of(prepare);
  struct peri_list *head = &script->policies;
  size_t count = 0;
  int rc = peri_named_each(prepare->config, take_name, script);

  for (struct peri_list *at = head->next; at != head; at = at->next) {
    struct peri_policy *policy =
        PERI_CONTAINER_OF(at, struct peri_policy, link);
    mark_seats(prepare, policy);
    if (!prepare->renamed && policy->seat_count > 0 && !policy->orphaned) {
      policy->waiting = true;
    }
    count++;
  }
  prepare->failures = calloc(count + 1, sizeof(prepare->failures[0]));
  return rc < 0 || !prepare->failures ? PERI_ENOMEM : 0;
}

int peri_script_prepare(struct peri_script *script, struct peri_config *config,
                        struct peri_sources *sources, const char *force,
                        void (*done)(void *ctx,
                                     const struct peri_script_failure *failures,
                                     size_t count),
                        void *ctx) {
  struct peri_prepare *prepare = &script->prepare;
  struct peri_config *running = script->vm_options.config;
  struct peri_loop *loop = script->vm_options.loop;

  if (prepare->active || !loop) {
    return loop ? PERI_EBUSY : PERI_EINVAL;
  }
  config = config ? config : running;
  *prepare = (struct peri_prepare){
      .active = true, .renamed = config != running, .done = done, .ctx = ctx};
  prepare->config = config ? peri_config_ref(config) : NULL;
  prepare->sources = peri_sources_ref(sources);
  peri_turn_init(&prepare->turn, loop, go_on);
  prepare->force = force ? strdup(force) : NULL;
  int rc = force && !prepare->force ? PERI_ENOMEM : take_stock(prepare);
  if (rc == 0) {
    rc = peri_timer_new(loop, step, prepare, &prepare->timer);
  }
  if (rc < 0) {
    peri_script_abort(script);
    return rc;
  }
  peri_timer_start(prepare->timer, 0, 0);
  return 0;
}

void peri_prepare_end(struct peri_script *script) {
  struct peri_prepare *prepare = &script->prepare;
  struct peri_list *at = script->policies.next;

  if (!prepare->active) {
    return;
  }
  peri_turn_cancel(&prepare->turn);
  peri_timer_free(prepare->timer);
  peri_config_unref(prepare->config);
  peri_sources_unref(prepare->sources);
  free(prepare->force);
  free(prepare->failures);
  *prepare = (struct peri_prepare){.active = false};
  while (at != &script->policies) {
    struct peri_policy *policy =
        PERI_CONTAINER_OF(at, struct peri_policy, link);
    at = at->next;
    forgo(policy);
    peri_policy_settle(policy);
  }
}

void peri_script_abort(struct peri_script *script) {
  peri_prepare_end(script);
}

void peri_script_forgo(struct peri_script *script, const char *kind,
                       const char *name) {
  struct peri_policy *policy = peri_policy_find(script, kind, name);

  if (policy) {
    forgo(policy);
  }
}

static void switch_over(const struct peri_prepare *prepare,
                        struct peri_policy *policy) {
  if (policy->waiting) {
    forgo(policy);  // It is not whole yet.
  }
  for (struct peri_list *at = policy->seats.next; at != &policy->seats;
       at = at->next) {
    peri_seat_switch(PERI_CONTAINER_OF(at, struct peri_seat, link));
  }
  peri_policy_switch(policy);
  if (prepare->renamed) {
    bool named =
        peri_named_has(prepare->config, policy->kind, policy->name, NULL);
    // Its numbers begin anew should it be named again, on every worker.
    policy->orphaned = policy->orphaned || (policy->named && !named);
    policy->named = named && !policy->orphaned;
  }
}

void peri_script_commit(struct peri_script *script) {
  struct peri_prepare *prepare = &script->prepare;
  struct peri_list *head = &script->policies;

  if (!prepare->active) {
    return;
  }
  for (struct peri_list *at = head->next; at != head; at = at->next) {
    switch_over(prepare, PERI_CONTAINER_OF(at, struct peri_policy, link));
  }
  peri_config_unref(script->vm_options.config);
  peri_sources_unref(script->sources);
  script->vm_options.config = prepare->config;
  script->sources = prepare->sources;
  prepare->config = NULL;
  prepare->sources = NULL;
  peri_prepare_end(script);
}
