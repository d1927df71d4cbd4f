#pragma once

#include "h2/limits.h"

struct peri_config_limits;

/// The limits of the HTTP/2 side: what the configuration names, and the
/// defaults for the rest.
struct peri_h2_limits peri_limits_of(const struct peri_config_limits *config);
