#pragma once

#include "app/ask.h"
#include "h2/call_shim.h"
#include "registry/registry.h"

struct peri_config;
struct peri_loop;
struct peri_mailbox;
struct peri_metrics;

/// A worker, which is the rig's loop, and a control thread with a registry,
/// which is a loop of its own; both are driven by the spec.
struct shim_ask {
  struct shim_call_rig *rig;     // in the mode HOLD or WATCH, owned by the spec
  struct peri_mailbox *worker;   // on the rig's loop
  struct peri_loop *loop;        // of the control thread
  struct peri_mailbox *control;  // NULL once closed
  struct peri_metrics *metrics;
  struct peri_registry *registry;
  struct peri_ask *ask;
};

/// Makes what stands behind a call that the rig holds; the rig must hold one.
void shim_ask_new(struct shim_ask *shim, struct shim_call_rig *rig);
/// Makes a registry and opens the ask. @return as peri_registry_new().
int shim_ask_open(struct shim_ask *shim, struct peri_config *config);
/// Runs the control thread for `ms`, then the worker.
void shim_ask_run(struct shim_ask *shim, uint32_t ms);
/// The worker ends: its mailbox is closed.
void shim_ask_close_worker(struct shim_ask *shim);
void shim_ask_close_control(struct shim_ask *shim);
/// What came to be served.
struct shim_ask_served {
  bool keep;  // instead of answering "served" at once
  struct peri_question *question;
  char request[64];
};
/// Serves reloads.
void shim_ask_serve(struct shim_ask *shim, struct shim_ask_served *served);
/// Closes, stops and frees everything but the rig; false when a loop was left
/// with something open.
bool shim_ask_done(struct shim_ask *shim);
