#pragma once

#include "base/buffer.h"
#include "base/types.h"

/// Appends, for people, what a packed perigee.v1.PoliciesResponse says: a
/// table, and below it in words why an edit was refused or a policy is off.
/// @return 0, PERI_EPROTO (it is none) or PERI_ENOMEM.
int peri_cli_policy_table(struct peri_slice message, struct peri_buffer *text);

/// Appends what became of policies, a line for each: of a packed
/// ReloadPoliciesResponse or RollbackPolicyResponse.
/// @param ret_refused  whether an edit was refused
/// @return as above
int peri_cli_policy_changes(struct peri_slice message, struct peri_buffer *text,
                            bool *ret_refused);
