#include "app/ask_shim.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "model/config.h"

enum { STOP_MS = 5000, STEP_MS = 10, NS_PER_MS = 1000000 };

static void published(void *ctx, struct peri_snapshot *snapshot) {
  (void)ctx;
  (void)snapshot;
}

void shim_ask_new(struct shim_ask *shim, struct shim_call_rig *rig) {
  struct peri_call *call = shim_call_held(rig);
  *shim = (struct shim_ask){.rig = rig};
  shim->metrics = peri_metrics_new();
  if (call == NULL || shim->metrics == NULL || peri_loop_new(&shim->loop) < 0 ||
      peri_mailbox_new(shim->loop, &shim->control) < 0 ||
      peri_mailbox_new(shim_call_loop(rig), &shim->worker) < 0 ||
      peri_ask_new(shim->control, &shim->ask) < 0) {
    abort();
  }
}

int shim_ask_open(struct shim_ask *shim, struct peri_config *config) {
  struct peri_problem problem;
  struct peri_registry_options options = {
      .config = config,
      .self_address = peri_slice_of(config->node_address),
      .loop = shim->loop,
      .mailbox = shim->control,
      .metrics = shim->metrics,
      .publish = published,
      .ctx = shim};
  int rc = peri_registry_new(&options, &shim->registry, &problem);
  if (rc == 0) {
    peri_ask_open(shim->ask, shim->registry);
  }
  return rc;
}

void shim_ask_run(struct shim_ask *shim, uint32_t ms) {
  uint64_t until_ns = peri_clock_mono_ns() + (uint64_t)ms * NS_PER_MS;
  do {
    // A loop with nothing but a mailbox does not wait by itself.
    (void)peri_loop_step(shim->loop, STEP_MS);
  } while (peri_clock_mono_ns() < until_ns);
  shim_call_run(shim->rig, 0);
}

void shim_ask_close_worker(struct shim_ask *shim) {
  if (shim->worker != NULL) {
    peri_mailbox_close(shim->worker);
    shim->worker = NULL;
  }
}

void shim_ask_close_control(struct shim_ask *shim) {
  if (shim->control != NULL) {
    peri_mailbox_close(shim->control);
    shim->control = NULL;
  }
}

static void serve(void *ctx, struct peri_question *question,
                  struct peri_slice request) {
  struct shim_ask_served *served = ctx;
  struct peri_buffer bytes = {0};
  snprintf(served->request, sizeof(served->request), "%.*s", (int)request.len,
           request.ptr);
  served->question = question;
  if (!served->keep) {
    peri_buffer_add(&bytes, "served", 6);
    peri_question_answer(question, &bytes);
  }
}

void shim_ask_serve(struct shim_ask *shim, struct shim_ask_served *served) {
  peri_ask_serve(shim->ask, PERI_ASK_RELOAD, serve, served);
}

static void stopped(void *ctx) {
  bool *over = ctx;
  *over = true;
}

bool shim_ask_done(struct shim_ask *shim) {
  bool over = shim->registry == NULL;
  peri_ask_close(shim->ask);
  if (shim->registry != NULL) {
    peri_registry_stop(shim->registry, STOP_MS, stopped, &over);
  }
  while (!over) {
    (void)peri_loop_step(shim->loop, STEP_MS);
  }
  peri_registry_free(shim->registry);
  shim_ask_close_worker(shim);
  shim_ask_close_control(shim);
  bool clean = peri_loop_free(shim->loop) == 0;
  peri_ask_free(shim->ask);
  peri_metrics_free(shim->metrics);
  return clean;
}
