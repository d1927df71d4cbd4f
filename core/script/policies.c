#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "model/config.h"
#include "script/lib.h"
#include "script/named.h"
#include "script/script_private.h"
#include "script/version.h"

static void make_metrics(struct peri_policy *policy) {
  struct peri_metrics *metrics = policy->script->vm_options.metrics;
  char labels[128] = "";

  if (!metrics) {
    return;
  }
  peri_metrics_label(labels, sizeof(labels), "kind",
                     peri_slice_of(policy->kind));
  peri_metrics_label(labels, sizeof(labels), "name",
                     peri_slice_of(policy->name));
  policy->errors_metric = peri_metrics_counter(
      metrics, "perigee_policy_errors_total",
      "Failures of policies: raised, over budget, or nonsense returned.",
      labels);
  policy->off_metric = peri_metrics_gauge(
      metrics, "perigee_policy_off",
      "Workers that have switched the policy off after failures.", labels);
}

struct peri_policy *peri_policy_find(struct peri_script *script,
                                     const char *kind, const char *name) {
  struct peri_list *head = &script->policies;

  for (struct peri_list *at = head->next; at != head; at = at->next) {
    struct peri_policy *policy =
        PERI_CONTAINER_OF(at, struct peri_policy, link);
    if (!policy->orphaned && strcmp(policy->kind, kind) == 0 &&
        strcmp(policy->name, name) == 0) {
      return policy;
    }
  }
  return NULL;
}

int peri_policy_get(struct peri_script *script, const char *kind,
                    const char *name, struct peri_policy **ret_policy) {
  struct peri_policy *policy = peri_policy_find(script, kind, name);

  if (!policy) {
    policy = calloc(1, sizeof(*policy));
    if (!policy) {
      return PERI_ENOMEM;
    }
    policy->script = script;
    policy->kind = kind;
    snprintf(policy->name, sizeof(policy->name), "%s", name);
    peri_list_init(&policy->seats);
    policy->named = peri_named_has(script->vm_options.config, kind, name, NULL);
    make_metrics(policy);
    peri_list_push(&script->policies, &policy->link);
  }
  *ret_policy = policy;
  return 0;
}

struct peri_version *peri_policy_latest(const struct peri_policy *policy) {
  struct peri_version *current = policy->current;
  struct peri_version *previous = policy->previous;

  return previous && previous->number > current->number ? previous : current;
}

void peri_policy_settle(struct peri_policy *policy) {
  if (policy->seat_count > 0 || policy->named || policy->waiting ||
      policy->next || policy->script->prepare.active) {
    return;
  }
  struct peri_version *current = policy->current;
  policy->current = NULL;
  peri_policy_show(policy);
  peri_version_unref(current);
  peri_version_unref(policy->previous);
  peri_list_remove(&policy->link);
  free(policy);
}

void peri_policy_show(struct peri_policy *policy) {
  bool off = policy->current && policy->current->off;

  if (policy->off_metric && off != policy->shown_off) {
    peri_metric_add(policy->off_metric, off ? 1 : -1);
  }
  policy->shown_off = off;
}

static void show_gauges(struct peri_policy *policy) {
  if (policy->previous) {
    peri_metrics_show(policy->previous->vm, false);
  }
  peri_metrics_show(policy->current->vm, true);
}

void peri_policy_switch(struct peri_policy *policy) {
  struct peri_version *oldest = policy->previous;

  if (!policy->next) {
    return;
  }
  policy->previous = policy->current;
  policy->current = policy->next;
  policy->next = NULL;
  policy->made = policy->current->number;
  show_gauges(policy);
  peri_policy_show(policy);
  peri_version_unref(oldest);
}

void peri_policy_swap(struct peri_policy *policy) {
  struct peri_version *current = policy->current;

  policy->current = policy->previous;
  policy->previous = current;
  show_gauges(policy);
  peri_version_absolve(policy->current);
}
