#pragma once

#include "app/setup.h"
#include "base/error.h"
#include "base/types.h"

struct peri_loop;
struct peri_metrics;
struct peri_registry;

/// Reads the configuration again when its file changes or when asked. Control
/// thread only.
struct peri_reload;

struct peri_reload_options {
  struct peri_loop *loop;
  const char *file;
  const struct peri_setup *setup;  // as the sidecar was started; borrowed
  struct peri_registry *registry;  // borrowed
  struct peri_metrics *metrics;
};

/// @return 0, PERI_ENOMEM or a libuv code.
int peri_reload_new(const struct peri_reload_options *options,
                    struct peri_reload **ret_reload);

/// Reads it at the end of this turn of the loop, once however often it was
/// asked for: a storm of signals is one reading. Services take effect; what
/// else differs is logged as needing a restart; a file that is wrong changes
/// nothing, and is logged with its words.
void peri_reload_request(struct peri_reload *reload);

/// NULL is fine.
void peri_reload_free(struct peri_reload *reload);
