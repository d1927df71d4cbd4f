#pragma once

#include <uv.h>

#include "base/types.h"

struct peri_turn;

/// The loop's inside, for the `.c` files of this room only.
struct peri_loop {
  uv_loop_t uv;
  uv_prepare_t before_poll;  // runs turns before the loop sleeps
  uv_check_t after_poll;     // runs turns after the events of an iteration
  uv_idle_t busy;            // active while turns wait, so poll does not sleep
  uv_timer_t limit;          // bounds peri_loop_step()
  struct peri_turn *first_turn;
  struct peri_turn **last_turn;  // where the next request is linked
};

/// Runs the turns that were asked for, up to 16 rounds.
void peri_turn_run_all(struct peri_loop *loop);

/// Makes `loop` ready for turns; its handles are closed by the loop.
void peri_turn_setup(struct peri_loop *loop);
