#include "app/edits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/failures.h"
#include "app/roster.h"
#include "base/error.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/slice.h"

struct peri_edits {
  struct peri_metrics *metrics;
  struct peri_metric *taken;
  struct peri_metric *refusals;
  struct peri_roster *roster;     // NULL at first
  struct peri_failures *refused;  // NULL: none
  char config[sizeof(((struct peri_problem *)0)->text)];
  char none[sizeof(((struct peri_problem *)0)->text)];
};

int peri_edits_new(struct peri_metrics *metrics,
                   struct peri_edits **ret_edits) {
  static const char *const name = "perigee_policy_reloads_total";
  static const char *const help = "Edits of policies.";
  struct peri_edits *edits = calloc(1, sizeof(*edits));
  if (edits == NULL) {
    return PERI_ENOMEM;
  }
  edits->metrics = metrics;
  edits->taken = peri_metrics_counter(metrics, name, help, "result=\"taken\"");
  edits->refusals =
      peri_metrics_counter(metrics, name, help, "result=\"refused\"");
  *ret_edits = edits;
  return 0;
}

void peri_edits_free(struct peri_edits *edits) {
  if (edits == NULL) {
    return;
  }
  peri_roster_free(edits->roster);
  peri_failures_free(edits->refused);
  free(edits);
}

static struct peri_metric *gauge(struct peri_edits *edits, const char *metric,
                                 const char *help, const char *kind,
                                 const char *name) {
  char labels[256] = "";
  (void)peri_metrics_label(labels, sizeof(labels), "kind", peri_slice_of(kind));
  (void)peri_metrics_label(labels, sizeof(labels), "name", peri_slice_of(name));
  return peri_metrics_gauge(edits->metrics, metric, help, labels);
}

static void show_version(struct peri_edits *edits, const char *kind,
                         const char *name, uint32_t version) {
  peri_metric_set(gauge(edits, "perigee_policy_version",
                        "Version of a policy that runs; 0 when it is not in "
                        "use any more.",
                        kind, name),
                  version);
}

static void show_refused(struct peri_edits *edits, const char *kind,
                         const char *name, bool refused) {
  peri_metric_set(
      gauge(edits, "perigee_policy_refused",
            "1 while the latest edit of a policy is refused.", kind, name),
      refused ? 1 : 0);
}

static void tell(struct peri_edits *edits, const struct peri_roster_entry *item,
                 uint32_t before, bool rolled) {
  show_version(edits, item->kind, item->name, item->version);
  if (rolled) {
    peri_log(PERI_LOG_INFO, "app", "%s %s: back to version %u from %u",
             item->kind, item->name, item->version, before);
  } else if (before > 0) {
    peri_metric_add(edits->taken, 1);
    peri_log(PERI_LOG_INFO, "app", "%s %s: version %u runs, made of %s",
             item->kind, item->name, item->version, item->path);
  }
}

/// Tells what differs, and keeps what runs now.
static void replace(struct peri_edits *edits, struct peri_roster *roster,
                    bool rolled) {
  struct peri_roster *old = edits->roster;
  if (roster == NULL) {
    return;
  }
  for (size_t i = 0; i < peri_roster_count(roster); i++) {
    const struct peri_roster_entry *item = peri_roster_at(roster, i);
    uint32_t before = peri_roster_version(old, item->kind, item->name);
    if (before != item->version) {
      tell(edits, item, before, rolled);
    }
  }
  for (size_t i = 0; old != NULL && i < peri_roster_count(old); i++) {
    const struct peri_roster_entry *item = peri_roster_at(old, i);
    if (peri_roster_of(roster, item->kind, item->name) == NULL) {
      show_version(edits, item->kind, item->name, 0);
    }
  }
  edits->roster = roster;
  peri_roster_free(old);
}

/// Counts and logs what was not refused for the same reason before.
static void tell_refused(struct peri_edits *edits,
                         const struct peri_failures *refused) {
  size_t count = refused != NULL ? peri_failures_count(refused) : 0;
  for (size_t i = 0; i < count; i++) {
    const struct peri_failure *item = peri_failures_at(refused, i);
    uint32_t version =
        peri_roster_version(edits->roster, item->kind, item->name);
    if (strcmp(peri_edits_words(edits, item->kind, item->name), item->words) ==
        0) {
      continue;
    }
    peri_metric_add(edits->refusals, 1);
    show_refused(edits, item->kind, item->name, true);
    peri_log(PERI_LOG_ERROR, "app",
             "%s %s: the edit is refused, version %u stays: %s", item->kind,
             item->name, version, item->words);
  }
}

/// Whoever read that an edit is refused reads as well that it is no more.
static void tell_undone(const struct peri_edits *edits,
                        const struct peri_roster *after,
                        const struct peri_failures *refused) {
  const struct peri_failures *old = edits->refused;
  for (size_t i = 0; old != NULL && i < peri_failures_count(old); i++) {
    const struct peri_failure *item = peri_failures_at(old, i);
    uint32_t version = peri_roster_version(after, item->kind, item->name);
    bool again = refused != NULL &&
                 peri_failures_of(refused, item->kind, item->name) != NULL;
    if (!again && version > 0 &&
        version == peri_roster_version(edits->roster, item->kind, item->name)) {
      peri_log(PERI_LOG_INFO, "app",
               "%s %s: the refused edit was taken back, version %u stays",
               item->kind, item->name, version);
    }
  }
}

static void remember(struct peri_edits *edits,
                     const struct peri_failures *refused) {
  struct peri_failures *all = NULL;
  struct peri_failures *old = edits->refused;
  int rc = peri_failures_new(&all);
  if (rc == 0 && refused != NULL) {
    rc = peri_failures_add(all, refused);
  }
  if (rc < 0) {
    peri_failures_free(all);
    return;
  }
  for (size_t i = 0; old != NULL && i < peri_failures_count(old); i++) {
    const struct peri_failure *item = peri_failures_at(old, i);
    if (peri_failures_of(all, item->kind, item->name) == NULL) {
      show_refused(edits, item->kind, item->name, false);
    }
  }
  edits->refused = all;
  peri_failures_free(old);
}

void peri_edits_take(struct peri_edits *edits, struct peri_roster *roster,
                     const struct peri_failures *refused) {
  tell_undone(edits, roster != NULL ? roster : edits->roster, refused);
  replace(edits, roster, false);
  edits->none[0] = '\0';
  tell_refused(edits, refused);
  remember(edits, refused);
}

void peri_edits_none(struct peri_edits *edits, const char *words) {
  if (strcmp(edits->none, words) != 0) {
    snprintf(edits->none, sizeof(edits->none), "%s", words);
    peri_metric_add(edits->refusals, 1);
    peri_log(PERI_LOG_ERROR, "app", "no policy was taken over: %s", words);
  }
}

void peri_edits_roll(struct peri_edits *edits, struct peri_roster *roster) {
  replace(edits, roster, true);
}

void peri_edits_config(struct peri_edits *edits, const char *words) {
  snprintf(edits->config, sizeof(edits->config), "%s",
           words != NULL ? words : "");
}

const char *peri_edits_config_words(const struct peri_edits *edits) {
  return edits->config;
}

const struct peri_roster *peri_edits_roster(const struct peri_edits *edits) {
  return edits->roster;
}

const char *peri_edits_words(const struct peri_edits *edits, const char *kind,
                             const char *name) {
  const struct peri_failure *item =
      edits->refused != NULL ? peri_failures_of(edits->refused, kind, name)
                             : NULL;
  return item != NULL ? item->words : edits->none;
}
