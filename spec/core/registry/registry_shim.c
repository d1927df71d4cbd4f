#include "registry/registry_shim.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "model/peers.h"
#include "model/snapshot.h"

enum { STEP_MS = 10, NS_PER_MS = 1000000, SLACK_MS = 5000 };

struct registry_rig {
  struct peri_loop *loop;
  struct peri_mailbox *mailbox;
  struct peri_metrics *metrics;
  struct peri_registry *registry;
  struct peri_snapshot *last;
  struct peri_buffer text;
  struct peri_buffer provided;
  int published;
  int fewest;
  bool stopped;
};

static size_t count(const struct peri_snapshot *snapshot) {
  size_t endpoints = 0;
  for (size_t i = 0; i < peri_snapshot_count(snapshot); i++) {
    endpoints += peri_peers_count(peri_snapshot_at(snapshot, i));
  }
  return endpoints;
}

static void on_publish(void *ctx, struct peri_snapshot *snapshot) {
  struct registry_rig *rig = ctx;
  int endpoints = (int)count(snapshot);
  if (rig->last != NULL) {
    peri_snapshot_unref(rig->last);
  }
  rig->last = peri_snapshot_ref(snapshot);
  rig->published++;
  if ((rig->fewest < 0 && endpoints > 0) ||
      (rig->fewest >= 0 && endpoints < rig->fewest)) {
    rig->fewest = endpoints;
  }
}

static void on_provided(void *ctx, struct peri_slice service,
                        struct peri_slice address) {
  struct registry_rig *rig = ctx;
  peri_buffer_printf(&rig->provided, "%.*s\t%.*s\n", (int)service.len,
                     service.ptr, (int)address.len, address.ptr);
}

struct registry_rig *registry_rig_new(struct peri_config *config,
                                      struct peri_slice self_address,
                                      struct peri_problem *ret_problem) {
  struct registry_rig *rig = calloc(1, sizeof(*rig));
  rig->fewest = -1;
  rig->metrics = peri_metrics_new();
  if (peri_loop_new(&rig->loop) < 0 ||
      peri_mailbox_new(rig->loop, &rig->mailbox) < 0) {
    abort();
  }
  struct peri_registry_options options = {
      .config = config,
      .self_address = self_address,
      .loop = rig->loop,
      .mailbox = rig->mailbox,
      .metrics = rig->metrics,
      .publish = on_publish,
      .provided = on_provided,
      .ctx = rig,
  };
  int rc = peri_registry_new(&options, &rig->registry, ret_problem);
  if (rc < 0) {
    peri_mailbox_close(rig->mailbox);
    peri_loop_free(rig->loop);
    peri_metrics_free(rig->metrics);
    free(rig);
    return NULL;
  }
  return rig;
}

struct peri_registry *registry_rig_registry(struct registry_rig *rig) {
  return rig->registry;
}

void registry_rig_step(struct registry_rig *rig, uint64_t for_ms) {
  uint64_t until = peri_clock_mono_ns() + for_ms * NS_PER_MS;
  do {
    peri_loop_step(rig->loop, STEP_MS);
  } while (peri_clock_mono_ns() < until);
}

int registry_rig_published(const struct registry_rig *rig) {
  return rig->published;
}

int registry_rig_fewest(const struct registry_rig *rig) {
  return rig->fewest;
}

struct peri_slice registry_rig_lines(struct registry_rig *rig) {
  rig->text.len = 0;
  for (size_t i = 0; rig->last != NULL && i < peri_snapshot_count(rig->last);
       i++) {
    struct peri_peers *peers = peri_snapshot_at(rig->last, i);
    for (size_t j = 0; j < peri_peers_count(peers); j++) {
      const struct peri_endpoint *endpoint = peri_peers_at(peers, j);
      peri_buffer_printf(&rig->text, "%s\t%s\t%s\t%u\t%d\t%d\n",
                         peri_peers_service(peers), endpoint->address,
                         endpoint->zone, endpoint->weight, endpoint->self,
                         endpoint->suspect);
    }
  }
  return peri_buffer_slice(&rig->text);
}

struct peri_slice registry_rig_provided(struct registry_rig *rig) {
  return peri_buffer_slice(&rig->provided);
}

struct peri_slice registry_rig_metrics(struct registry_rig *rig) {
  rig->text.len = 0;
  peri_metrics_render(rig->metrics, &rig->text);
  return peri_buffer_slice(&rig->text);
}

static void on_done(void *ctx, int error, const char *words) {
  struct registry_outcome *outcome = ctx;
  outcome->count++;
  outcome->error = error;
  snprintf(outcome->words, sizeof(outcome->words), "%.399s", words);
}

int registry_rig_register(struct registry_rig *rig,
                          const struct peri_registration *registration,
                          struct registry_outcome *outcome,
                          struct peri_problem *ret_problem) {
  return peri_registry_register(rig->registry, registration, on_done, outcome,
                                ret_problem);
}

int registry_rig_deregister(struct registry_rig *rig, struct peri_slice service,
                            struct registry_outcome *outcome,
                            struct peri_problem *ret_problem) {
  return peri_registry_deregister(rig->registry, service, on_done, outcome,
                                  ret_problem);
}

static void on_left(void *ctx) {
  struct registry_outcome *outcome = ctx;
  outcome->count++;
}

void registry_rig_leave(struct registry_rig *rig, uint64_t limit_ms,
                        struct registry_outcome *outcome) {
  peri_registry_leave(rig->registry, limit_ms, on_left, outcome);
}

static void on_stopped(void *ctx) {
  struct registry_rig *rig = ctx;
  rig->stopped = true;
}

bool registry_rig_free(struct registry_rig *rig, uint64_t limit_ms) {
  uint64_t until = peri_clock_mono_ns() + (limit_ms + SLACK_MS) * NS_PER_MS;
  peri_registry_stop(rig->registry, limit_ms, on_stopped, rig);
  while (!rig->stopped && peri_clock_mono_ns() < until) {
    peri_loop_step(rig->loop, STEP_MS);
  }
  bool stopped = rig->stopped;
  peri_registry_free(rig->registry);
  peri_mailbox_close(rig->mailbox);
  stopped = peri_loop_free(rig->loop) == 0 && stopped;
  if (rig->last != NULL) {
    peri_snapshot_unref(rig->last);
  }
  peri_buffer_done(&rig->text);
  peri_buffer_done(&rig->provided);
  peri_metrics_free(rig->metrics);
  free(rig);
  return stopped;
}
