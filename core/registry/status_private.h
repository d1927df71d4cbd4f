#pragma once

#include "registry/status.h"

/// Deep copy of a status, with every text and array. @return 0 or PERI_ENOMEM.
int peri_registry_status_copy(const struct peri_registry_status *from,
                              struct peri_registry_status **ret_status);
