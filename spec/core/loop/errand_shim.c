#include "loop/errand_shim.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/container.h"

struct shim_errand {
  struct peri_errand errand;
  sem_t gate;
  atomic_int end;
  pthread_t started, ran, ended;
};

static void run(struct peri_errand *base) {
  struct shim_errand *errand =
      PERI_CONTAINER_OF(base, struct shim_errand, errand);
  errand->ran = pthread_self();
  sem_wait(&errand->gate);
}

static void finish(struct peri_errand *base, int end) {
  struct shim_errand *errand =
      PERI_CONTAINER_OF(base, struct shim_errand, errand);
  errand->ended = pthread_self();
  atomic_store(&errand->end, end);
}

static void done(struct peri_errand *base) {
  finish(base, 'd');
}

static void lost(struct peri_errand *base) {
  finish(base, 'l');
}

struct shim_errand *shim_errand_start(struct peri_mailbox *mailbox) {
  struct shim_errand *errand = calloc(1, sizeof(*errand));
  if (errand == NULL) {
    return NULL;
  }
  sem_init(&errand->gate, 0, 0);
  errand->started = pthread_self();
  if (peri_errand_start(&errand->errand, mailbox, run, done, lost) < 0) {
    free(errand);
    return NULL;
  }
  return errand;
}

void shim_errand_let(struct shim_errand *errand) {
  sem_post(&errand->gate);
}

int shim_errand_end(struct shim_errand *errand, struct peri_loop *loop,
                    bool *ret_same) {
  int end = 0;
  while ((end = atomic_load(&errand->end)) == 0) {
    peri_loop_step(loop, 1);
  }
  bool apart = !pthread_equal(errand->ran, errand->started);
  *ret_same = apart && pthread_equal(errand->ended, errand->started);
  sem_destroy(&errand->gate);
  free(errand);
  return end;
}
