#pragma once

#include "base/error.h"
#include "base/types.h"
#include "loop/mailbox.h"

/// One question to every worker, whose answers come together on the control
/// thread. Each worker answers once, later if it likes, and also when it ends;
/// one that has ended already counts as one that answered PERI_ECLOSED. So
/// every round ends, whatever happens to the workers.
struct peri_round;

/// One worker's part. Only one thread has it at a time: the worker's from
/// `run` to peri_part_end(), else the control thread.
struct peri_part {
  struct peri_message message;  // the round's own, as the next one
  struct peri_round *round;
  void *place;           // the worker's, as peri_round_start() was given it
  const void *question;  // of the round
  int code;              // the answer
  struct peri_problem problem;
  void *result;  // more of it, for `done` to take
};

/// A worker that is asked.
struct peri_round_place {
  struct peri_mailbox *mailbox;
  void *place;
};

/// Who is asked what, and who is told.
struct peri_round_options {
  struct peri_mailbox *control;  // the calling thread's own; referenced
  const struct peri_round_place *places;
  size_t count;
  const void *question;  // borrowed until `done`
  /// On each worker's thread; answers with peri_part_end(), now or later.
  void (*run)(struct peri_part *part);
  /// On the control thread, once, never from within peri_round_ask(): all have
  /// answered. The parts are freed afterwards.
  void (*done)(void *ctx, struct peri_part *parts, size_t count);
  void *ctx;
};

/// A round that has not begun; `places` must live until it does. Control
/// thread. @return 0, PERI_ENOMEM or PERI_EINVAL (no places).
int peri_round_new(const struct peri_round_options *options,
                   struct peri_round **ret_round);
/// Asks, which cannot fail; the round frees itself behind `done`.
void peri_round_ask(struct peri_round *round);
/// Frees one that did not ask. NULL is fine.
void peri_round_free(struct peri_round *round);

/// Makes one and asks. @return as peri_round_new(): nobody was asked then.
int peri_round_start(const struct peri_round_options *options);

/// The worker has answered.
void peri_part_end(struct peri_part *part);

/// What went wrong first, PERI_ECLOSED not counted: workers that have ended are
/// not asked any more. @return its code, with words; or 0.
int peri_round_problem(const struct peri_part *parts, size_t count,
                       struct peri_problem *ret_problem);
