#pragma once

#include "base/buffer.h"
#include "base/types.h"

/// Appends what `perigee services` prints for people.
/// @param message  a packed perigee.v1.ServicesResponse
/// @param name  the one service that was asked for, or NULL
/// @return 0, PERI_EPROTO (no such message) or PERI_ENOMEM.
int peri_cli_services_table(struct peri_slice message, const char *name,
                            struct peri_buffer *text);
