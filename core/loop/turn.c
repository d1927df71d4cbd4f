#include "loop/turn.h"

#include "base/container.h"
#include "loop/private.h"

enum { MAX_ROUNDS = 16 };

static void before_poll(uv_prepare_t *handle) {
  peri_turn_run_all(PERI_CONTAINER_OF(handle, struct peri_loop, before_poll));
}

static void after_poll(uv_check_t *handle) {
  peri_turn_run_all(PERI_CONTAINER_OF(handle, struct peri_loop, after_poll));
}

static void busy(uv_idle_t *handle) {
  // Being active is all it does: poll then returns at once.
  (void)handle;
}

void peri_turn_setup(struct peri_loop *loop) {
  loop->first_turn = NULL;
  loop->last_turn = &loop->first_turn;
  uv_prepare_init(&loop->uv, &loop->before_poll);
  uv_prepare_start(&loop->before_poll, before_poll);
  uv_unref((uv_handle_t *)&loop->before_poll);
  uv_check_init(&loop->uv, &loop->after_poll);
  uv_check_start(&loop->after_poll, after_poll);
  uv_unref((uv_handle_t *)&loop->after_poll);
  uv_idle_init(&loop->uv, &loop->busy);
}

void peri_turn_init(struct peri_turn *turn, struct peri_loop *loop,
                    void (*run)(struct peri_turn *turn)) {
  *turn = (struct peri_turn){.run = run, .loop = loop};
}

void peri_turn_request(struct peri_turn *turn) {
  struct peri_loop *loop = turn->loop;
  if (turn->queued) {
    return;
  }
  if (loop->first_turn == NULL) {
    uv_idle_start(&loop->busy, busy);
  }
  turn->queued = true;
  turn->next = NULL;
  *loop->last_turn = turn;
  loop->last_turn = &turn->next;
}

static struct peri_turn *take_first(struct peri_loop *loop) {
  struct peri_turn *turn = loop->first_turn;
  loop->first_turn = turn->next;
  if (loop->first_turn == NULL) {
    loop->last_turn = &loop->first_turn;
    uv_idle_stop(&loop->busy);
  }
  turn->next = NULL;
  turn->queued = false;
  return turn;
}

/// A mark in the queue: the turns before it are one round.
static void end_round(struct peri_turn *turn) {
  (void)turn;
}

void peri_turn_run_all(struct peri_loop *loop) {
  for (unsigned round = 0; round < MAX_ROUNDS && loop->first_turn != NULL;
       round++) {
    struct peri_turn mark;
    peri_turn_init(&mark, loop, end_round);
    peri_turn_request(&mark);
    // Turns stay queued until their own call, so each can still be cancelled.
    while (mark.queued) {
      struct peri_turn *turn = take_first(loop);
      turn->run(turn);
    }
  }
}

void peri_turn_cancel(struct peri_turn *turn) {
  struct peri_loop *loop = turn->loop;
  if (!turn->queued) {
    return;
  }
  struct peri_turn **at = &loop->first_turn;
  while (*at != turn) {
    at = &(*at)->next;
  }
  *at = turn->next;
  if (loop->last_turn == &turn->next) {
    loop->last_turn = at;
  }
  if (loop->first_turn == NULL) {
    uv_idle_stop(&loop->busy);
  }
  turn->next = NULL;
  turn->queued = false;
}
