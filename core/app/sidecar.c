#include "app/sidecar.h"

#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/acceptor.h"
#include "app/admin.h"
#include "app/limits.h"
#include "app/reload.h"
#include "app/serve.h"
#include "app/worker.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "cache/cache.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "loop/signal.h"
#include "loop/timer.h"
#include "model/config.h"
#include "model/snapshot.h"
#include "registry/static.h"

enum {
  SWEEP_EVERY_MS = 100,
  SWEEP_NS = 2000000,
  SWEEPS = 16,            // slices at a time
  STOP_LIMIT_MS = 10000,  // for workers that were told to end at once
  ADDRESS_BYTES = 300,
  SIGNALS = 3
};

enum state { STARTING, RUNNING, DRAINING, STOPPING };

struct sidecar {
  const struct peri_setup *setup;
  const struct peri_config *config;
  const struct peri_folders *folders;
  enum state state;
  int status;  // enum peri_exit
  bool stuck;  // a worker does not end: leave everything to the system
  struct peri_loop *loop;
  struct peri_mailbox *mailbox;
  struct peri_metrics *metrics;
  struct peri_metric *ready;
  struct peri_metric *version;
  struct peri_cache *cache;
  struct peri_worker **workers;
  size_t count;    // started
  size_t drained;  // of them
  size_t stopped;  // of them
  struct peri_acceptor *acceptors[PERI_SIDE_COUNT];
  struct peri_admin *admin;
  struct peri_registry *registry;
  struct peri_reload *reload;
  struct peri_signal *signals[SIGNALS];
  struct peri_timer *sweep;
  struct peri_timer *limit;  // of a drain, then of the stop
};

static int fail(struct sidecar *car, int status, const char *words) {
  peri_log(PERI_LOG_ERROR, "app", "%s", words);
  car->status = status;
  return -1;
}

static int fail_code(struct sidecar *car, int code) {
  return fail(car, PERI_EXIT_FAILURE, peri_error_text(code));
}

/// Tells every worker to end now; once.
static void stop(struct sidecar *car) {
  if (car->state == STOPPING) {
    return;
  }
  car->state = STOPPING;
  peri_timer_start(car->limit, STOP_LIMIT_MS, 0);
  for (size_t i = 0; i < car->count; i++) {
    peri_worker_stop(car->workers[i]);
  }
}

static void close_acceptors(struct sidecar *car) {
  for (int side = 0; side < PERI_SIDE_COUNT; side++) {
    peri_acceptor_free(car->acceptors[side]);
    car->acceptors[side] = NULL;
  }
}

static void drain(struct sidecar *car) {
  car->state = DRAINING;
  peri_log(PERI_LOG_INFO, "app", "draining, for at most %llu ms",
           (unsigned long long)car->config->drain_ms);
  peri_metric_set(car->ready, 0);
  if (car->admin != NULL) {
    peri_admin_ready(car->admin, "draining");
  }
  close_acceptors(car);
  peri_reload_free(car->reload);
  car->reload = NULL;
  peri_timer_start(car->limit, car->config->drain_ms, 0);
  for (size_t i = 0; i < car->count; i++) {
    peri_worker_drain(car->workers[i]);
  }
}

static void on_signal(void *ctx, int number) {
  struct sidecar *car = ctx;
  if (number == SIGHUP) {
    if (car->state == RUNNING) {
      peri_reload_request(car->reload);
    }
  } else if (car->state == RUNNING) {
    drain(car);
  } else if (car->state == DRAINING) {
    peri_log(PERI_LOG_WARN, "app", "stopping at once, as asked again");
    stop(car);
  }
}

static void on_limit(void *ctx) {
  struct sidecar *car = ctx;
  if (car->state == DRAINING) {
    peri_log(PERI_LOG_WARN, "app", "connections were still open after %llu ms",
             (unsigned long long)car->config->drain_ms);
    stop(car);
    return;
  }
  car->stuck = true;
  car->status = PERI_EXIT_FAILURE;
  peri_log(PERI_LOG_ERROR, "app", "a worker does not end");
  peri_loop_stop(car->loop);
}

static void on_drained(void *ctx, struct peri_worker *worker) {
  struct sidecar *car = ctx;
  (void)worker;
  car->drained++;
  if (car->drained == car->count) {
    stop(car);
  }
}

static void on_stopped(void *ctx, struct peri_worker *worker) {
  struct sidecar *car = ctx;
  (void)worker;
  car->stopped++;
  if (car->stopped == car->count) {
    peri_loop_stop(car->loop);
  }
}

static void on_sweep(void *ctx) {
  struct sidecar *car = ctx;
  uint64_t until = peri_clock_mono_ns() + SWEEP_NS;
  size_t removed = 0;
  // Always a few slices; more while there is much to remove, for a short time.
  for (int i = 0; i < SWEEPS || (removed > 0 && peri_clock_mono_ns() < until);
       i++) {
    removed = peri_cache_sweep(car->cache);
  }
}

static void on_publish(void *ctx, struct peri_snapshot *snapshot) {
  struct sidecar *car = ctx;
  peri_metric_set(car->version, (int64_t)peri_snapshot_version(snapshot));
  for (size_t i = 0; i < car->count; i++) {
    int rc = peri_worker_publish(car->workers[i], snapshot);
    if (rc < 0) {
      peri_log(PERI_LOG_ERROR, "app", "a worker gets no new peers: %s",
               peri_error_text(rc));
    }
  }
}

static uint32_t count_workers(const struct peri_config *config) {
  cpu_set_t cpus;
  if (config->workers > 0) {
    return config->workers;
  }
  int count =
      sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
  return count > 0 ? (uint32_t)count : 1;
}

static int make_base(struct sidecar *car) {
  static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
  car->metrics = peri_metrics_new();
  int rc = car->metrics != NULL ? peri_loop_new(&car->loop) : PERI_ENOMEM;
  if (rc == 0) {
    rc = peri_mailbox_new(car->loop, &car->mailbox);
  }
  for (int i = 0; rc == 0 && i < SIGNALS; i++) {
    rc = peri_signal_new(car->loop, numbers[i], on_signal, car,
                         &car->signals[i]);
  }
  if (rc == 0) {
    rc = peri_timer_new(car->loop, on_sweep, car, &car->sweep);
  }
  if (rc == 0) {
    rc = peri_timer_new(car->loop, on_limit, car, &car->limit);
  }
  if (rc == 0) {
    rc = peri_cache_new(car->setup->config, car->metrics, &car->cache);
  }
  return rc < 0 ? fail_code(car, rc) : 0;
}

static void make_metrics(struct sidecar *car) {
  peri_metric_set(peri_metrics_gauge(car->metrics, "perigee_build_info",
                                     "Always 1; the label says what runs.",
                                     "version=\"" PERI_VERSION "\""),
                  1);
  peri_metric_set(peri_metrics_gauge(car->metrics, "perigee_workers",
                                     "Worker threads.", NULL),
                  (int64_t)car->count);
  car->ready = peri_metrics_gauge(car->metrics, "perigee_ready",
                                  "1 when calls are taken, 0 while starting or "
                                  "draining.",
                                  NULL);
  car->version = peri_metrics_gauge(car->metrics, "perigee_snapshot_version",
                                    "Version of the services known.", NULL);
}

/// What a policy says of itself, behind the file that configures it.
static int fail_worker(struct sidecar *car, int code, const char *file,
                       const char *words) {
  char text[1024];
  bool wrong =
      code == PERI_ENOTFOUND || code == PERI_ECONFIG || code == PERI_ESCRIPT;
  if (!wrong) {
    return fail(car, PERI_EXIT_FAILURE, words);
  }
  snprintf(text, sizeof(text), "%s: %s", file, words);
  return fail(car, PERI_EXIT_USAGE, text);
}

static int start_workers(struct sidecar *car, const char *file) {
  uint32_t wanted = count_workers(car->config);
  struct peri_problem problem = {0, ""};
  struct peri_worker_options options = {
      .config = car->setup->config,
      .cache = car->cache,
      .metrics = car->metrics,
      .limits = peri_limits_of(&car->config->limits),
      .folders = car->folders,
      .control = car->mailbox,
      .drained = on_drained,
      .stopped = on_stopped,
      .ctx = car,
  };
  // One arena for each thread: more would only keep memory unused.
  mallopt(M_ARENA_MAX, (int)wanted + 1);
  car->workers = calloc(wanted, sizeof(struct peri_worker *));
  if (car->workers == NULL) {
    return fail_code(car, PERI_ENOMEM);
  }
  for (uint32_t i = 0; i < wanted; i++) {
    options.index = i;
    int rc = peri_worker_new(&options, &car->workers[i], &problem);
    if (rc < 0) {
      return fail_worker(car, rc, file, problem.text);
    }
    car->count++;
  }
  return 0;
}

static int bind_side(struct sidecar *car, enum peri_side side,
                     const char *address) {
  struct peri_problem problem = {0, ""};
  struct peri_acceptor_options options = {
      .address = address,
      .side = side,
      .most_conns = peri_limits_of(&car->config->limits).conns_per_listener,
      .metrics = car->metrics,
  };
  if (address == NULL) {
    return 0;
  }
  int rc = peri_acceptor_new(&options, &car->acceptors[side], &problem);
  return rc < 0 ? fail(car, PERI_EXIT_FAILURE, problem.text) : 0;
}

static int bind_admin(struct sidecar *car) {
  struct peri_problem problem = {0, ""};
  struct peri_admin_options options = {
      .address = car->config->listen_admin,
      .loop = car->loop,
      .metrics = car->metrics,
  };
  if (options.address == NULL) {
    return 0;
  }
  int rc = peri_admin_new(&options, &car->admin, &problem);
  return rc < 0 ? fail(car, PERI_EXIT_FAILURE, problem.text) : 0;
}

/// What others dial: as configured, else where the mesh really listens (which
/// port 0 leaves open until now).
static struct peri_slice own_address(struct sidecar *car,
                                     char text[ADDRESS_BYTES]) {
  struct peri_acceptor *mesh = car->acceptors[PERI_SIDE_MESH];
  if (car->config->node_address != NULL) {
    return peri_slice_of(car->config->node_address);
  }
  if (mesh == NULL) {
    return peri_slice_of(NULL);
  }
  peri_address_format(peri_acceptor_address(mesh), text, ADDRESS_BYTES);
  return peri_slice_of(text);
}

static int start_registry(struct sidecar *car, const char *file) {
  char text[ADDRESS_BYTES];
  struct peri_problem problem = {0, ""};
  struct peri_registry_options registry = {
      .config = car->setup->config,
      .self_address = own_address(car, text),
      .publish = on_publish,
      .ctx = car,
  };
  int rc = peri_registry_new(&registry, &car->registry, &problem);
  if (rc < 0) {
    return fail(car, rc == PERI_EINVAL ? PERI_EXIT_USAGE : PERI_EXIT_FAILURE,
                problem.text);
  }
  struct peri_reload_options reload = {
      .loop = car->loop,
      .file = file,
      .setup = car->setup,
      .registry = car->registry,
      .metrics = car->metrics,
  };
  rc = peri_reload_new(&reload, &car->reload);
  return rc < 0 ? fail_code(car, rc) : 0;
}

static void add_address(char *line, size_t capacity, size_t *len,
                        const char *name, const struct peri_address *address) {
  char text[ADDRESS_BYTES];
  peri_address_format(address, text, sizeof(text));
  int added = snprintf(line + *len, capacity - *len, " %s=%s", name, text);
  *len += added > 0 ? (size_t)added : 0;
}

static void say_ready(struct sidecar *car) {
  static const char *const names[PERI_SIDE_COUNT] = {"app", "mesh"};
  char line[4 * ADDRESS_BYTES] = "perigee ready";
  size_t len = sizeof("perigee ready") - 1;
  for (int side = 0; side < PERI_SIDE_COUNT; side++) {
    if (car->acceptors[side] != NULL) {
      add_address(line, sizeof(line), &len, names[side],
                  peri_acceptor_address(car->acceptors[side]));
    }
  }
  if (car->admin != NULL) {
    add_address(line, sizeof(line), &len, "admin",
                peri_admin_address(car->admin));
    peri_admin_ready(car->admin, NULL);
  }
  peri_metric_set(car->ready, 1);
  if (printf("%s\n", line) < 0 || fflush(stdout) != 0) {
    peri_log(PERI_LOG_WARN, "app", "cannot write the ready line: %s", line);
  }
}

static int accept_all(struct sidecar *car) {
  for (int side = 0; side < PERI_SIDE_COUNT; side++) {
    if (car->acceptors[side] != NULL) {
      int rc = peri_acceptor_start(car->acceptors[side], car->loop,
                                   car->workers, car->count);
      if (rc < 0) {
        return fail_code(car, rc);
      }
    }
  }
  return 0;
}

static int start(struct sidecar *car, const char *file) {
  if (make_base(car) < 0 || start_workers(car, file) < 0) {
    return -1;
  }
  make_metrics(car);
  if (bind_side(car, PERI_SIDE_APP, car->config->listen_app) < 0 ||
      bind_side(car, PERI_SIDE_MESH, car->config->listen_mesh) < 0 ||
      bind_admin(car) < 0 || start_registry(car, file) < 0 ||
      accept_all(car) < 0) {
    return -1;
  }
  peri_timer_start(car->sweep, SWEEP_EVERY_MS, SWEEP_EVERY_MS);
  car->state = RUNNING;
  say_ready(car);
  return 0;
}

static void tear_down(struct sidecar *car) {
  close_acceptors(car);
  peri_admin_free(car->admin);
  peri_reload_free(car->reload);
  peri_registry_free(car->registry);
  for (size_t i = 0; i < car->count; i++) {
    peri_worker_free(car->workers[i]);
  }
  free(car->workers);
  for (int i = 0; i < SIGNALS; i++) {
    if (car->signals[i] != NULL) {
      peri_signal_free(car->signals[i]);
    }
  }
  signal(SIGHUP, SIG_IGN);  // too late to read anything again
  peri_timer_free(car->sweep);
  peri_timer_free(car->limit);
  if (car->mailbox != NULL) {
    peri_mailbox_close(car->mailbox);
  }
  if (car->loop != NULL && peri_loop_free(car->loop) < 0) {
    peri_log(PERI_LOG_ERROR, "app", "the control loop left handles open");
  }
  if (car->cache != NULL) {
    peri_cache_free(car->cache);
  }
  if (car->metrics != NULL) {
    peri_metrics_free(car->metrics);
  }
}

int peri_sidecar_run(const char *file, const struct peri_setup *setup,
                     const struct peri_folders *folders) {
  struct sidecar car = {
      .setup = setup, .config = setup->config, .folders = folders};
  if (start(&car, file) < 0) {
    if (car.count > 0) {
      stop(&car);
      peri_loop_run(car.loop);
    }
  } else {
    peri_loop_run(car.loop);
    peri_log(PERI_LOG_INFO, "app", "stopped");
  }
  if (!car.stuck) {
    tear_down(&car);
  }
  return car.status;
}
