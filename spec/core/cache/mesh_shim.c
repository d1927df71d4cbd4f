#include "cache/mesh_shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/container.h"
#include "base/slice.h"
#include "cache/mesh_private.h"
#include "cache/private.h"
#include "h2/call.h"
#include "model/peers.h"
#include "model/snapshot.h"

enum { MESSAGE_BYTES = 4 << 20, STREAMS = 20000 };

static void on_request(void *ctx, struct peri_h2_stream *stream) {
  struct shim_door *door = ctx;
  struct peri_slice path = {NULL, 0};
  (void)peri_h2_stream_header(stream, ":path", &path);
  peri_cache_method *method = peri_cache_method_of(path, door->mesh);
  if (method == NULL) {
    peri_call_refuse(stream, PERI_STATUS_UNIMPLEMENTED, "no such method");
    return;
  }
  peri_call_accept(stream, MESSAGE_BYTES, method, door->worker->cache);
}

static void accepted(void *ctx, int fd) {
  struct shim_door *door = ctx;
  (void)peri_h2_server_adopt(door->server, fd);
}

static void refused(void *ctx) {
  (void)ctx;
}

static int open_door(struct shim_worker *worker, bool mesh,
                     struct shim_door *door) {
  struct peri_address address;
  struct peri_problem problem;
  char text[300];
  door->worker = worker;
  door->mesh = mesh;
  struct peri_h2_server_options options = {.loop = worker->loop,
                                           .limits = peri_h2_limits_default(),
                                           .name = mesh ? "mesh" : "app",
                                           .on_request = on_request,
                                           .ctx = door};
  // All of a crowd at once, instead of some waiting for others to end.
  options.limits.streams_per_conn = STREAMS;
  options.limits.resets_per_s = 100000;  // specs leave oftener than a peer may
  int rc = peri_address_parse(peri_slice_of("127.0.0.1:0"), &address);
  if (rc == 0) {
    rc = peri_listener_bind(&address, -1, &door->listener, &problem);
  }
  if (rc == 0) {
    rc = peri_h2_server_new(&options, &door->server);
  }
  if (rc == 0) {
    rc = peri_listener_start(door->listener, worker->loop, accepted, refused,
                             door);
  }
  if (rc == 0) {
    peri_address_format(peri_listener_address(door->listener), text,
                        sizeof text);
    (void)snprintf(door->address, sizeof door->address, "%.63s", text);
  }
  return rc;
}

static void close_door(struct shim_door *door) {
  peri_listener_free(door->listener);
  if (door->server != NULL) {
    peri_h2_server_free(door->server);
  }
}

static void close_worker(struct shim_worker *worker) {
  close_door(&worker->app);
  close_door(&worker->mesh);
  peri_cache_worker_free(worker->cache);
  peri_decisions_free(worker->decisions);
  peri_shim_policy_host_free(worker->host);
  peri_h2_client_free(worker->client);
  if (worker->mailbox != NULL) {
    peri_mailbox_close(worker->mailbox);
  }
  if (worker->loop != NULL && peri_loop_free(worker->loop) < 0) {
    abort();
  }
}

static void *run(void *ctx) {
  struct shim_worker *worker = ctx;
  (void)peri_loop_run(worker->loop);
  close_worker(worker);
  return NULL;
}

static int make_worker(struct shim_node *node, struct shim_worker *worker,
                       struct peri_problem *problem) {
  struct peri_h2_client_options client = {.loop = worker->loop,
                                          .limits = peri_h2_limits_default()};
  int rc = peri_h2_client_new(&client, &worker->client);
  if (rc < 0) {
    return rc;
  }
  worker->host = peri_shim_policy_host(node->policy, worker->loop);
  worker->decisions = peri_decisions_new();
  struct peri_cache_worker_options options = {.cache = node->cache,
                                              .loop = worker->loop,
                                              .mailbox = worker->mailbox,
                                              .client = worker->client,
                                              .host = worker->host,
                                              .decisions = worker->decisions,
                                              .message_bytes = MESSAGE_BYTES};
  return peri_cache_worker_new(&options, &worker->cache, problem);
}

int shim_config_make(struct shim_node *node, const char *address,
                     struct peri_slice config, struct peri_problem *problem) {
  struct peri_json *tree = NULL;
  struct peri_slice none = {NULL, 0};
  int rc = peri_json_parse(config, &tree, problem);
  if (rc < 0) {
    return rc;
  }
  struct peri_json *self = peri_json_object();
  peri_json_set(self, "address", peri_json_string(peri_slice_of(address)));
  peri_json_set(tree, "node", self);
  rc = peri_config_build("", none, tree, &node->config, problem);
  peri_json_unref(tree);
  return rc;
}

static int make_node(struct peri_shim_mesh *mesh, int number,
                     struct peri_slice config, struct peri_problem *problem) {
  struct shim_node *node = &mesh->nodes[number];
  node->policy = peri_shim_policy_new(
      (const char(*)[64])(const void *)mesh->addresses, mesh->node_count);
  node->metrics = peri_metrics_new();
  int rc = shim_config_make(node, mesh->addresses[number], config, problem);
  if (rc == 0) {
    rc = peri_cache_new(node->config, node->metrics, &node->cache);
  }
  for (int i = 0; rc == 0 && i < mesh->worker_count; i++) {
    rc = make_worker(node, &node->workers[i], problem);
  }
  return rc;
}

static int open_node(struct peri_shim_mesh *mesh, int number) {
  struct shim_node *node = &mesh->nodes[number];
  int rc = 0;
  for (int i = 0; rc == 0 && i < mesh->worker_count; i++) {
    struct shim_worker *worker = &node->workers[i];
    worker->node = node;
    rc = peri_loop_new(&worker->loop);
    if (rc == 0) {
      rc = peri_mailbox_new(worker->loop, &worker->mailbox);
    }
    if (rc == 0) {
      rc = open_door(worker, false, &worker->app);
    }
  }
  if (rc == 0) {
    rc = open_door(&node->workers[0], true, &node->workers[0].mesh);
  }
  if (rc == 0) {
    memcpy(mesh->addresses[number], node->workers[0].mesh.address, 64);
  }
  return rc;
}

struct peri_shim_mesh *peri_shim_mesh_new(int nodes, int workers,
                                          struct peri_slice config,
                                          char *ret_words) {
  struct peri_shim_mesh *mesh = calloc(1, sizeof *mesh);
  struct peri_problem problem = {.code = 0};
  mesh->node_count = nodes;
  mesh->worker_count = workers;
  int rc = peri_loop_new(&mesh->loop);
  // Thousands of calls are begun before the loop runs once.
  struct peri_h2_client_options client = {.loop = mesh->loop,
                                          .limits = peri_h2_limits_default(),
                                          .connect_timeout_ms = 60000};
  if (rc == 0) {
    rc = peri_h2_client_new(&client, &mesh->client);
  }
  for (int i = 0; rc == 0 && i < nodes; i++) {
    rc = open_node(mesh, i);
  }
  for (int i = 0; rc == 0 && i < nodes; i++) {
    rc = make_node(mesh, i, config, &problem);
  }
  if (rc < 0) {
    (void)snprintf(ret_words, 500, "%s %s", peri_error_name(rc), problem.text);
    for (int i = 0; i < nodes * workers; i++) {
      close_worker(&mesh->nodes[i / workers].workers[i % workers]);
    }
    peri_shim_mesh_free(mesh);
    return NULL;
  }
  for (int i = 0; i < nodes; i++) {
    mesh->nodes[i].running = true;
    for (int j = 0; j < workers; j++) {
      struct shim_worker *worker = &mesh->nodes[i].workers[j];
      pthread_create(&worker->thread, NULL, run, worker);
    }
  }
  return mesh;
}

static void run_adopt(struct peri_message *message) {
  struct shim_errand *errand =
      PERI_CONTAINER_OF(message, struct shim_errand, message);
  peri_cache_worker_adopt(errand->worker->cache, errand->snapshot);
  sem_post(&errand->done);
}

static void run_busy(struct peri_message *message) {
  struct shim_errand *errand =
      PERI_CONTAINER_OF(message, struct shim_errand, message);
  const struct peri_cache_worker *cache = errand->worker->cache;
  errand->busy =
      !peri_list_empty(&cache->loads) || !peri_list_empty(&cache->sends);
  sem_post(&errand->done);
}

static void run_stop(struct peri_message *message) {
  struct shim_errand *errand =
      PERI_CONTAINER_OF(message, struct shim_errand, message);
  peri_loop_stop(errand->worker->loop);
}

void shim_errand_do(struct shim_errand *errand) {
  sem_init(&errand->done, 0, 0);
  if (peri_mailbox_post(errand->worker->mailbox, &errand->message) < 0) {
    abort();
  }
  while (sem_wait(&errand->done) != 0) {
  }
  sem_destroy(&errand->done);
}

void peri_shim_mesh_peers(struct peri_shim_mesh *mesh, int node,
                          uint32_t mask) {
  struct peri_endpoint_init inits[SHIM_MAX_NODES + 2];
  struct peri_peers *peers = NULL;
  struct peri_snapshot *snapshot = NULL;
  size_t count = 0;
  memset(inits, 0, sizeof inits);
  for (int i = 0; i < mesh->node_count; i++) {
    if ((mask >> i & 1) != 0) {
      inits[count].address = peri_slice_of(mesh->addresses[i]);
      count++;
    }
  }
  if ((mask >> 30 & 1) != 0) {
    inits[count].address = peri_slice_of(peri_shim_liar_address(mesh));
    count++;
  }
  if (mask >> 31 != 0) {
    inits[count].address = peri_slice_of("127.0.0.1:1");
    count++;
  }
  mesh->version++;
  if (peri_peers_new("GroupCache", inits, count,
                     peri_slice_of(mesh->addresses[node]), &peers, NULL) < 0 ||
      peri_snapshot_new(mesh->version, &peers, 1, &snapshot) < 0) {
    abort();
  }
  for (int i = 0; i < mesh->worker_count; i++) {
    struct shim_errand errand = {.message = {.run = run_adopt},
                                 .worker = &mesh->nodes[node].workers[i],
                                 .snapshot = snapshot};
    shim_errand_do(&errand);
  }
  peri_snapshot_unref(snapshot);
  peri_peers_unref(peers);
}

bool peri_shim_mesh_busy(struct peri_shim_mesh *mesh, int node) {
  bool busy = false;
  for (int i = 0; i < mesh->worker_count; i++) {
    struct shim_errand errand = {.message = {.run = run_busy},
                                 .worker = &mesh->nodes[node].workers[i]};
    shim_errand_do(&errand);
    busy = busy || errand.busy;
  }
  return busy;
}

void peri_shim_mesh_stop(struct peri_shim_mesh *mesh, int number) {
  struct shim_node *node = &mesh->nodes[number];
  struct shim_errand errands[SHIM_MAX_WORKERS];
  if (node->cache == NULL) {
    return;
  }
  for (int i = 0; node->running && i < mesh->worker_count; i++) {
    errands[i] = (struct shim_errand){.message = {.run = run_stop},
                                      .worker = &node->workers[i]};
    if (peri_mailbox_post(node->workers[i].mailbox, &errands[i].message) < 0) {
      abort();
    }
  }
  for (int i = 0; node->running && i < mesh->worker_count; i++) {
    pthread_join(node->workers[i].thread, NULL);
  }
  node->running = false;
  peri_cache_plan_free(node->plan);
  node->plan = NULL;
  peri_cache_free(node->cache);
  node->cache = NULL;
}

void peri_shim_mesh_free(struct peri_shim_mesh *mesh) {
  for (int i = 0; i < mesh->node_count; i++) {
    peri_shim_mesh_stop(mesh, i);
    peri_metrics_free(mesh->nodes[i].metrics);
    peri_config_unref(mesh->nodes[i].config);
    peri_shim_policy_free(mesh->nodes[i].policy);
  }
  peri_h2_client_free(mesh->client);
  peri_shim_liar_free(mesh->liar);
  peri_shim_mesh_forget(mesh);
  if (peri_loop_free(mesh->loop) < 0) {
    abort();
  }
  free(mesh);
}

struct peri_shim_policy *peri_shim_mesh_policy(struct peri_shim_mesh *mesh,
                                               int node) {
  return mesh->nodes[node].policy;
}

const char *peri_shim_mesh_address(struct peri_shim_mesh *mesh, int node) {
  return mesh->addresses[node];
}

struct wanted {
  const char *name;
  const char *labels;
  int64_t value;
};

static void visit(void *ctx, const char *name, const char *labels,
                  int64_t value) {
  struct wanted *wanted = ctx;
  if (strcmp(name, wanted->name) == 0 &&
      strcmp(labels != NULL ? labels : "", wanted->labels) == 0) {
    wanted->value = value;
  }
}

int64_t peri_shim_mesh_metric(struct peri_shim_mesh *mesh, int node,
                              const char *name, const char *labels) {
  struct wanted wanted = {name, labels, -1};
  const struct peri_cache_plan *plan = mesh->nodes[node].cache->plan;
  for (size_t i = 0; i < plan->group_count; i++) {
    peri_cache_group_measure(plan->groups[i]);
  }
  peri_metrics_each(mesh->nodes[node].metrics, visit, &wanted);
  return wanted.value;
}

size_t peri_shim_mesh_sweep(struct peri_shim_mesh *mesh, int node) {
  return peri_cache_sweep(mesh->nodes[node].cache);
}
