#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "app/control.h"
#include "app/dispatch.h"
#include "app/stage.h"
#include "app/worker.h"
#include "loop/mailbox.h"

struct peri_cache_worker;
struct peri_decisions;
struct peri_h2_client;
struct peri_h2_server;
struct peri_health;
struct peri_loop;
struct peri_proxy;
struct peri_reflection;
struct peri_script;
struct peri_timer;

/// What the files of a worker share.

/// One server of a worker, so that its callbacks know which.
struct peri_door {
  struct peri_worker *worker;
  struct peri_h2_server *server;
  atomic_size_t conns;
  bool draining;
  // Messages that cannot fail to be sent when the time comes.
  struct peri_message drain;
  struct peri_message drained;
};

/// See worker.h. Its thread's, once it runs.
struct peri_worker {
  struct peri_worker_options options;
  pthread_t thread;
  bool stuck;  // something of its loop does not end
  struct peri_loop *loop;
  struct peri_mailbox *mailbox;
  struct peri_h2_client *client;
  struct peri_script *script;
  struct peri_decisions *decisions;
  struct peri_cache_worker *cache;
  struct peri_proxy *proxy;
  struct peri_health *health;
  struct peri_reflection *reflection;
  struct peri_stage stage;
  struct peri_control control;
  struct peri_dispatch dispatch;
  struct peri_door doors[PERI_SIDE_COUNT];
  struct peri_timer *keep;  // a mailbox alone does not keep a loop running
  // How the start went, told by `started`.
  sem_t started;
  int start_code;
  struct peri_problem *start_problem;
  struct peri_message stop;  // as a door's
  struct peri_message stopped;
};

/// A connection of a door (`ctx`) has ended, or did not get there.
void peri_worker_conn_closed(void *ctx);
