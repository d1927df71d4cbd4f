#include "app/round_shim.h"

#include <stdio.h>
#include <stdlib.h>

#include "loop/loop.h"

// A loop with nothing but a mailbox does not look at it without waiting.
enum { STEP_MS = 5 };

void shim_round_new(struct shim_round *shim) {
  *shim = (struct shim_round){.done = 0};
  if (peri_loop_new(&shim->loop) < 0 ||
      peri_mailbox_new(shim->loop, &shim->control) < 0) {
    abort();
  }
  for (int i = 0; i < SHIM_ROUND_WORKERS; i++) {
    struct shim_round_worker *worker = &shim->workers[i];
    worker->shim = shim;
    if (peri_loop_new(&worker->loop) < 0 ||
        peri_mailbox_new(worker->loop, &worker->mailbox) < 0) {
      abort();
    }
    worker->ref = peri_mailbox_ref(worker->mailbox);
    shim->places[i] = (struct peri_round_place){worker->ref, worker};
  }
}

static void answer(struct peri_part *part, int code) {
  if (code < 0) {
    peri_problem_set(&part->problem, code, "words of %d", code);
  }
  part->code = code;
  peri_part_end(part);
}

static void run(struct peri_part *part) {
  struct shim_round_worker *worker = part->place;
  worker->asked++;
  worker->question = part->question;
  if (worker->mailbox == NULL) {
    answer(part, PERI_ECLOSED);
  } else if (worker->shim->hold) {
    worker->part = part;
  } else {
    answer(part, 0);
  }
}

static void done(void *ctx, struct peri_part *parts, size_t count) {
  struct shim_round *shim = ctx;
  struct peri_problem problem = {0, ""};
  shim->done++;
  for (size_t i = 0; i < count; i++) {
    shim->codes[i] = parts[i].code;
  }
  (void)peri_round_problem(parts, count, &problem);
  snprintf(shim->words, sizeof(shim->words), "%.100s", problem.text);
}

static struct peri_round_options options_of(struct shim_round *shim) {
  return (struct peri_round_options){
      .control = shim->control,
      .places = shim->places,
      .count = SHIM_ROUND_WORKERS,
      .run = run,
      .done = done,
      .ctx = shim,
  };
}

int shim_round_ask(struct shim_round *shim, const void *question,
                   void (*own)(struct peri_part *part)) {
  struct peri_round_options options = options_of(shim);
  options.question = question;
  options.run = own != NULL ? own : run;
  return peri_round_start(&options);
}

void shim_round_drop(struct shim_round *shim) {
  struct peri_round_options options = options_of(shim);
  struct peri_round *round = NULL;
  if (peri_round_new(&options, &round) < 0) {
    abort();
  }
  peri_round_free(round);
}

void shim_round_run(struct shim_round *shim) {
  for (int i = 0; i < SHIM_ROUND_WORKERS; i++) {
    if (shim->workers[i].loop != NULL) {
      (void)peri_loop_step(shim->workers[i].loop, STEP_MS);
    }
  }
  (void)peri_loop_step(shim->loop, STEP_MS);
}

void shim_round_answer(struct shim_round *shim, int index, int code) {
  struct shim_round_worker *worker = &shim->workers[index];
  struct peri_part *part = worker->part;
  worker->part = NULL;
  answer(part, code);
}

void shim_round_close(struct shim_round *shim, int index) {
  struct shim_round_worker *worker = &shim->workers[index];
  struct peri_mailbox *mailbox = worker->mailbox;
  worker->mailbox = NULL;
  if (worker->part != NULL) {
    shim_round_answer(shim, index, PERI_ECLOSED);
  }
  peri_mailbox_close(mailbox);
}

bool shim_round_done(struct shim_round *shim) {
  bool clean = true;
  for (int i = 0; i < SHIM_ROUND_WORKERS; i++) {
    struct shim_round_worker *worker = &shim->workers[i];
    if (worker->mailbox != NULL) {
      shim_round_close(shim, i);
    }
    clean = peri_loop_free(worker->loop) == 0 && clean;
    worker->loop = NULL;
    peri_mailbox_unref(worker->ref);
  }
  peri_mailbox_close(shim->control);
  return peri_loop_free(shim->loop) == 0 && clean;
}
