#pragma once

#include <pthread.h>
#include <semaphore.h>

#include "base/metrics.h"
#include "cache/cache.h"
#include "cache/liar_shim.h"
#include "cache/mesh_shim.h"
#include "h2/client.h"
#include "h2/listener.h"
#include "h2/server.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "model/config.h"
#include "model/decisions.h"

enum { SHIM_MAX_WORKERS = 4, SHIM_MAX_CALLS = 20000 };

struct shim_door {
  struct shim_worker *worker;
  struct peri_listener *listener;
  struct peri_h2_server *server;
  char address[64];
  bool mesh;
};

struct shim_worker {
  struct shim_node *node;
  pthread_t thread;
  struct peri_loop *loop;
  struct peri_mailbox *mailbox;
  struct peri_h2_client *client;
  struct peri_policy_host *host;
  struct peri_decisions *decisions;
  struct peri_cache_worker *cache;
  struct shim_door app;
  struct shim_door mesh;  // of the node's first worker only
};

struct shim_node {
  struct peri_shim_policy *policy;
  struct peri_config *config;
  struct peri_metrics *metrics;
  struct peri_cache *cache;
  struct peri_cache_plan *plan;  // prepared
  struct shim_worker workers[SHIM_MAX_WORKERS];
  bool running;
};

// Something done on a worker's thread while the spec waits.
struct shim_errand {
  struct peri_message message;
  struct shim_worker *worker;
  struct peri_snapshot *snapshot;
  bool busy;
  int code;
  struct peri_problem problem;
  sem_t done;
};
void shim_errand_do(struct shim_errand *errand);
/// The node's own configuration: what is given for all, and its address.
int shim_config_make(struct shim_node *node, const char *address,
                     struct peri_slice config, struct peri_problem *problem);

struct shim_call {
  struct peri_shim_mesh *mesh;
  struct peri_unary *unary;
  int status;
  char *message;
  size_t len;
  char *text;
};

struct peri_shim_mesh {
  int node_count;
  int worker_count;
  char addresses[SHIM_MAX_NODES][64];
  struct shim_node nodes[SHIM_MAX_NODES];
  struct peri_shim_liar *liar;  // NULL unless asked for
  uint64_t version;
  struct peri_loop *loop;
  struct peri_h2_client *client;
  int open;
  int call_count;
  struct shim_call calls[SHIM_MAX_CALLS];
};
