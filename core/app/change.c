#include "app/change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/diff.h"
#include "app/edits.h"
#include "app/failures.h"
#include "app/reading.h"
#include "app/roster.h"
#include "app/stage.h"
#include "base/log.h"
#include "base/metrics.h"
#include "cache/cache.h"
#include "loop/timer.h"
#include "model/config.h"
#include "model/snapshot.h"
#include "registry/registry.h"
#include "script/sources.h"

enum { NAME_BYTES = 160, READ_MS = 10000 };

struct peri_change {
  struct peri_change_options options;
  struct peri_setup current;  // empty until another one was taken over
  struct peri_metric *taken;
  struct peri_metric *refused;
  struct peri_timer *limit;  // of a reading
  unsigned strays;           // readings that were given up
  bool busy;
  bool preparing;  // and nothing else yet
  bool closed;
  // Of the change under way, if any.
  bool config;                   // it is read
  struct peri_reading *reading;  // NULL when it was read
  struct peri_setup setup;       // empty when it is the same
  struct peri_diff diff;
  struct peri_sources *sources;
  struct peri_cache_plan *plan;
  struct peri_failures *failures;
  struct peri_stage_plan question;
  struct peri_stage_policy policy;
  char force[NAME_BYTES];
  char kind[NAME_BYTES];
  char name[NAME_BYTES];
  struct peri_problem problem;
  void (*done)(void *ctx, const struct peri_change_result *result);
  void *ctx;
};

static const struct peri_setup *current(const struct peri_change *change) {
  return change->current.config != NULL ? &change->current
                                        : change->options.setup;
}

/// Frees what the change under way holds.
static void clear(struct peri_change *change) {
  peri_setup_done(&change->setup);
  peri_diff_done(&change->diff);
  peri_sources_unref(change->sources);
  peri_cache_plan_free(change->plan);
  peri_failures_free(change->failures);
  change->sources = NULL;
  change->plan = NULL;
  change->failures = NULL;
}

/// `before` is still what peri_edits_roster() says.
static void finish(struct peri_change *change, int code,
                   struct peri_roster *after, bool rolled) {
  struct peri_edits *edits = change->options.edits;
  const struct peri_roster *before = peri_edits_roster(edits);
  struct peri_change_result result = {
      .code = code,
      .problem = change->problem,
      .before = before,
      .after = after != NULL ? after : before,
      .refused = change->failures,
  };
  change->done(change->ctx, &result);
  if (code < 0) {
    peri_roster_free(after);
  } else if (rolled) {
    peri_edits_roll(edits, after);
  } else {
    peri_edits_take(edits, after, change->failures);
  }
  clear(change);
  change->busy = false;
}

static void tell_differences(const struct peri_diff *diff) {
  const char *at = diff->lines.ptr;
  size_t left = diff->lines.len;
  while (left > 0) {
    const char *end = memchr(at, '\n', left);
    size_t len = end != NULL ? (size_t)(end - at) : left;
    peri_log(PERI_LOG_INFO, "app", "changed: %.*s", (int)len, at);
    left -= len < left ? len + 1 : len;
    at += len + 1;
  }
}

/// The first one is in the words of the refusal. They are no refused edits: the
/// files may be fine for the configuration that stays.
static void tell_failures(const struct peri_failures *failures) {
  size_t count = failures != NULL ? peri_failures_count(failures) : 0;
  for (size_t i = 1; i < count; i++) {
    const struct peri_failure *item = peri_failures_at(failures, i);
    peri_log(PERI_LOG_ERROR, "app", "%s %s: %s", item->kind, item->name,
             item->words);
  }
}

/// Nothing changes; the words are the change's problem.
static void refuse(struct peri_change *change) {
  const char *words = change->problem.text;
  if (change->problem.code == PERI_ECLOSED) {
    // The sidecar ends.
  } else if (!change->config) {
    peri_edits_none(change->options.edits, words);
  } else {
    peri_metric_add(change->refused, 1);
    peri_edits_config(change->options.edits, words);
    peri_log(PERI_LOG_ERROR, "app", "%s%s",
             change->diff.restart[0] != '\0' ? ""
             : change->problem.code == PERI_ETIMEOUT
                 ? "nothing was taken over: "
                 : "the changed configuration is wrong, the old one stays: ",
             words);
    tell_failures(change->failures);
    tell_differences(&change->diff);
  }
  finish(change, change->problem.code, NULL, false);
}

static void fail(struct peri_change *change, int code, const char *words) {
  peri_problem_set(&change->problem, code, "%s",
                   words != NULL ? words : peri_error_text(code));
  refuse(change);
}

static struct peri_round_options round_of(
    struct peri_change *change, const void *question,
    void (*run)(struct peri_part *part),
    void (*done)(void *ctx, struct peri_part *parts, size_t count)) {
  return (struct peri_round_options){
      .control = change->options.control,
      .places = change->options.places,
      .count = change->options.count,
      .question = question,
      .run = run,
      .done = done,
      .ctx = change,
  };
}

static int ask(struct peri_change *change, const void *question,
               void (*run)(struct peri_part *part),
               void (*done)(void *ctx, struct peri_part *parts, size_t count)) {
  struct peri_round_options round = round_of(change, question, run, done);
  return peri_round_start(&round);
}

static void on_aborted(void *ctx, struct peri_part *parts, size_t count) {
  (void)parts;
  (void)count;
  refuse(ctx);
}

/// What some workers prepared is dropped.
static void abort_all(struct peri_change *change) {
  // A worker that keeps something for want of memory drops it next time.
  if (change->closed || ask(change, NULL, peri_stage_abort, on_aborted) < 0) {
    refuse(change);
  }
}

/// Another configuration runs.
static void adopt(struct peri_change *change) {
  peri_cache_adopt(change->options.cache, change->plan);
  change->plan = NULL;
  struct peri_setup old = change->current;
  change->current = change->setup;
  change->setup = (struct peri_setup){.config = NULL};
  change->options.taken(change->options.ctx, change->current.config);
  peri_setup_done(&old);
  peri_log(PERI_LOG_INFO, "app", "took over the configuration: %zu change%s",
           change->diff.count, change->diff.count == 1 ? "" : "s");
  tell_differences(&change->diff);
}

/// Takes the first worker's list of what runs.
static struct peri_roster *roster_of(struct peri_part *parts, size_t count) {
  struct peri_roster *roster = NULL;
  for (size_t i = 0; i < count; i++) {
    struct peri_roster *each = parts[i].result;
    if (roster == NULL) {
      roster = each;
    } else {
      peri_roster_free(each);
    }
  }
  return roster;
}

static void on_committed(void *ctx, struct peri_part *parts, size_t count) {
  struct peri_change *change = ctx;
  struct peri_roster *roster = roster_of(parts, count);
  bool any = false;
  for (size_t i = 0; i < count; i++) {
    any = any || parts[i].code == 0;
  }
  if (!any) {
    fail(change, PERI_ECLOSED, "this sidecar is stopping");
    return;
  }
  if (change->setup.config != NULL) {
    adopt(change);
  } else if (change->config) {
    peri_log(PERI_LOG_INFO, "app", "the configuration is the same");
  }
  if (change->config) {
    peri_metric_add(change->taken, 1);
    peri_edits_config(change->options.edits, NULL);
  }
  finish(change, 0, roster, false);
}

/// Brings together what the workers could not make.
static int gather(struct peri_change *change, struct peri_part *parts,
                  size_t count) {
  int rc = 0;
  for (size_t i = 0; i < count; i++) {
    struct peri_failures *each = parts[i].result;
    if (each != NULL && change->failures == NULL) {
      change->failures = each;
      continue;
    }
    if (rc == 0 && each != NULL) {
      rc = peri_failures_add(change->failures, each);
    }
    peri_failures_free(each);
  }
  return rc;
}

static int decide(struct peri_change *change, struct peri_part *parts,
                  size_t count) {
  struct peri_problem *problem = &change->problem;
  int rc = gather(change, parts, count);
  if (change->closed) {
    return peri_problem_set(problem, PERI_ECLOSED, "this sidecar is stopping");
  }
  if (rc < 0) {
    return peri_problem_set(problem, rc, "%s", peri_error_text(rc));
  }
  const struct peri_failure *first =
      change->failures != NULL ? peri_failures_at(change->failures, 0) : NULL;
  if (first != NULL && change->setup.config != NULL) {
    return peri_problem_set(problem, PERI_ESCRIPT, "%s %s: %s", first->kind,
                            first->name, first->words);
  }
  return peri_round_problem(parts, count, problem);
}

static void on_prepared(void *ctx, struct peri_part *parts, size_t count) {
  struct peri_change *change = ctx;
  struct peri_round *round = NULL;
  change->preparing = false;
  int rc = decide(change, parts, count);
  if (rc == 0) {
    struct peri_round_options commit =
        round_of(change, change->failures, peri_stage_commit, on_committed);
    rc = peri_round_new(&commit, &round);
    if (rc < 0) {
      peri_problem_set(&change->problem, rc, "%s", peri_error_text(rc));
    }
  }
  // The last thing that can fail: from here on all switch.
  if (rc == 0 && change->setup.config != NULL) {
    rc = peri_registry_update(change->options.registry, change->setup.config,
                              &change->problem);
  }
  if (rc < 0) {
    peri_round_free(round);
    abort_all(change);
    return;
  }
  peri_round_ask(round);
}

/// Whether what was read differs from what runs; negative, with words, when it
/// cannot be taken over.
static int compare(struct peri_change *change) {
  struct peri_problem *problem = &change->problem;
  if (change->setup.config == NULL) {
    return 0;
  }
  int rc = peri_diff_make(current(change), &change->setup, &change->diff);
  if (rc < 0) {
    return peri_problem_set(problem, rc, "%s", peri_error_text(rc));
  }
  if (change->diff.count == 0) {
    peri_setup_done(&change->setup);
    return 0;
  }
  const char *names = change->diff.restart;
  if (names[0] != '\0') {
    return peri_problem_set(problem, PERI_ECONFIG,
                            "nothing was taken over: %s need%s a restart",
                            names, strchr(names, ',') != NULL ? "" : "s");
  }
  return peri_cache_plan_new(change->options.cache, change->setup.config,
                             &change->plan, problem);
}

static void prepare(struct peri_change *change) {
  if (change->diff.policies) {
    snprintf(change->force, sizeof(change->force), "*");
  }
  change->question = (struct peri_stage_plan){
      .config = change->setup.config,
      .cache = change->plan,
      .sources = change->sources,
      .force = change->force[0] != '\0' ? change->force : NULL,
  };
  int rc = ask(change, &change->question, peri_stage_prepare, on_prepared);
  if (rc < 0) {
    fail(change, rc, NULL);
    return;
  }
  change->preparing = true;
}

static void on_read(void *ctx, struct peri_reading *reading) {
  struct peri_change *change = ctx;
  if (change->reading != reading) {
    // It was given up. What it read may be old by now.
    change->strays--;
    change->options.stale(change->options.ctx);
    return;
  }
  change->reading = NULL;
  peri_timer_stop(change->limit);
  int rc = peri_reading_take(reading, &change->setup, &change->sources,
                             &change->problem);
  if (rc == 0) {
    rc = compare(change);
  }
  if (rc < 0) {
    change->problem.code = rc;
    refuse(change);
    return;
  }
  prepare(change);
}

/// Reading goes on, but nobody waits for it any more.
static void give_up(struct peri_change *change, int code, const char *words) {
  change->reading = NULL;
  change->strays++;
  peri_timer_stop(change->limit);
  fail(change, code, words);
}

static void on_limit(void *ctx) {
  give_up(ctx, PERI_ETIMEOUT, "the files cannot be read: their folder hangs");
}

/// @return whether it may begin; `done` was told otherwise.
static bool begin(struct peri_change *change,
                  void (*done)(void *ctx,
                               const struct peri_change_result *result),
                  void *ctx) {
  struct peri_change_result result = {.code = PERI_ECLOSED};
  if (change->closed || change->busy) {
    peri_problem_set(&result.problem, result.code, "this sidecar is stopping");
    done(ctx, &result);
    return false;
  }
  change->busy = true;
  change->config = false;
  change->done = done;
  change->ctx = ctx;
  change->problem = (struct peri_problem){0, ""};
  return true;
}

void peri_change_begin(struct peri_change *change, bool config,
                       const char *force,
                       void (*done)(void *ctx,
                                    const struct peri_change_result *result),
                       void *ctx) {
  if (!begin(change, done, ctx)) {
    return;
  }
  change->config = config;
  snprintf(change->force, sizeof(change->force), "%s",
           force != NULL ? force : "");
  if (change->strays > 0) {
    fail(change, PERI_ETIMEOUT, "the files cannot be read: their folder hangs");
    return;
  }
  struct peri_reading_options reading = {
      .control = change->options.control,
      .file = config ? change->options.file : NULL,
      .setup = current(change),
      .folders = change->options.folders,
      .done = on_read,
      .ctx = change,
  };
  int rc = peri_reading_start(&reading, &change->reading);
  if (rc < 0) {
    fail(change, rc, NULL);
    return;
  }
  peri_timer_start(change->limit, READ_MS, 0);
}

static void on_rolled_back(void *ctx, struct peri_part *parts, size_t count) {
  struct peri_change *change = ctx;
  struct peri_roster *roster = roster_of(parts, count);
  int rc = peri_round_problem(parts, count, &change->problem);
  finish(change, rc, roster, true);
}

void peri_change_rollback(struct peri_change *change, const char *kind,
                          const char *name,
                          void (*done)(void *ctx,
                                       const struct peri_change_result *result),
                          void *ctx) {
  if (!begin(change, done, ctx)) {
    return;
  }
  snprintf(change->kind, sizeof(change->kind), "%s", kind);
  snprintf(change->name, sizeof(change->name), "%s", name);
  change->policy = (struct peri_stage_policy){change->kind, change->name};
  int rc = ask(change, &change->policy, peri_stage_rollback, on_rolled_back);
  if (rc < 0) {
    peri_problem_set(&change->problem, rc, "%s", peri_error_text(rc));
    finish(change, rc, NULL, true);
  }
}

int peri_change_new(const struct peri_change_options *options,
                    struct peri_change **ret_change) {
  static const char *const metric = "perigee_config_reloads_total";
  static const char *const help = "Times the configuration was read again.";
  struct peri_change *change = calloc(1, sizeof(*change));
  if (change == NULL) {
    return PERI_ENOMEM;
  }
  change->options = *options;
  int rc = peri_timer_new(options->loop, on_limit, change, &change->limit);
  if (rc < 0) {
    free(change);
    return rc;
  }
  peri_timer_unref(change->limit);
  change->taken =
      peri_metrics_counter(options->metrics, metric, help, "result=\"taken\"");
  change->refused = peri_metrics_counter(options->metrics, metric, help,
                                         "result=\"refused\"");
  *ret_change = change;
  return 0;
}

static void on_dropped(void *ctx, struct peri_part *parts, size_t count) {
  (void)ctx;
  (void)parts;
  (void)count;
}

void peri_change_close(struct peri_change *change) {
  bool again = change->closed;
  change->closed = true;
  if (change->reading != NULL) {
    give_up(change, PERI_ECLOSED, "this sidecar is stopping");
  }
  if (!again && change->preparing) {
    // Without memory for it the workers drop it when they end.
    (void)ask(change, NULL, peri_stage_abort, on_dropped);
  }
}

void peri_change_free(struct peri_change *change) {
  if (change == NULL) {
    return;
  }
  peri_timer_free(change->limit);
  clear(change);
  peri_setup_done(&change->current);
  free(change);
}
