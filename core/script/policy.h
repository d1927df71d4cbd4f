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

/// The kind of the declaration at `declaration`, or NULL when it is none.
const char *peri_policy_kind(struct lua_State *L, int declaration);

/// Pushes an object whose methods are the functions of the declaration, called
/// with what `new` made, at `self` (both positive).
void peri_policy_bind(struct lua_State *L, int declaration, int self);

/// Runs the declaration's own `selftest`, when it has one, with the toolkit of
/// _meta/try.lua (selftest.c), whose handles end with it. Raises when the test
/// does, or when it returns false or nil and why.
/// @return 0
int peri_policy_selftest(struct lua_State *L, int declaration);
