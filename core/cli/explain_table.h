#pragma once

#include "base/buffer.h"
#include "base/types.h"

/// Appends the decisions of a packed perigee.v1.ExplainResponse as a table, a
/// line each. @return 0, PERI_EPROTO (it cannot be read) or PERI_ENOMEM.
int peri_cli_explain_table(struct peri_slice message, struct peri_buffer *text);
