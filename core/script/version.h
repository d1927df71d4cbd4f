#pragma once

#include "base/error.h"
#include "base/list.h"
#include "base/types.h"
#include "script/failing.h"
#include "script/vm.h"

struct peri_config;
struct peri_metric;
struct peri_script;
struct peri_sources;

/// A policy that is loaded once: one VM, shared by what `new` made of it there,
/// and freed with the last of them.
struct peri_version {
  struct peri_vm *vm;
  struct peri_policy *policy;
  bool off;         // switched off: see failing
  uint32_t number;  // from 1
  uint32_t uses;    // of its policy and of objects
  // Registry references, LUA_NOREF where nothing is declared.
  int declaration;
  int main;  // pick or fetch
  int update, done;
  int exports, imports;
  uint64_t digest;
  const char *path;  // of its file, as shown; owned by `sources`
  struct peri_failing failing;
  struct peri_config *config;    // may be NULL
  struct peri_sources *sources;  // what it was loaded from
  struct peri_list link;         // among those that wait to be freed
};

/// A policy by its name on one worker, and the versions of it.
struct peri_policy {
  struct peri_list link;  // in the script
  struct peri_script *script;
  const char *kind;  // static
  char name[72];
  struct peri_version *current;   // what runs; NULL before the first
  struct peri_version *previous;  // the last good one
  struct peri_version *next;      // prepared
  uint32_t made;                  // versions until now
  struct peri_list seats;
  uint32_t seat_count;
  bool named;     // by the configuration
  bool orphaned;  // no more: what is left of it has no name
  bool waiting;   // to be prepared
  bool shown_off;
  uint64_t calls, errors;
  struct peri_metric *errors_metric;  // NULL without metrics
  struct peri_metric *off_metric;
};

/// Loads a version from `sources` and runs its selftest.
/// @return 0, PERI_ENOTFOUND, PERI_ECONFIG, PERI_ESCRIPT or PERI_ENOMEM with
///   words in `ret_problem`. The caller holds the one use.
int peri_version_load(struct peri_policy *policy, struct peri_config *config,
                      struct peri_sources *sources, uint32_t number,
                      struct peri_version **ret_version,
                      struct peri_problem *ret_problem);
struct peri_version *peri_version_ref(struct peri_version *version);
/// The VM of the last use is freed in a later turn of the loop.
void peri_version_unref(struct peri_version *version);
/// Frees it at once.
void peri_version_free(struct peri_version *version);
/// Turns the failure of its VM into PERI_ESCRIPT with the first line: also
/// where it is the memory cap, which is the policy's fault, not the machine's.
int peri_version_problem(const struct peri_version *version,
                         struct peri_problem *ret_problem);

/// The policy of that name, made when it is not known. @return 0 or PERI_ENOMEM
int peri_policy_get(struct peri_script *script, const char *kind,
                    const char *name, struct peri_policy **ret_policy);
/// The same, or NULL.
struct peri_policy *peri_policy_find(struct peri_script *script,
                                     const char *kind, const char *name);
/// The latest version that was committed, or NULL.
struct peri_version *peri_policy_latest(const struct peri_policy *policy);
/// Frees the policy when nothing uses it and the configuration does not name
/// it.
void peri_policy_settle(struct peri_policy *policy);
/// Makes the prepared version the running one, or exchanges the running and the
/// previous one.
void peri_policy_switch(struct peri_policy *policy);
void peri_policy_swap(struct peri_policy *policy);
/// Brings perigee_policy_off up to date.
void peri_policy_show(struct peri_policy *policy);
