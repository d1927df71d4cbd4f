#pragma once

#include "base/types.h"

struct peri_loop;
/// Something to do once at the end of the loop iteration that asked for it: the
/// place where everything an iteration produced for a connection is written.
/// Embed it and zero-initialise it, then peri_turn_init().
struct peri_turn {
  struct peri_turn *next;
  void (*run)(struct peri_turn *turn);
  struct peri_loop *loop;
  bool queued;
};

void peri_turn_init(struct peri_turn *turn, struct peri_loop *loop,
                    void (*run)(struct peri_turn *turn));

/// Runs `turn` after the events of this iteration and before the loop sleeps
/// again (also when asked from a timer or outside callbacks). Asking twice is
/// once. Turns asked for while turns run are run in the same round, up to 16
/// rounds, then in the next iteration.
void peri_turn_request(struct peri_turn *turn);

/// Takes the request back; needed before the memory goes.
void peri_turn_cancel(struct peri_turn *turn);
