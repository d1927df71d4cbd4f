#pragma once

#include "base/error.h"
#include "base/types.h"

struct lua_State;

/// The declarations that `perigee.policy` makes and checks. All of these raise
/// for whatever the policy's author did wrong, and push nothing then.

/// Pushes the declaration of policy `name` of `kind` ("picker", "fallback",
/// "balancer"): reads, runs and checks its file on first use in this VM.
/// @return 0, or PERI_ENOTFOUND with the folders that were searched.
int peri_policy_open(struct lua_State *L, const char *kind, const char *name,
                     struct peri_problem *ret_problem);

/// Pushes what `new` makes of the options in the table at `options` for the
/// declaration at `declaration` (both positive).
/// @return 0, or PERI_ECONFIG: the options do not fit, or `new` refused them.
int peri_policy_make(struct lua_State *L, int declaration, int options,
                     struct peri_problem *ret_problem);

/// Whether `name` can be a policy's name: [a-z0-9_]+, at most 64 bytes.
bool peri_policy_name_ok(const char *name);
