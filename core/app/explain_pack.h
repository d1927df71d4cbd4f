#pragma once

#include "base/buffer.h"
#include "base/types.h"

struct peri_decision;

/// Appends an ExplainResponse of some decisions of one worker, in their order.
/// @return 0 or PERI_ENOMEM.
int peri_explain_pack(const struct peri_decision *const *decisions,
                      size_t count, uint32_t worker, struct peri_buffer *bytes);

/// Puts the decisions of several ExplainResponses, one behind the other in
/// `bytes`, in the order of time. @return 0 or PERI_ENOMEM.
int peri_explain_merge(struct peri_buffer *bytes);
