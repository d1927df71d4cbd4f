#include "app/round.h"

#include <stdlib.h>

#include "base/container.h"

struct peri_round {
  struct peri_mailbox *control;
  const struct peri_round_place *places;  // until it asks
  void (*run)(struct peri_part *part);
  void (*done)(void *ctx, struct peri_part *parts, size_t count);
  void *ctx;
  size_t count;
  size_t left;  // have not answered; control thread only
  struct peri_part parts[];
};

/// Control thread: one more has answered.
static void run_answer(struct peri_message *message) {
  struct peri_part *part =
      PERI_CONTAINER_OF(message, struct peri_part, message);
  struct peri_round *round = part->round;
  if (--round->left > 0) {
    return;
  }
  round->done(round->ctx, round->parts, round->count);
  peri_round_free(round);
}

void peri_part_end(struct peri_part *part) {
  part->message.run = run_answer;
  // The control thread's mailbox outlives every worker.
  (void)peri_mailbox_post(part->round->control, &part->message);
}

static void run_question(struct peri_message *message) {
  struct peri_part *part =
      PERI_CONTAINER_OF(message, struct peri_part, message);
  part->round->run(part);
}

int peri_round_new(const struct peri_round_options *options,
                   struct peri_round **ret_round) {
  size_t count = options->count;
  if (count == 0) {
    return PERI_EINVAL;
  }
  struct peri_round *round =
      calloc(1, sizeof(*round) + count * sizeof(struct peri_part));
  if (round == NULL) {
    return PERI_ENOMEM;
  }
  round->control = peri_mailbox_ref(options->control);
  round->places = options->places;
  round->run = options->run;
  round->done = options->done;
  round->ctx = options->ctx;
  round->count = count;
  round->left = count;
  for (size_t i = 0; i < count; i++) {
    struct peri_part *part = &round->parts[i];
    part->message.run = run_question;
    part->round = round;
    part->place = options->places[i].place;
    part->question = options->question;
  }
  *ret_round = round;
  return 0;
}

void peri_round_ask(struct peri_round *round) {
  for (size_t i = 0; i < round->count; i++) {
    struct peri_part *part = &round->parts[i];
    if (peri_mailbox_post(round->places[i].mailbox, &part->message) < 0) {
      part->code = PERI_ECLOSED;
      peri_part_end(part);
    }
  }
}

void peri_round_free(struct peri_round *round) {
  if (round != NULL) {
    peri_mailbox_unref(round->control);
    free(round);
  }
}

int peri_round_start(const struct peri_round_options *options) {
  struct peri_round *round = NULL;
  int rc = peri_round_new(options, &round);
  if (rc == 0) {
    peri_round_ask(round);
  }
  return rc;
}

int peri_round_problem(const struct peri_part *parts, size_t count,
                       struct peri_problem *ret_problem) {
  for (size_t i = 0; i < count; i++) {
    const struct peri_part *part = &parts[i];
    if (part->code < 0 && part->code != PERI_ECLOSED) {
      return peri_problem_set(ret_problem, part->code, "%s",
                              part->problem.text[0] != '\0'
                                  ? part->problem.text
                                  : peri_error_text(part->code));
    }
  }
  return 0;
}
