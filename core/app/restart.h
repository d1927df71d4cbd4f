#pragma once

#include "app/setup.h"
#include "base/types.h"

/// Names what differs between two configurations and is only read at the start
/// ("listen.app, workers", cut when too long): what is written differently but
/// means the same does not count. Returns whether anything does.
bool peri_restart_names(const struct peri_setup *before,
                        const struct peri_setup *after, char *ret_names,
                        size_t capacity);
