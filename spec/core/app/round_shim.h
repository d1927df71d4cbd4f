#pragma once

#include "app/round.h"

enum { SHIM_ROUND_WORKERS = 3 };

struct peri_loop;
struct shim_round;

/// What one worker was asked and has not answered.
struct shim_round_worker {
  struct shim_round *shim;
  struct peri_loop *loop;
  struct peri_mailbox *mailbox;  // NULL once closed
  struct peri_mailbox *ref;      // stays
  struct peri_part *part;        // held, or NULL
  int asked;
  const void *question;
};

/// Workers and a control thread, all driven by the spec.
struct shim_round {
  struct peri_loop *loop;
  struct peri_mailbox *control;
  struct shim_round_worker workers[3];
  struct peri_round_place places[3];
  bool hold;  // answers wait for shim_round_answer()
  int done;
  int codes[3];
  char words[128];  // of the first problem
};

void shim_round_new(struct shim_round *shim);
/// Asks all workers; with `run` NULL it is the shim's own, which holds or
/// answers 0.
int shim_round_ask(struct shim_round *shim, const void *question,
                   void (*run)(struct peri_part *part));
/// Makes a round, drops it, and asks nobody.
void shim_round_drop(struct shim_round *shim);
/// Runs every loop once.
void shim_round_run(struct shim_round *shim);
void shim_round_answer(struct shim_round *shim, int worker, int code);
/// The worker ends: what it holds is answered PERI_ECLOSED.
void shim_round_close(struct shim_round *shim, int worker);
/// Closes what is open; false when a loop was left with something open.
bool shim_round_done(struct shim_round *shim);
