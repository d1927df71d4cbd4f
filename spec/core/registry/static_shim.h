#pragma once

#include "registry/static.h"

/// Counts what a registry publishes and keeps a reference to the last of it.
struct peri_static_probe {
  struct peri_snapshot *last;
  unsigned count;
};

/// Makes a registry that publishes to `probe`.
int peri_static_probe_new(struct peri_static_probe *probe,
                          struct peri_config *config,
                          struct peri_slice self_address,
                          struct peri_static **ret_static,
                          struct peri_problem *ret_problem);
void peri_static_probe_done(struct peri_static_probe *probe);
