#pragma once

#include "app/round.h"
#include "app/setup.h"
#include "base/error.h"
#include "base/types.h"

struct peri_ask;
struct peri_cache;
struct peri_config;
struct peri_folders;
struct peri_loop;
struct peri_metrics;
struct peri_registry;
struct peri_worker;

/// Sees to it that what is edited takes effect: when the configuration's file
/// or a policy's changes, on a signal, or when somebody asks. One change at a
/// time; what comes meanwhile is one change afterwards. Control thread only.
struct peri_reload;

/// Everything is borrowed.
struct peri_reload_options {
  struct peri_loop *loop;
  struct peri_mailbox *control;
  const char *file;
  const struct peri_setup *setup;  // as the sidecar was started
  const struct peri_folders *folders;
  struct peri_worker *const *workers;
  size_t count;
  struct peri_cache *cache;
  struct peri_registry *registry;
  struct peri_ask *ask;  // whose questions about policies it answers
  struct peri_metrics *metrics;
  /// Another configuration runs; it lives until peri_reload_free().
  void (*taken)(void *ctx, const struct peri_config *config);
  void *ctx;
};

/// @return 0, PERI_ENOMEM or a libuv code.
int peri_reload_new(const struct peri_reload_options *options,
                    struct peri_reload **ret_reload);

/// Reads configuration and policies at the end of this turn of the loop, or a
/// second after the last time this was asked for: a storm of signals is one
/// reading a second.
void peri_reload_request(struct peri_reload *reload);

/// The sidecar ends: nothing is taken over any more, whoever waits is told so.
/// While the workers run. Once or more; NULL is fine.
void peri_reload_close(struct peri_reload *reload);

/// After the workers were joined and the control thread's mailbox closed,
/// before the cache is freed. NULL is fine.
void peri_reload_free(struct peri_reload *reload);
