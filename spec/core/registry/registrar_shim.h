#pragma once

#include "base/types.h"

/// How often something ended, and how the last time.
struct peri_shim_outcome {
  int count;
  int error;
};

/// For every `done` that says an error. `ctx` is a struct peri_shim_outcome.
void peri_shim_outcome_note(void *ctx, int error);
/// For `closed`. `ctx` is a struct peri_shim_outcome.
void peri_shim_outcome_closed(void *ctx);
/// A fleet of as many as `ctx` points to (size_t).
size_t peri_shim_fleet(void *ctx);

/// For `done`: frees the registrar from within it.
struct peri_registrar;
struct peri_shim_freeing {
  struct peri_registrar *registrar;
  struct peri_shim_outcome outcome;
};
void peri_shim_outcome_free(void *ctx, int error);
