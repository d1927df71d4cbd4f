#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/acceptor.h"
#include "app/admin.h"
#include "app/ask.h"
#include "app/child.h"
#include "app/explain.h"
#include "app/folders.h"
#include "app/limits.h"
#include "app/reload.h"
#include "app/serve.h"
#include "app/sidecar_private.h"
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
#include "registry/registry.h"
#include "script/sources.h"

enum {
  SWEEP_EVERY_MS = 100,
  SWEEP_NS = 2000000,
  SWEEPS = 16,  // slices at a time
  ADDRESS_BYTES = 300
};

static int fail(struct peri_sidecar *car, int status, const char *words) {
  peri_log(PERI_LOG_ERROR, "app", "%s", words);
  car->status = status;
  return -1;
}

static int fail_code(struct peri_sidecar *car, int code) {
  return fail(car, PERI_EXIT_FAILURE, peri_error_text(code));
}

static void on_sweep(void *ctx) {
  struct peri_sidecar *car = ctx;
  uint64_t now_ns = peri_clock_mono_ns();
  uint64_t until = now_ns + SWEEP_NS;
  size_t removed = 0;
  (void)peri_memory_trim(&car->memory, now_ns);
  // Always a few slices; more while there is much to remove, for a short time.
  for (int i = 0; i < SWEEPS || (removed > 0 && peri_clock_mono_ns() < until);
       i++) {
    removed = peri_cache_sweep(car->cache);
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

static int make_base(struct peri_sidecar *car) {
  static const int numbers[PERI_SIDECAR_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
  car->metrics = peri_metrics_new();
  int rc = car->metrics != NULL ? peri_loop_new(&car->loop) : PERI_ENOMEM;
  if (rc == 0) {
    rc = peri_mailbox_new(car->loop, &car->mailbox);
  }
  for (int i = 0; rc == 0 && i < PERI_SIDECAR_SIGNALS; i++) {
    rc = peri_signal_new(car->loop, numbers[i], peri_sidecar_on_signal, car,
                         &car->signals[i]);
  }
  if (rc == 0) {
    rc = peri_timer_new(car->loop, on_sweep, car, &car->sweep);
  }
  if (rc == 0) {
    rc = peri_timer_new(car->loop, peri_sidecar_on_limit, car, &car->limit);
  }
  if (rc == 0) {
    rc = peri_timer_new(car->loop, peri_sidecar_on_pause, car, &car->pause);
  }
  if (rc == 0) {
    rc = peri_ask_new(car->mailbox, &car->ask);
  }
  if (rc == 0) {
    rc = peri_cache_new(car->setup->config, car->metrics, &car->cache);
  }
  return rc < 0 ? fail_code(car, rc) : 0;
}

static void make_metrics(struct peri_sidecar *car) {
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
static int fail_worker(struct peri_sidecar *car, int code, const char *file,
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

static int start_workers(struct peri_sidecar *car, const char *file) {
  uint32_t wanted = count_workers(car->config);
  struct peri_problem problem = {0, ""};
  struct peri_worker_options options = {
      .config = car->setup->config,
      .cache = car->cache,
      .metrics = car->metrics,
      .limits = peri_limits_of(&car->config->limits),
      .folders = car->folders,
      .control = car->mailbox,
      .ask = car->ask,
      .drained = peri_sidecar_on_drained,
      .stopped = peri_sidecar_on_stopped,
      .ctx = car,
  };
  // One arena for each thread: more would only keep memory unused.
  mallopt(M_ARENA_MAX, (int)wanted + 1);
  car->workers = calloc(wanted, sizeof(struct peri_worker *));
  if (car->workers == NULL) {
    return fail_code(car, PERI_ENOMEM);
  }
  int rc = peri_sources_read(car->config, car->folders->plugins,
                             car->folders->lua, &options.sources, &problem);
  for (uint32_t i = 0; rc == 0 && i < wanted; i++) {
    options.index = i;
    rc = peri_worker_new(&options, &car->workers[i], &problem);
    car->count += rc == 0 ? 1 : 0;
  }
  peri_sources_unref(options.sources);
  return rc < 0 ? fail_worker(car, rc, file, problem.text) : 0;
}

static int bind_side(struct peri_sidecar *car, enum peri_side side,
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

static int bind_admin(struct peri_sidecar *car) {
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
static struct peri_slice own_address(struct peri_sidecar *car,
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

static int start_registry(struct peri_sidecar *car, const char *file) {
  char text[ADDRESS_BYTES];
  struct peri_problem problem = {0, ""};
  struct peri_registry_options registry = {
      .config = car->setup->config,
      .self_address = own_address(car, text),
      .loop = car->loop,
      .mailbox = car->mailbox,
      .metrics = car->metrics,
      .publish = peri_sidecar_on_publish,
      .provided = peri_sidecar_on_provided,
      .ctx = car,
  };
  int rc = peri_registry_new(&registry, &car->registry, &problem);
  if (rc < 0) {
    return fail(car, rc == PERI_EINVAL ? PERI_EXIT_USAGE : PERI_EXIT_FAILURE,
                problem.text);
  }
  peri_ask_open(car->ask, car->registry);
  if (car->admin != NULL) {
    peri_admin_describe(car->admin, car->registry);
  }
  struct peri_reload_options reload = {
      .loop = car->loop,
      .control = car->mailbox,
      .file = file,
      .setup = car->setup,
      .folders = car->folders,
      .workers = car->workers,
      .count = car->count,
      .cache = car->cache,
      .registry = car->registry,
      .ask = car->ask,
      .metrics = car->metrics,
      .taken = peri_sidecar_on_taken,
      .ctx = car,
  };
  rc = peri_reload_new(&reload, &car->reload);
  if (rc == 0) {
    struct peri_explain_options explain = {.control = car->mailbox,
                                           .workers = car->workers,
                                           .count = car->count,
                                           .ask = car->ask};
    rc = peri_explain_new(&explain, &car->explain);
  }
  return rc < 0 ? fail_code(car, rc) : 0;
}

static void add_address(char *line, size_t capacity, size_t *len,
                        const char *name, const struct peri_address *address) {
  char text[ADDRESS_BYTES];
  peri_address_format(address, text, sizeof(text));
  int added = snprintf(line + *len, capacity - *len, " %s=%s", name, text);
  *len += added > 0 ? (size_t)added : 0;
}

static void say_ready(struct peri_sidecar *car) {
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

static int accept_all(struct peri_sidecar *car) {
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

int peri_sidecar_start(struct peri_sidecar *car, const char *file) {
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
  car->state = PERI_SIDECAR_RUNNING;
  if (peri_registry_snapshot(car->registry) != NULL) {
    peri_sidecar_ready(car);
  } else {
    peri_log(
        PERI_LOG_INFO, "app",
        "ready%s%s once the registry was read; calls are answered "
        "already, without peers",
        car->application->command != NULL ? " to run " : "",
        car->application->command != NULL ? car->application->command[0] : "");
  }
  return 0;
}

/// Where this machine dials a listener: an address that listens everywhere is
/// none to dial.
static const char *dialled(const struct peri_address *address,
                           char text[ADDRESS_BYTES]) {
  struct peri_address near = *address;
  if (near.kind == PERI_ADDRESS_IPV4 && strcmp(near.host, "0.0.0.0") == 0) {
    snprintf(near.host, sizeof(near.host), "127.0.0.1");
  } else if (near.kind == PERI_ADDRESS_IPV6 && strcmp(near.host, "::") == 0) {
    snprintf(near.host, sizeof(near.host), "::1");
  }
  peri_address_format(&near, text, ADDRESS_BYTES);
  return text;
}

static int start_child(struct peri_sidecar *car) {
  char texts[PERI_SIDE_COUNT][ADDRESS_BYTES];
  char admin[ADDRESS_BYTES];
  const char *addresses[PERI_SIDE_COUNT] = {NULL, NULL};
  struct peri_problem problem = {0, ""};
  for (int side = 0; side < PERI_SIDE_COUNT; side++) {
    if (car->acceptors[side] != NULL) {
      addresses[side] =
          dialled(peri_acceptor_address(car->acceptors[side]), texts[side]);
    }
  }
  struct peri_child_options options = {
      .loop = car->loop,
      .command = car->application->command,
      .descriptors = car->application->descriptors,
      .app = addresses[PERI_SIDE_APP],
      .mesh = addresses[PERI_SIDE_MESH],
      .admin = car->admin != NULL
                   ? dialled(peri_admin_address(car->admin), admin)
                   : NULL,
      .ended = peri_sidecar_on_child,
      .ctx = car,
  };
  int rc = peri_child_new(&options, &car->child, &problem);
  if (rc < 0) {
    return fail(car,
                rc == PERI_ENOTFOUND ? PERI_EXIT_NO_COMMAND
                : rc == PERI_EPERM   ? PERI_EXIT_NOT_RUN
                                     : PERI_EXIT_FAILURE,
                problem.text);
  }
  return 0;
}

void peri_sidecar_ready(struct peri_sidecar *car) {
  if (car->is_ready) {
    return;
  }
  car->is_ready = true;
  say_ready(car);
  if (car->application->command != NULL && start_child(car) < 0) {
    peri_sidecar_leave(car);
    return;
  }
  peri_registry_enter(car->registry);
}
