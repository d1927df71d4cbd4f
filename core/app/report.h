#pragma once

#include "base/buffer.h"
#include "base/types.h"

struct peri_registry_status;

/// Appends a packed perigee.v1.ServicesResponse of what a registry knows of
/// itself. Any thread.
/// @param name  the one service to tell of; empty for all
/// @return 0 or PERI_ENOMEM.
int peri_report_services(const struct peri_registry_status *status,
                         struct peri_slice name, struct peri_buffer *bytes);

/// Appends what a probe of readiness may want to know, in words: one line for
/// the registry, unless it is static, and one for each service that is not
/// live. Any thread. @return 0 or PERI_ENOMEM.
int peri_report_text(const struct peri_registry_status *status,
                     struct peri_buffer *buffer);
