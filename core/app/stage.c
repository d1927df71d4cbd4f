#include "app/stage.h"

#include <string.h>

#include "app/failures.h"
#include "app/roster.h"
#include "app/round.h"
#include "cache/cache.h"
#include "proxy/proxy.h"
#include "script/script.h"

static void end(struct peri_part *part, int code) {
  part->code = code;
  peri_part_end(part);
}

static void drop(struct peri_stage *stage) {
  // Their objects are made of the versions that the script drops.
  peri_proxy_abort(stage->proxy);
  peri_cache_worker_abort(stage->cache);
  peri_script_abort(stage->script);
}

/// The words without the policy they begin with, which is told anyway.
static const char *words_of(const struct peri_script_failure *failure) {
  const char *words = failure->problem.text;
  size_t kind = strlen(failure->kind), name = strlen(failure->name);
  bool named = strncmp(words, failure->kind, kind) == 0 && words[kind] == ' ' &&
               strncmp(words + kind + 1, failure->name, name) == 0 &&
               strncmp(words + kind + 1 + name, ": ", 2) == 0;
  return named ? words + kind + 1 + name + 2 : words;
}

/// Keeps what could not be made for the part's result.
static int keep(const struct peri_script_failure *failures, size_t count,
                struct peri_failures **ret_kept) {
  struct peri_failures *kept = NULL;
  int rc = count > 0 ? peri_failures_new(&kept) : 0;
  for (size_t i = 0; rc == 0 && i < count; i++) {
    rc = peri_failures_put(kept, failures[i].kind, failures[i].name,
                           words_of(&failures[i]));
  }
  if (rc < 0) {
    peri_failures_free(kept);
    return rc;
  }
  *ret_kept = kept;
  return 0;
}

/// Routes and groups, once their policies are there.
static int prepare_rest(struct peri_stage *stage, struct peri_part *part) {
  const struct peri_stage_plan *plan = part->question;
  if (plan->config == NULL) {
    return 0;
  }
  int rc = peri_proxy_prepare(stage->proxy, plan->config, &part->problem);
  if (rc == 0) {
    rc = peri_cache_worker_prepare(stage->cache, plan->cache, &part->problem);
  }
  return rc;
}

static void on_prepared(void *ctx, const struct peri_script_failure *failures,
                        size_t count) {
  struct peri_stage *stage = ctx;
  struct peri_part *part = stage->preparing;
  struct peri_failures *kept = NULL;
  stage->preparing = NULL;
  int rc = keep(failures, count, &kept);
  // Without one of its policies a configuration is refused anyway.
  if (rc == 0 && kept == NULL) {
    rc = prepare_rest(stage, part);
  }
  if (rc < 0) {
    drop(stage);
  }
  part->result = kept;
  end(part, rc);
}

void peri_stage_prepare(struct peri_part *part) {
  struct peri_stage *stage = part->place;
  const struct peri_stage_plan *plan = part->question;
  if (stage->script == NULL) {
    end(part, PERI_ECLOSED);
    return;
  }
  // What an earlier change could not be told to drop, for want of memory.
  drop(stage);
  stage->preparing = part;
  int rc = peri_script_prepare(stage->script, plan->config, plan->sources,
                               plan->force, on_prepared, stage);
  if (rc < 0) {
    stage->preparing = NULL;
    end(part, rc);
  }
}

/// What runs, as the part's result; without memory it is left out.
static int list(struct peri_stage *stage, struct peri_part *part) {
  struct peri_roster *roster = NULL;
  int rc = peri_roster_new(&roster);
  if (rc == 0) {
    rc = peri_roster_take(roster, stage->script);
  }
  if (rc < 0) {
    peri_roster_free(roster);
    return rc;
  }
  part->result = roster;
  return 0;
}

void peri_stage_commit(struct peri_part *part) {
  struct peri_stage *stage = part->place;
  const struct peri_failures *without = part->question;
  if (stage->script == NULL) {
    end(part, PERI_ECLOSED);
    return;
  }
  size_t count = without != NULL ? peri_failures_count(without) : 0;
  for (size_t i = 0; i < count; i++) {
    const struct peri_failure *failure = peri_failures_at(without, i);
    peri_script_forgo(stage->script, failure->kind, failure->name);
  }
  peri_script_commit(stage->script);
  peri_proxy_commit(stage->proxy);
  peri_cache_worker_commit(stage->cache);
  (void)list(stage, part);
  end(part, 0);
}

/// Whoever waits for what is being prepared.
static void cancel(struct peri_stage *stage, int code) {
  struct peri_part *waiting = stage->preparing;
  stage->preparing = NULL;
  if (waiting != NULL) {
    end(waiting, code);
  }
}

void peri_stage_abort(struct peri_part *part) {
  struct peri_stage *stage = part->place;
  if (stage->script == NULL) {
    end(part, PERI_ECLOSED);
    return;
  }
  drop(stage);
  cancel(stage, PERI_ECANCELED);
  end(part, 0);
}

void peri_stage_rollback(struct peri_part *part) {
  struct peri_stage *stage = part->place;
  const struct peri_stage_policy *policy = part->question;
  if (stage->script == NULL) {
    end(part, PERI_ECLOSED);
    return;
  }
  int rc = peri_script_rollback(stage->script, policy->kind, policy->name,
                                &part->problem);
  if (rc == 0) {
    (void)list(stage, part);
  }
  end(part, rc);
}

void peri_stage_list(struct peri_part *part) {
  struct peri_stage *stage = part->place;
  end(part, stage->script != NULL ? list(stage, part) : PERI_ECLOSED);
}

void peri_stage_end(struct peri_stage *stage) {
  if (stage->script == NULL) {
    return;
  }
  if (stage->proxy != NULL && stage->cache != NULL) {
    drop(stage);
  }
  *stage = (struct peri_stage){.preparing = stage->preparing};
  cancel(stage, PERI_ECLOSED);
}
