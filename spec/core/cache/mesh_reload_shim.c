#include <stdio.h>

#include "base/container.h"
#include "cache/mesh_private.h"
#include "cache/private.h"

static void run_prepare(struct peri_message *message) {
  struct shim_errand *errand =
      PERI_CONTAINER_OF(message, struct shim_errand, message);
  struct shim_worker *worker = errand->worker;
  errand->code = peri_cache_worker_prepare(worker->cache, worker->node->plan,
                                           &errand->problem);
  sem_post(&errand->done);
}

static void run_commit(struct peri_message *message) {
  struct shim_errand *errand =
      PERI_CONTAINER_OF(message, struct shim_errand, message);
  peri_cache_worker_commit(errand->worker->cache);
  sem_post(&errand->done);
}

static void run_abort(struct peri_message *message) {
  struct shim_errand *errand =
      PERI_CONTAINER_OF(message, struct shim_errand, message);
  peri_cache_worker_abort(errand->worker->cache);
  sem_post(&errand->done);
}

static void on_workers(struct shim_node *node, int count,
                       void (*run)(struct peri_message *message)) {
  for (int i = 0; i < count; i++) {
    struct shim_errand errand = {.message = {.run = run},
                                 .worker = &node->workers[i]};
    shim_errand_do(&errand);
  }
}

int peri_shim_mesh_prepare(struct peri_shim_mesh *mesh, int number,
                           struct peri_slice config, char *ret_words) {
  struct shim_node *node = &mesh->nodes[number];
  struct shim_errand errand = {.code = 0};
  // Nothing needs the present one but what took a reference.
  peri_config_unref(node->config);
  node->config = NULL;
  int rc =
      shim_config_make(node, mesh->addresses[number], config, &errand.problem);
  if (rc == 0) {
    rc = peri_cache_plan_new(node->cache, node->config, &node->plan,
                             &errand.problem);
  }
  for (int i = 0; rc == 0 && i < mesh->worker_count; i++) {
    errand.message.run = run_prepare;
    errand.worker = &node->workers[i];
    shim_errand_do(&errand);
    rc = errand.code;
  }
  if (rc < 0) {
    (void)snprintf(ret_words, 500, "%s %s", peri_error_name(rc),
                   errand.problem.text);
    peri_shim_mesh_abort(mesh, number);
  }
  return rc;
}

void peri_shim_mesh_commit_some(struct peri_shim_mesh *mesh, int node,
                                int workers) {
  on_workers(&mesh->nodes[node], workers, run_commit);
}

void peri_shim_mesh_commit(struct peri_shim_mesh *mesh, int number) {
  struct shim_node *node = &mesh->nodes[number];
  on_workers(node, mesh->worker_count, run_commit);
  peri_cache_adopt(node->cache, node->plan);
  node->plan = NULL;
}

void peri_shim_mesh_abort(struct peri_shim_mesh *mesh, int number) {
  struct shim_node *node = &mesh->nodes[number];
  // In this order, which leaves references to what is freed, if there are any.
  peri_cache_plan_free(node->plan);
  node->plan = NULL;
  on_workers(node, mesh->worker_count, run_abort);
}

int peri_shim_mesh_retired(struct peri_shim_mesh *mesh, int node,
                           uint64_t *ret_bytes) {
  const struct peri_list *retired = &mesh->nodes[node].cache->retired;
  int count = 0;
  *ret_bytes = 0;
  for (struct peri_list *at = retired->next; at != retired; at = at->next) {
    struct peri_store_stats stats;
    peri_store_stats(
        PERI_CONTAINER_OF(at, struct peri_cache_group, retired)->values,
        &stats);
    *ret_bytes += stats.bytes;
    count++;
  }
  return count;
}
