#pragma once

#include "base/types.h"

struct peri_config;
struct peri_policy_ref;

/// Calls `visit` for each policy that a configuration names, with its kind
/// (static) and reference, until it returns non-zero, and returns that, or 0.
/// A NULL configuration names none.
int peri_named_each(const struct peri_config *config,
                    int (*visit)(void *ctx, const char *kind,
                                 const struct peri_policy_ref *ref),
                    void *ctx);

/// Whether the configuration names that policy; with `ref`, with the same
/// options.
bool peri_named_has(const struct peri_config *config, const char *kind,
                    const char *name, const struct peri_policy_ref *ref);
