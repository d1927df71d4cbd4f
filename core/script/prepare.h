#pragma once

#include "base/types.h"
#include "loop/turn.h"

struct peri_config;
struct peri_script;
struct peri_script_failure;
struct peri_sources;
struct peri_timer;

/// What is being prepared on one worker, or is prepared.
struct peri_prepare {
  bool active;   // from prepare to commit or abort
  bool ready;    // `done` has come
  bool renamed;  // the configuration is another one
  struct peri_config *config;
  struct peri_sources *sources;
  char *force;  // or NULL
  struct peri_timer *timer;
  struct peri_turn turn;
  struct peri_script_failure *failures;
  size_t failure_count;
  void (*done)(void *ctx, const struct peri_script_failure *failures,
               size_t count);
  void *ctx;
};

/// Ends the preparation and releases what it holds.
void peri_prepare_end(struct peri_script *script);
