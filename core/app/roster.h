#pragma once

#include "base/error.h"
#include "base/types.h"

struct peri_script;
struct peri_script_policy;

/// One policy as the workers that run it know it together. Texts are the
/// roster's.
struct peri_roster_entry {
  const char *kind, *name, *path;
  uint32_t version, previous;  // 0: none
  uint64_t calls, errors, bytes;
  uint32_t seats;
  uint32_t workers;        // that run it
  uint32_t off;            // of them, where it is switched off
  uint64_t off_ms;         // until the last of these tries it again
  const char *last_error;  // "" or words
};

/// Policies, by kind and name. One thread at a time.
struct peri_roster;

/// An empty one. @return 0 or PERI_ENOMEM.
int peri_roster_new(struct peri_roster **ret_roster);
/// NULL is fine.
void peri_roster_free(struct peri_roster *roster);

/// Adds what one worker says of a policy (copied). @return 0 or PERI_ENOMEM.
int peri_roster_put(struct peri_roster *roster,
                    const struct peri_script_policy *policy);
/// Adds all that a worker runs; its thread. @return 0 or PERI_ENOMEM.
int peri_roster_take(struct peri_roster *roster, struct peri_script *script);
/// Adds another roster. @return 0 or PERI_ENOMEM.
int peri_roster_add(struct peri_roster *roster,
                    const struct peri_roster *other);

/// How many policies it lists.
size_t peri_roster_count(const struct peri_roster *roster);
/// `index` is below the count; in the order of kind and name.
const struct peri_roster_entry *peri_roster_at(const struct peri_roster *roster,
                                               size_t index);
/// NULL when there is none.
const struct peri_roster_entry *peri_roster_of(const struct peri_roster *roster,
                                               const char *kind,
                                               const char *name);

/// The version of a policy that runs; 0 when none does, or `roster` is NULL.
uint32_t peri_roster_version(const struct peri_roster *roster, const char *kind,
                             const char *name);

/// Finds the policy that somebody means by "cheap" or "balancer/cheap".
/// @return 0, or PERI_ENOTFOUND or PERI_EINVAL (there are two) with words.
int peri_roster_find(const struct peri_roster *roster, struct peri_slice name,
                     const struct peri_roster_entry **ret_policy,
                     struct peri_problem *ret_problem);
