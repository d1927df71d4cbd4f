#pragma once

#include "base/error.h"
#include "base/types.h"

/// Why policies could not be made, by kind and name. One thread at a time.
struct peri_failures;

/// One of them.
struct peri_failure {
  const char *kind, *name;  // owned by the failures, as the words
  const char *words;
};

/// None yet. @return 0 or PERI_ENOMEM.
int peri_failures_new(struct peri_failures **ret_failures);
/// NULL is fine.
void peri_failures_free(struct peri_failures *failures);

/// Adds one (copied), unless there is one of that policy already: the first
/// worker's words count. @return 0 or PERI_ENOMEM.
int peri_failures_put(struct peri_failures *failures, const char *kind,
                      const char *name, const char *words);
/// Adds all of another. @return 0 or PERI_ENOMEM.
int peri_failures_add(struct peri_failures *failures,
                      const struct peri_failures *other);

/// NULL at the end.
const struct peri_failure *peri_failures_at(
    const struct peri_failures *failures, size_t index);
size_t peri_failures_count(const struct peri_failures *failures);
/// NULL when there is none.
const struct peri_failure *peri_failures_of(
    const struct peri_failures *failures, const char *kind, const char *name);
