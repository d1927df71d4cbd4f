#pragma once

#include "base/types.h"

struct peri_cache_plan;
struct peri_cache_worker;
struct peri_config;
struct peri_decisions;
struct peri_failures;
struct peri_part;
struct peri_proxy;
struct peri_script;
struct peri_sources;

/// A worker's side of changes: another configuration, other versions of its
/// policies, prepared beside what runs. The worker's thread only. It is the
/// `place` of rounds (app/round.h) that run the functions below.
struct peri_stage {
  struct peri_script *script;  // NULL when the worker has ended, as the others
  struct peri_proxy *proxy;
  struct peri_cache_worker *cache;
  const struct peri_decisions *decisions;
  uint32_t worker;              // its number
  struct peri_part *preparing;  // waits for the script
};

/// The question of peri_stage_prepare().
struct peri_stage_plan {
  struct peri_config *config;           // NULL: the one that runs
  const struct peri_cache_plan *cache;  // its groups; NULL as well
  struct peri_sources *sources;
  const char *force;  // policies that are made anew in any case, or NULL
};

/// Prepares policies, then routes and groups. The part's result is a struct
/// peri_failures of those policies that could not be made (NULL for none),
/// which are given up; its code is negative when nothing was prepared at all.
void peri_stage_prepare(struct peri_part *part);
/// Switches to what is prepared but for the policies that the question, a
/// struct peri_failures or NULL, names. The result is a struct peri_roster of
/// what runs then, when there was memory for it.
void peri_stage_commit(struct peri_part *part);
/// Drops what is prepared, also while it is: whoever waits for it is answered
/// PERI_ECANCELED.
void peri_stage_abort(struct peri_part *part);

/// The question of peri_stage_rollback().
struct peri_stage_policy {
  const char *kind, *name;
};
/// The version before runs again. @return in the part: 0, with the roster as
/// peri_stage_commit(), or PERI_ENOTFOUND with words.
void peri_stage_rollback(struct peri_part *part);
/// The result is a struct peri_roster of what runs.
void peri_stage_list(struct peri_part *part);

/// The worker ends: what is prepared is dropped, and whoever asks from now on
/// is answered PERI_ECLOSED. Before the script, the proxy and the cache are
/// freed.
void peri_stage_end(struct peri_stage *stage);
