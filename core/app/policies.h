#pragma once

#include "base/buffer.h"
#include "base/types.h"

struct peri_edits;
struct peri_failures;
struct peri_roster_entry;
struct peri_roster;

/// What perigee.v1.Mesh answers about policies, packed. Control thread.

/// Appends a PoliciesResponse: of `only`, or of all when that is NULL.
/// @return 0 or PERI_ENOMEM.
int peri_policies_pack(const struct peri_roster *roster,
                       const struct peri_roster_entry *only,
                       const struct peri_edits *edits,
                       struct peri_buffer *bytes);

/// Appends a ReloadPoliciesResponse, or RollbackPolicyResponse, which is the
/// same: what became of what ran before. Listings may be NULL when they are not
/// known, `refused` when nothing was. @return 0 or PERI_ENOMEM.
int peri_policies_pack_changes(const struct peri_roster *before,
                               const struct peri_roster *after,
                               const struct peri_failures *refused,
                               struct peri_buffer *bytes);

/// The name in a PoliciesRequest, which is as the other two requests, copied.
/// @return 0, PERI_EINVAL (it is none, or too long) or PERI_ENOMEM
int peri_policies_name(struct peri_slice message, char *ret_name,
                       size_t capacity);
