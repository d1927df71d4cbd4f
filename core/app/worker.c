#include "app/worker.h"

#include <stdlib.h>
#include <string.h>

#include "app/ask.h"
#include "app/folders.h"
#include "app/health.h"
#include "app/reflection.h"
#include "app/worker_private.h"
#include "base/container.h"
#include "base/log.h"
#include "base/slice.h"
#include "cache/cache.h"
#include "h2/client.h"
#include "h2/server.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "loop/timer.h"
#include "model/config.h"
#include "model/decisions.h"
#include "model/snapshot.h"
#include "proxy/proxy.h"
#include "script/match.h"
#include "script/script.h"

enum { STACK_BYTES = 1 << 20, KEEP_MS = 3600000 };

static void on_request(void *ctx, struct peri_h2_stream *stream) {
  struct peri_door *door = ctx;
  struct peri_worker *worker = door->worker;
  bool mesh = door == &worker->doors[PERI_SIDE_MESH];
  peri_dispatch_request(&worker->dispatch, stream, mesh);
}

void peri_worker_conn_closed(void *ctx) {
  struct peri_door *door = ctx;
  atomic_fetch_sub_explicit(&door->conns, 1, memory_order_relaxed);
}

static void stay(void *ctx) {
  (void)ctx;
}

static int open_doors(struct peri_worker *worker) {
  static const char *const names[PERI_SIDE_COUNT] = {"app", "mesh"};
  for (int side = 0; side < PERI_SIDE_COUNT; side++) {
    struct peri_door *door = &worker->doors[side];
    struct peri_h2_server_options options = {
        .loop = worker->loop,
        .limits = worker->options.limits,
        .metrics = worker->options.metrics,
        .name = names[side],
        .on_request = on_request,
        .on_conn_closed = peri_worker_conn_closed,
        .ctx = door,
    };
    door->worker = worker;
    int rc = peri_h2_server_new(&options, &door->server);
    if (rc < 0) {
      return rc;
    }
  }
  return 0;
}

static void policy_failed(void *ctx, const char *text) {
  (void)ctx;
  peri_log(PERI_LOG_WARN, "script", "%s", text);
}

static void want(void *ctx, struct peri_slice service) {
  struct peri_worker *worker = ctx;
  peri_ask_want(worker->options.ask, service);
}

static int load_proxy(struct peri_worker *worker,
                      struct peri_problem *problem) {
  struct peri_proxy_options proxy = {
      .loop = worker->loop,
      .config = worker->options.config,
      .client = worker->client,
      .host = peri_script_host(worker->script),
      .metrics = worker->options.metrics,
      .decisions = worker->decisions,
      .pattern = peri_script_match,
      // A static registry never learns of a name by itself, so that no call
      // waits for one.
      .want = strcmp(worker->options.config->registry_kind, "static") != 0
                  ? want
                  : NULL,
      .ctx = worker,
  };
  return peri_proxy_new(&proxy, &worker->proxy, problem);
}

static int load_policies(struct peri_worker *worker,
                         struct peri_problem *problem) {
  struct peri_script_options script = {
      .loop = worker->loop,
      .config = worker->options.config,
      .metrics = worker->options.metrics,
      .lua_dir = worker->options.folders->lua,
      .plugins_dir = worker->options.folders->plugins,
      .sources = worker->options.sources,
      .notice = policy_failed,
  };
  int rc = peri_script_new(&script, &worker->script, problem);
  if (rc < 0) {
    return rc;
  }
  struct peri_cache_worker_options cache = {
      .cache = worker->options.cache,
      .loop = worker->loop,
      .mailbox = worker->mailbox,
      .client = worker->client,
      .host = peri_script_host(worker->script),
      .decisions = worker->decisions,
      .message_bytes = worker->options.limits.message_bytes,
  };
  rc = peri_cache_worker_new(&cache, &worker->cache, problem);
  return rc < 0 ? rc : load_proxy(worker, problem);
}

static int build(struct peri_worker *worker, struct peri_problem *problem) {
  struct peri_h2_client_options client = {
      .limits = worker->options.limits,
      .metrics = worker->options.metrics,
  };
  int rc = peri_loop_new(&worker->loop);
  if (rc == 0) {
    rc = peri_mailbox_new(worker->loop, &worker->mailbox);
  }
  if (rc == 0) {
    rc = peri_timer_new(worker->loop, stay, NULL, &worker->keep);
  }
  if (rc == 0) {
    peri_timer_start(worker->keep, KEEP_MS, KEEP_MS);
    client.loop = worker->loop;
    rc = peri_h2_client_new(&client, &worker->client);
  }
  if (rc == 0) {
    worker->health = peri_health_new();
    worker->reflection = peri_reflection_new();
    worker->decisions = peri_decisions_new();
    rc = worker->health != NULL && worker->reflection != NULL &&
                 worker->decisions != NULL
             ? 0
             : PERI_ENOMEM;
  }
  if (rc == 0) {
    rc = open_doors(worker);
  }
  if (rc < 0) {
    return peri_problem_set(problem, rc, "a worker cannot start: %s",
                            peri_error_text(rc));
  }
  rc = load_policies(worker, problem);
  if (rc < 0) {
    return rc;
  }
  worker->stage.script = worker->script;
  worker->stage.proxy = worker->proxy;
  worker->stage.cache = worker->cache;
  worker->stage.decisions = worker->decisions;
  worker->stage.worker = worker->options.index;
  worker->control.metrics = worker->options.metrics;
  worker->control.cluster = worker->options.config->cluster;
  worker->control.ask = worker->options.ask;
  worker->control.mailbox = worker->mailbox;
  worker->control.proxy = worker->proxy;
  worker->control.cache = worker->cache;
  worker->control.worker = worker->options.index;
  worker->dispatch.cache = worker->cache;
  worker->dispatch.proxy = worker->proxy;
  worker->dispatch.health = worker->health;
  worker->dispatch.reflection = worker->reflection;
  worker->dispatch.control = &worker->control;
  worker->dispatch.message_bytes = worker->options.limits.message_bytes;
  return 0;
}

/// Also takes down what was only half built.
static void tear_down(struct peri_worker *worker) {
  peri_stage_end(&worker->stage);
  for (int side = 0; side < PERI_SIDE_COUNT; side++) {
    if (worker->doors[side].server != NULL) {
      peri_h2_server_free(worker->doors[side].server);
      worker->doors[side].server = NULL;
    }
  }
  if (worker->cache != NULL) {
    peri_cache_worker_free(worker->cache);
    worker->cache = NULL;
  }
  peri_timer_free(worker->keep);
  if (worker->client != NULL) {
    peri_h2_client_free(worker->client);
  }
  // The calls it carried have ended with the streams on both of their sides.
  peri_proxy_free(worker->proxy);
  worker->proxy = NULL;
  if (worker->script != NULL) {
    peri_script_free(worker->script);
  }
  if (worker->mailbox != NULL) {
    peri_mailbox_close(worker->mailbox);
  }
  if (worker->loop != NULL && peri_loop_free(worker->loop) < 0) {
    peri_log(PERI_LOG_ERROR, "app", "worker %u left handles open",
             worker->options.index);
    worker->stuck = true;
  }
  peri_health_free(worker->health);
  peri_reflection_free(worker->reflection);
  peri_decisions_free(worker->decisions);
  if (worker->control.snapshot != NULL) {
    peri_snapshot_unref(worker->control.snapshot);
  }
}

static void run_drained(struct peri_message *message) {
  struct peri_door *door =
      PERI_CONTAINER_OF(message, struct peri_door, drained);
  struct peri_worker *worker = door->worker;
  worker->options.drained(worker->options.ctx, worker,
                          (enum peri_side)(door - worker->doors));
}

static void run_stopped(struct peri_message *message) {
  struct peri_worker *worker =
      PERI_CONTAINER_OF(message, struct peri_worker, stopped);
  worker->options.stopped(worker->options.ctx, worker);
}

static void *work(void *ctx) {
  struct peri_worker *worker = ctx;
  char name[16] = "worker";
  pthread_setname_np(pthread_self(), name);
  int rc = build(worker, worker->start_problem);
  worker->start_code = rc;
  if (rc < 0) {
    tear_down(worker);
    sem_post(&worker->started);
    return NULL;
  }
  sem_post(&worker->started);
  peri_loop_run(worker->loop);
  tear_down(worker);
  // The control thread's mailbox outlives every worker.
  peri_mailbox_post(worker->options.control, &worker->stopped);
  return NULL;
}

static void door_drained(void *ctx) {
  struct peri_door *door = ctx;
  peri_mailbox_post(door->worker->options.control, &door->drained);
}

static void run_drain(struct peri_message *message) {
  struct peri_door *door = PERI_CONTAINER_OF(message, struct peri_door, drain);
  door->draining = true;
  if (door->server == NULL) {
    return;  // Closing the mailbox runs what was posted too late.
  }
  peri_health_drain(door->worker->health);
  peri_reflection_drain(door->worker->reflection);
  peri_h2_server_drain(door->server, door_drained, door);
}

static void run_stop(struct peri_message *message) {
  struct peri_worker *worker =
      PERI_CONTAINER_OF(message, struct peri_worker, stop);
  peri_loop_stop(worker->loop);
}

static int start(struct peri_worker *worker) {
  pthread_attr_t attributes;
  int rc = pthread_attr_init(&attributes);
  if (rc != 0) {
    return -rc;
  }
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  rc = pthread_create(&worker->thread, &attributes, work, worker);
  pthread_attr_destroy(&attributes);
  return -rc;
}

int peri_worker_new(const struct peri_worker_options *options,
                    struct peri_worker **ret_worker,
                    struct peri_problem *ret_problem) {
  struct peri_worker *worker = calloc(1, sizeof(*worker));
  if (worker == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  worker->options = *options;
  worker->start_problem = ret_problem;
  for (int side = 0; side < PERI_SIDE_COUNT; side++) {
    worker->doors[side].drain.run = run_drain;
    worker->doors[side].drained.run = run_drained;
  }
  worker->stop.run = run_stop;
  worker->stopped.run = run_stopped;
  sem_init(&worker->started, 0, 0);
  int rc = start(worker);
  if (rc < 0) {
    peri_problem_set(ret_problem, rc, "no thread for a worker: %s",
                     peri_error_text(rc));
    goto fail_start;
  }
  while (sem_wait(&worker->started) != 0) {
  }
  rc = worker->start_code;
  if (rc < 0) {
    pthread_join(worker->thread, NULL);
    goto fail_start;
  }
  *ret_worker = worker;
  return 0;

fail_start:
  sem_destroy(&worker->started);
  free(worker);
  return rc;
}

struct peri_round_place peri_worker_place(struct peri_worker *worker) {
  struct peri_round_place place = {peri_mailbox_ref(worker->mailbox),
                                   &worker->stage};
  return place;
}

size_t peri_worker_conns(const struct peri_worker *worker,
                         enum peri_side side) {
  return atomic_load_explicit(&worker->doors[side].conns, memory_order_relaxed);
}

void peri_worker_drain(struct peri_worker *worker, enum peri_side side) {
  peri_mailbox_post(worker->mailbox, &worker->doors[side].drain);
}

void peri_worker_stop(struct peri_worker *worker) {
  peri_mailbox_post(worker->mailbox, &worker->stop);
}

bool peri_worker_stuck(const struct peri_worker *worker) {
  return worker->stuck;
}

void peri_worker_free(struct peri_worker *worker) {
  if (worker == NULL) {
    return;
  }
  pthread_join(worker->thread, NULL);
  sem_destroy(&worker->started);
  free(worker);
}
