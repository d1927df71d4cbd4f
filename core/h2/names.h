#pragma once

#include "base/types.h"

/// A copy of a field's name that lives for ever, when it is one that nearly
/// every gRPC call has: nghttp2 then need not copy, and lower, it again. NULL
/// for any other. Any thread.
const char *peri_h2_name_lasting(struct peri_slice name);
