#include "loop/probe_shim.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"

enum { MAX_THREADS = 16 };

static void act(struct peri_probe *probe) {
  switch (probe->action) {
    case PERI_PROBE_STOP_LOOP:
      peri_loop_stop(probe->loop);
      break;
    case PERI_PROBE_FREE_TIMER:
      peri_timer_free(probe->target);
      break;
    case PERI_PROBE_STOP_TIMER:
      peri_timer_stop(probe->target);
      break;
    case PERI_PROBE_FREE_POLL:
      peri_poll_free(probe->target);
      break;
    case PERI_PROBE_FREE_SIGNAL:
      peri_signal_free(probe->target);
      break;
    case PERI_PROBE_FREE_WATCH:
      peri_watch_free(probe->target);
      break;
    case PERI_PROBE_FREE_TREE:
      peri_tree_watch_free(probe->target);
      break;
    case PERI_PROBE_CLOSE_MAILBOX:
      peri_mailbox_close(probe->target);
      break;
    case PERI_PROBE_REQUEST_TURN:
      peri_turn_request(probe->target);
      break;
    case PERI_PROBE_CANCEL_TURN:
      peri_turn_cancel(probe->target);
      break;
    default:
      break;
  }
}

static void called(struct peri_probe *probe) {
  struct peri_trace *trace = probe->trace;
  probe->calls++;
  if (trace != NULL && trace->len + 1 < sizeof(trace->names)) {
    trace->names[trace->len] = probe->name;
    trace->len++;
    trace->names[trace->len] = '\0';
  }
  if (probe->limit == 0 || probe->calls <= probe->limit) {
    act(probe);
  }
}

void peri_probe_fire(void *ctx) {
  called(ctx);
}

void peri_probe_caught(void *ctx, int number) {
  struct peri_probe *probe = ctx;
  probe->number = number;
  called(probe);
}

void peri_probe_ready(void *ctx, int events, int error) {
  struct peri_probe *probe = ctx;
  probe->events = events;
  probe->code = error;
  called(probe);
}

void peri_probe_done(void *ctx, const struct peri_file_result *result) {
  struct peri_probe *probe = ctx;
  probe->code = result->code;
  probe->len = result->bytes.len;
  probe->mtime_ns = result->mtime_ns;
  probe->bytes = malloc(result->bytes.len + 1);
  if (probe->bytes != NULL && result->bytes.len > 0) {
    memcpy(probe->bytes, result->bytes.ptr, result->bytes.len);
  }
  called(probe);
}

void peri_probe_process(void *ctx, const struct peri_file_result *result) {
  struct peri_probe *probe = ctx;
  probe->processed++;
  probe->processed_len = result->bytes.len;
}

void peri_probe_turn(struct peri_turn *turn) {
  called(PERI_CONTAINER_OF(turn, struct peri_probe, turn));
}

void peri_probe_message(struct peri_message *message) {
  called(PERI_CONTAINER_OF(message, struct peri_probe, message));
}

struct poster;
struct letter {
  struct peri_message message;
  struct poster *poster;
  unsigned number;
};

struct poster {
  struct peri_mailbox *mailbox;
  pthread_t thread;
  unsigned count;  // 0: until refused
  unsigned accepted;
  unsigned run;
  bool disorder;
};

static void letter_run(struct peri_message *message) {
  struct letter *letter = PERI_CONTAINER_OF(message, struct letter, message);
  struct poster *poster = letter->poster;
  poster->disorder = poster->disorder || letter->number != poster->run;
  poster->run++;
  free(letter);
}

static void *post_all(void *arg) {
  struct poster *poster = arg;
  while (poster->count == 0 || poster->accepted < poster->count) {
    struct letter *letter = malloc(sizeof(*letter));
    if (letter == NULL) {
      break;
    }
    letter->message.run = letter_run;
    letter->poster = poster;
    letter->number = poster->accepted;
    if (peri_mailbox_post(poster->mailbox, &letter->message) < 0) {
      free(letter);
      break;
    }
    poster->accepted++;
  }
  peri_mailbox_unref(poster->mailbox);
  return NULL;
}

static unsigned total_run(const struct poster *posters, unsigned threads) {
  unsigned total = 0;
  for (unsigned i = 0; i < threads; i++) {
    total += posters[i].run;
  }
  return total;
}

static bool start(struct poster *posters, struct peri_mailbox *mailbox,
                  unsigned threads, unsigned count) {
  for (unsigned i = 0; i < threads; i++) {
    posters[i] =
        (struct poster){.mailbox = peri_mailbox_ref(mailbox), .count = count};
    if (pthread_create(&posters[i].thread, NULL, post_all, &posters[i]) != 0) {
      return false;
    }
  }
  return true;
}

int peri_posters_run(struct peri_loop *loop, struct peri_mailbox *mailbox,
                     unsigned threads, unsigned messages) {
  struct poster posters[MAX_THREADS];
  if (threads > MAX_THREADS || !start(posters, mailbox, threads, messages)) {
    return -1;
  }
  bool disorder = false;
  while (total_run(posters, threads) < threads * messages) {
    peri_loop_step(loop, 1000);
  }
  for (unsigned i = 0; i < threads; i++) {
    pthread_join(posters[i].thread, NULL);
    disorder = disorder || posters[i].disorder;
  }
  return disorder ? -1 : (int)total_run(posters, threads);
}

bool peri_posters_race_close(struct peri_loop *loop,
                             struct peri_mailbox *mailbox, unsigned threads,
                             unsigned messages) {
  struct poster posters[MAX_THREADS];
  if (threads > MAX_THREADS || !start(posters, mailbox, threads, 0)) {
    return false;
  }
  while (total_run(posters, threads) < messages) {
    peri_loop_step(loop, 1000);
  }
  peri_mailbox_close(mailbox);
  bool exact = true;
  for (unsigned i = 0; i < threads; i++) {
    pthread_join(posters[i].thread, NULL);
    exact =
        exact && !posters[i].disorder && posters[i].run == posters[i].accepted;
  }
  return exact;
}
