#include "loop/errand.h"

#include <pthread.h>
#include <signal.h>

#include "base/container.h"
#include "base/error.h"

static void run_done(struct peri_message *message) {
  struct peri_errand *errand =
      PERI_CONTAINER_OF(message, struct peri_errand, message);
  errand->done(errand);
}

static void *run_thread(void *arg) {
  struct peri_errand *errand = arg;
  struct peri_mailbox *mailbox = errand->mailbox;
  errand->run(errand);
  if (peri_mailbox_post(mailbox, &errand->message) < 0) {
    errand->lost(errand);
  }
  peri_mailbox_unref(mailbox);
  return NULL;
}

/// Signals are for the loops: the thread has all of them blocked.
static int start_thread(struct peri_errand *errand) {
  pthread_attr_t attr;
  pthread_t thread;
  sigset_t all, before;
  if (pthread_attr_init(&attr) != 0) {
    return PERI_ENOMEM;
  }
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&thread, &attr, run_thread, errand);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attr);
  return error != 0 ? PERI_ENOMEM : 0;
}

int peri_errand_start(struct peri_errand *errand, struct peri_mailbox *mailbox,
                      void (*run)(struct peri_errand *errand),
                      void (*done)(struct peri_errand *errand),
                      void (*lost)(struct peri_errand *errand)) {
  errand->message.run = run_done;
  errand->mailbox = peri_mailbox_ref(mailbox);
  errand->run = run;
  errand->done = done;
  errand->lost = lost;
  int rc = start_thread(errand);
  if (rc < 0) {
    peri_mailbox_unref(mailbox);
  }
  return rc;
}
