#pragma once

#include "app/memory.h"
#include "app/setup.h"
#include "app/sidecar.h"
#include "app/worker.h"
#include "base/error.h"
#include "base/types.h"

struct peri_acceptor;
struct peri_admin;
struct peri_ask;
struct peri_cache;
struct peri_child;
struct peri_config;
struct peri_folders;
struct peri_loop;
struct peri_mailbox;
struct peri_metric;
struct peri_metrics;
struct peri_registry;
struct peri_explain;
struct peri_reload;
struct peri_signal;
struct peri_timer;

/// From SIGTERM on it goes through all of the later ones; CLOSING and ENDING
/// only while it has an application of its own that runs.
enum peri_sidecar_state {
  PERI_SIDECAR_STARTING,
  PERI_SIDECAR_RUNNING,
  PERI_SIDECAR_LEAVING,   // taking itself out of the registry
  PERI_SIDECAR_CLOSING,   // finishing what others asked of the application
  PERI_SIDECAR_ENDING,    // waiting for the application's end
  PERI_SIDECAR_DRAINING,  // finishing what was begun
  PERI_SIDECAR_STOPPING   // ending the workers
};

enum { PERI_SIDECAR_SIGNALS = 3 };

/// A whole sidecar, as its control thread knows it.
struct peri_sidecar {
  const struct peri_setup *setup;
  const struct peri_config *config;  // that runs
  const struct peri_folders *folders;
  enum peri_sidecar_state state;
  int status;  // enum peri_exit
  bool stuck;  // a thread does not end: leave everything to the system
  struct peri_loop *loop;
  struct peri_mailbox *mailbox;
  struct peri_metrics *metrics;
  struct peri_metric *ready;
  struct peri_metric *version;
  struct peri_cache *cache;
  struct peri_worker **workers;
  size_t count;                     // started
  size_t drained[PERI_SIDE_COUNT];  // of them
  size_t stopped;                   // of them
  bool closed[PERI_SIDE_COUNT];     // or closing
  struct peri_acceptor *acceptors[PERI_SIDE_COUNT];
  struct peri_admin *admin;
  struct peri_registry *registry;
  struct peri_ask *ask;
  bool is_ready;          // the ready line was printed
  uint64_t leave_by_ns;   // when the drain time is over
  bool registry_stopped;  // or stopping
  struct peri_reload *reload;
  struct peri_explain *explain;
  struct peri_signal *signals[PERI_SIDECAR_SIGNALS];
  struct peri_timer *sweep;
  struct peri_memory memory;
  struct peri_timer *limit;  // of a drain, then of the stop
  struct peri_timer *pause;  // between leaving, closing and draining
  const struct peri_application *application;
  struct peri_child *child;
};

/// sidecar_start.c: makes everything, binds and begins to serve.
/// @return 0, or -1 with `status` set and the reason logged.
int peri_sidecar_start(struct peri_sidecar *car, const char *file);
/// Prints the ready line, starts the application and registers, once there is a
/// snapshot.
void peri_sidecar_ready(struct peri_sidecar *car);

/// sidecar.c: what start hands out.
void peri_sidecar_on_signal(void *ctx, int number);
void peri_sidecar_on_limit(void *ctx);
void peri_sidecar_on_pause(void *ctx);
void peri_sidecar_on_drained(void *ctx, struct peri_worker *worker,
                             enum peri_side side);
void peri_sidecar_on_stopped(void *ctx, struct peri_worker *worker);
void peri_sidecar_on_child(void *ctx);
/// Begins to end: readiness off, out of the registry, and so on.
void peri_sidecar_leave(struct peri_sidecar *car);
void peri_sidecar_on_taken(void *ctx, const struct peri_config *config);
void peri_sidecar_on_publish(void *ctx, struct peri_snapshot *snapshot);
void peri_sidecar_on_provided(void *ctx, struct peri_slice service,
                              struct peri_slice address);
