#pragma once

#include "base/types.h"
#include "loop/file.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "loop/poll.h"
#include "loop/signal.h"
#include "loop/timer.h"
#include "loop/tree.h"
#include "loop/turn.h"
#include "loop/watch.h"

/// The names of the probes called, in order.
struct peri_trace {
  char names[256];
  unsigned len;
};

/// What a probe does with its target each time it is called.
enum peri_probe_action {
  PERI_PROBE_NOTHING,
  PERI_PROBE_STOP_LOOP,
  PERI_PROBE_FREE_TIMER,
  PERI_PROBE_STOP_TIMER,
  PERI_PROBE_FREE_POLL,
  PERI_PROBE_FREE_SIGNAL,
  PERI_PROBE_FREE_WATCH,
  PERI_PROBE_FREE_TREE,
  PERI_PROBE_CLOSE_MAILBOX,
  PERI_PROBE_REQUEST_TURN,
  PERI_PROBE_CANCEL_TURN
};

/// Stands in for every kind of callback and remembers how it was called.
struct peri_probe {
  struct peri_loop *loop;
  struct peri_trace *trace;  // may be NULL
  char name;
  int action;
  void *target;
  unsigned limit;  // act on so many calls only; 0 for all
  unsigned calls;
  int number;   // of a signal
  int events;   // of a poll
  int code;     // of a poll or a file
  char *bytes;  // of a file; the spec frees it
  size_t len;
  int64_t mtime_ns;
  unsigned processed;  // files, on another thread
  size_t processed_len;
  struct peri_turn turn;
  struct peri_message message;
};

void peri_probe_fire(void *ctx);
void peri_probe_caught(void *ctx, int number);
void peri_probe_ready(void *ctx, int events, int error);
void peri_probe_done(void *ctx, const struct peri_file_result *result);
void peri_probe_process(void *ctx, const struct peri_file_result *result);
void peri_probe_turn(struct peri_turn *turn);
void peri_probe_message(struct peri_message *message);

/// Lets `threads` threads post `messages` each and runs the loop until all have
/// come. Returns how many came, or -1 when one thread's came out of order.
int peri_posters_run(struct peri_loop *loop, struct peri_mailbox *mailbox,
                     unsigned threads, unsigned messages);

/// Lets `threads` threads post until they are refused, and closes the mailbox
/// when `messages` have come. Returns whether exactly those that were accepted
/// were run.
bool peri_posters_race_close(struct peri_loop *loop,
                             struct peri_mailbox *mailbox, unsigned threads,
                             unsigned messages);
