#pragma once

#include "base/buffer.h"
#include "base/types.h"

struct peri_config;

/// Finds the route of a call that has at most the header `name`; its index from
/// 1, or 0. A pattern is "found" when it is a part of the text.
size_t peri_shim_route_find(const struct peri_config *config,
                            struct peri_slice path, struct peri_slice authority,
                            const char *name, struct peri_slice value);

/// The nanoseconds that one search takes, as an average of `rounds`.
double peri_shim_route_cost(const struct peri_config *config,
                            struct peri_slice path, size_t rounds);

/// Words about the first route of the configuration and a call, as
/// peri_route_words() gives them.
int peri_shim_route_words(const struct peri_config *config,
                          struct peri_slice path, struct peri_slice authority,
                          const char *name, struct peri_slice value,
                          struct peri_buffer *text);
