#include "app/sidecar.h"

#include <signal.h>
#include <stdlib.h>

#include "app/acceptor.h"
#include "app/admin.h"
#include "app/ask.h"
#include "app/child.h"
#include "app/explain.h"
#include "app/reload.h"
#include "app/serve.h"
#include "app/sidecar_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "cache/cache.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "loop/signal.h"
#include "loop/timer.h"
#include "model/config.h"
#include "model/snapshot.h"
#include "registry/registry.h"

enum {
  STOP_LIMIT_MS = 10000,  // for workers that were told to end at once
  REVOKE_LEAST_MS = 200   // even when the drain time is over
};

/// What is left of the drain time.
static uint64_t left_ms(const struct peri_sidecar *car) {
  uint64_t now_ns = peri_clock_mono_ns();
  return car->leave_by_ns > now_ns
             ? (car->leave_by_ns - now_ns) / PERI_NS_PER_MS
             : 0;
}

static void end_when_done(struct peri_sidecar *car) {
  if (car->stopped == car->count && car->registry_stopped &&
      !peri_child_runs(car->child)) {
    peri_loop_stop(car->loop);
  }
}

static void on_registry_stopped(void *ctx) {
  struct peri_sidecar *car = ctx;
  car->registry_stopped = true;
  end_when_done(car);
}

/// Tells every worker and the application to end now, and the registry to
/// revoke; once.
static void stop(struct peri_sidecar *car) {
  if (car->state == PERI_SIDECAR_STOPPING) {
    return;
  }
  car->state = PERI_SIDECAR_STOPPING;
  peri_reload_close(car->reload);
  peri_timer_stop(car->pause);
  peri_timer_start(car->limit, STOP_LIMIT_MS, 0);
  if (peri_child_runs(car->child)) {
    peri_log(PERI_LOG_WARN, "app", "killing %s", car->application->command[0]);
    peri_child_signal(car->child, SIGKILL);
  }
  for (size_t i = 0; i < car->count; i++) {
    peri_worker_stop(car->workers[i]);
  }
  if (car->registry == NULL) {
    car->registry_stopped = true;
    end_when_done(car);
    return;
  }
  peri_ask_close(car->ask);
  uint64_t left = left_ms(car);
  peri_registry_stop(car->registry,
                     left > REVOKE_LEAST_MS ? left : REVOKE_LEAST_MS,
                     on_registry_stopped, car);
}

static void close_side(struct peri_sidecar *car, enum peri_side side) {
  if (car->closed[side]) {
    return;
  }
  car->closed[side] = true;
  peri_acceptor_free(car->acceptors[side]);
  car->acceptors[side] = NULL;
  for (size_t i = 0; i < car->count; i++) {
    peri_worker_drain(car->workers[i], side);
  }
}

static void drain(struct peri_sidecar *car) {
  car->state = PERI_SIDECAR_DRAINING;
  peri_timer_stop(car->pause);
  close_side(car, PERI_SIDE_APP);
  close_side(car, PERI_SIDE_MESH);
}

/// What others asked of the application is answered first, while it runs; it
/// may call others itself until it has ended.
static void close_mesh(struct peri_sidecar *car) {
  if (!peri_child_runs(car->child)) {
    drain(car);
    return;
  }
  car->state = PERI_SIDECAR_CLOSING;
  peri_timer_start(car->pause, left_ms(car) / 2, 0);
  close_side(car, PERI_SIDE_MESH);
}

static void end_child(struct peri_sidecar *car) {
  car->state = PERI_SIDECAR_ENDING;
  peri_timer_stop(car->pause);
  peri_child_signal(car->child, SIGTERM);
}

void peri_sidecar_on_pause(void *ctx) {
  struct peri_sidecar *car = ctx;
  if (car->state == PERI_SIDECAR_LEAVING) {
    close_mesh(car);
  } else if (car->state == PERI_SIDECAR_CLOSING) {
    end_child(car);
  }
}

void peri_sidecar_on_child(void *ctx) {
  struct peri_sidecar *car = ctx;
  if (car->state == PERI_SIDECAR_RUNNING) {
    peri_sidecar_leave(car);
  } else if (car->state == PERI_SIDECAR_CLOSING ||
             car->state == PERI_SIDECAR_ENDING) {
    drain(car);
  } else if (car->state == PERI_SIDECAR_STOPPING) {
    end_when_done(car);
  }
}

/// Out of the registry: others get some time to hear of it before connections
/// are refused.
static void on_left(void *ctx) {
  struct peri_sidecar *car = ctx;
  uint64_t wait_ms = car->config->etcd.propagation_ms;
  uint64_t most_ms = left_ms(car) / 2;
  if (car->state != PERI_SIDECAR_LEAVING) {
    return;
  }
  if (peri_registry_is_remote(car->registry) && car->is_ready) {
    peri_timer_start(car->pause, wait_ms < most_ms ? wait_ms : most_ms, 0);
  } else {
    close_mesh(car);
  }
}

/// Readiness off, out of the registry, then drained and stopped, all within the
/// drain time.
void peri_sidecar_leave(struct peri_sidecar *car) {
  car->state = PERI_SIDECAR_LEAVING;
  peri_log(PERI_LOG_INFO, "app", "draining, for at most %llu ms",
           (unsigned long long)car->config->drain_ms);
  peri_metric_set(car->ready, 0);
  if (car->admin != NULL) {
    peri_admin_ready(car->admin, "draining");
  }
  peri_reload_close(car->reload);
  car->leave_by_ns =
      peri_clock_mono_ns() + car->config->drain_ms * PERI_NS_PER_MS;
  peri_timer_start(car->limit, car->config->drain_ms, 0);
  peri_registry_leave(car->registry, car->config->drain_ms / 2, on_left, car);
}

void peri_sidecar_on_signal(void *ctx, int number) {
  struct peri_sidecar *car = ctx;
  if (number == SIGHUP) {
    if (car->state == PERI_SIDECAR_RUNNING) {
      peri_reload_request(car->reload);
    }
  } else if (car->state == PERI_SIDECAR_RUNNING) {
    peri_sidecar_leave(car);
  } else if (car->state != PERI_SIDECAR_STARTING &&
             car->state != PERI_SIDECAR_STOPPING) {
    peri_log(PERI_LOG_WARN, "app", "stopping at once, as asked again");
    car->leave_by_ns = 0;
    stop(car);
  }
}

void peri_sidecar_on_limit(void *ctx) {
  struct peri_sidecar *car = ctx;
  if (car->state != PERI_SIDECAR_STOPPING) {
    peri_log(PERI_LOG_WARN, "app", "%s after %llu ms",
             peri_child_runs(car->child) ? "the application had not ended"
                                         : "connections were still open",
             (unsigned long long)car->config->drain_ms);
    stop(car);
    return;
  }
  car->stuck = true;
  car->status = PERI_EXIT_FAILURE;
  peri_log(PERI_LOG_ERROR, "app", "%s does not end",
           car->stopped < car->count     ? "a worker"
           : peri_child_runs(car->child) ? car->application->command[0]
                                         : "the registry");
  peri_loop_stop(car->loop);
}

void peri_sidecar_on_drained(void *ctx, struct peri_worker *worker,
                             enum peri_side side) {
  struct peri_sidecar *car = ctx;
  (void)worker;
  car->drained[side]++;
  if (car->drained[PERI_SIDE_MESH] < car->count) {
    return;
  }
  if (car->drained[PERI_SIDE_APP] == car->count) {
    stop(car);
  } else if (car->state == PERI_SIDECAR_CLOSING) {
    end_child(car);
  }
}

void peri_sidecar_on_stopped(void *ctx, struct peri_worker *worker) {
  struct peri_sidecar *car = ctx;
  (void)worker;
  car->stopped++;
  end_when_done(car);
}

void peri_sidecar_on_taken(void *ctx, const struct peri_config *config) {
  struct peri_sidecar *car = ctx;
  car->config = config;
}

void peri_sidecar_on_publish(void *ctx, struct peri_snapshot *snapshot) {
  struct peri_sidecar *car = ctx;
  if (car->state == PERI_SIDECAR_STOPPING) {
    return;  // workers may have ended before the registry does
  }
  peri_metric_set(car->version, (int64_t)peri_snapshot_version(snapshot));
  for (size_t i = 0; i < car->count; i++) {
    int rc = peri_worker_publish(car->workers[i], snapshot);
    if (rc < 0) {
      peri_log(PERI_LOG_ERROR, "app", "a worker gets no new peers: %s",
               peri_error_text(rc));
    }
  }
  if (car->state == PERI_SIDECAR_RUNNING) {
    peri_sidecar_ready(car);
  }
}

void peri_sidecar_on_provided(void *ctx, struct peri_slice service,
                              struct peri_slice address) {
  struct peri_sidecar *car = ctx;
  if (car->state == PERI_SIDECAR_STOPPING) {
    return;
  }
  for (size_t i = 0; i < car->count; i++) {
    int rc = peri_worker_provide(car->workers[i], service, address);
    if (rc < 0) {
      peri_log(PERI_LOG_ERROR, "app", "a worker does not hear of %.*s: %s",
               (int)service.len, service.ptr, peri_error_text(rc));
    }
  }
}

static void tear_down(struct peri_sidecar *car) {
  for (int side = 0; side < PERI_SIDE_COUNT; side++) {
    peri_acceptor_free(car->acceptors[side]);
  }
  peri_admin_free(car->admin);
  peri_reload_close(car->reload);
  peri_registry_free(car->registry);
  peri_child_free(car->child);
  for (size_t i = 0; i < car->count; i++) {
    car->stuck = car->stuck || peri_worker_stuck(car->workers[i]);
    peri_worker_free(car->workers[i]);
  }
  free(car->workers);
  for (int i = 0; i < PERI_SIDECAR_SIGNALS; i++) {
    if (car->signals[i] != NULL) {
      peri_signal_free(car->signals[i]);
    }
  }
  // All has ended, and the status is known: nothing that comes now may change
  // it.
  signal(SIGHUP, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  signal(SIGINT, SIG_IGN);
  peri_timer_free(car->sweep);
  peri_timer_free(car->limit);
  peri_timer_free(car->pause);
  if (car->mailbox != NULL) {
    peri_mailbox_close(car->mailbox);
  }
  // With the last answers of the workers every change has ended.
  peri_reload_free(car->reload);
  peri_explain_free(car->explain);
  peri_ask_free(car->ask);
  if (car->loop != NULL && peri_loop_free(car->loop) < 0) {
    peri_log(PERI_LOG_ERROR, "app", "the control loop left handles open");
    car->stuck = true;
  }
  if (car->cache != NULL) {
    peri_cache_free(car->cache);
  }
  if (car->metrics != NULL) {
    peri_metrics_free(car->metrics);
  }
}

int peri_sidecar_run(const char *file, const struct peri_setup *setup,
                     const struct peri_folders *folders,
                     const struct peri_application *application,
                     bool *ret_stuck) {
  struct peri_sidecar car = {.setup = setup,
                             .config = setup->config,
                             .folders = folders,
                             .application = application};
  if (peri_sidecar_start(&car, file) < 0) {
    if (car.count > 0 || car.registry != NULL) {
      stop(&car);
      peri_loop_run(car.loop);
    }
  } else {
    peri_loop_run(car.loop);
    peri_log(PERI_LOG_INFO, "app", "stopped");
  }
  if (car.status == PERI_EXIT_OK && car.child != NULL) {
    car.status = peri_child_status(car.child);
  }
  if (!car.stuck) {
    tear_down(&car);
  }
  *ret_stuck = car.stuck;
  return car.status;
}
