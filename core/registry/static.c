#include "registry/static.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "model/config.h"
#include "model/peers.h"
#include "model/snapshot.h"

struct peri_static {
  struct peri_snapshot *snapshot;
  char *self_address;
  void (*publish)(void *ctx, struct peri_snapshot *snapshot);
  void *ctx;
};

static int make_peers(const struct peri_config_service *service,
                      struct peri_slice self, struct peri_peers **ret_peers,
                      struct peri_problem *ret_problem) {
  size_t count = service->endpoint_count;
  struct peri_endpoint_init *inits =
      calloc(count > 0 ? count : 1, sizeof(*inits));
  if (inits == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  for (size_t i = 0; i < count; i++) {
    const struct peri_config_endpoint *endpoint = &service->endpoints[i];
    inits[i].address = peri_slice_of(endpoint->address);
    inits[i].zone = peri_slice_of(endpoint->zone);
    inits[i].weight = endpoint->weight;
    inits[i].metadata = endpoint->metadata;
  }
  int rc =
      peri_peers_new(service->name, inits, count, self, ret_peers, ret_problem);
  free(inits);
  return rc;
}

static int make_snapshot(struct peri_config *config, struct peri_slice self,
                         uint64_t version, struct peri_snapshot **ret_snapshot,
                         struct peri_problem *ret_problem) {
  size_t made = 0, count = config->service_count;
  struct peri_peers **peers =
      calloc(count > 0 ? count : 1, sizeof(struct peri_peers *));
  if (peers == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  int rc = 0;
  for (; rc == 0 && made < count; made += rc == 0) {
    const struct peri_config_service *service = &config->services[made];
    // Only in the cluster is an endpoint a sidecar, and so perhaps this one.
    bool own = strcmp(service->name, config->cluster) == 0;
    rc = make_peers(service, own ? self : peri_slice_of(NULL), &peers[made],
                    ret_problem);
  }
  if (rc == 0) {
    rc = peri_snapshot_new(version, peers, count, ret_snapshot);
    if (rc < 0) {
      peri_problem_set(ret_problem, rc, "out of memory");
    }
  }
  for (size_t i = 0; i < made; i++) {
    peri_peers_unref(peers[i]);
  }
  free(peers);
  return rc;
}

static bool same(const struct peri_snapshot *a, const struct peri_snapshot *b) {
  if (peri_snapshot_count(a) != peri_snapshot_count(b)) {
    return false;
  }
  for (size_t i = 0; i < peri_snapshot_count(a); i++) {
    struct peri_peers *mine = peri_snapshot_at(a, i);
    struct peri_peers *other =
        peri_snapshot_find(b, peri_slice_of(peri_peers_service(mine)));
    if (other == NULL || !peri_peers_equal(mine, other)) {
      return false;
    }
  }
  return true;
}

int peri_static_new(const struct peri_static_options *options,
                    struct peri_static **ret_static,
                    struct peri_problem *ret_problem) {
  struct peri_static *source = calloc(1, sizeof(*source));
  if (source == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  source->publish = options->publish;
  source->ctx = options->ctx;
  source->self_address = peri_slice_dup(options->self_address);
  int rc = source->self_address == NULL
               ? peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory")
               : make_snapshot(options->config, options->self_address, 1,
                               &source->snapshot, ret_problem);
  if (rc < 0) {
    peri_static_free(source);
    return rc;
  }
  source->publish(source->ctx, source->snapshot);
  *ret_static = source;
  return 0;
}

int peri_static_update(struct peri_static *source, struct peri_config *config,
                       struct peri_problem *ret_problem) {
  struct peri_snapshot *next = NULL;
  uint64_t version = peri_snapshot_version(source->snapshot) + 1;
  int rc = make_snapshot(config, peri_slice_of(source->self_address), version,
                         &next, ret_problem);
  if (rc < 0) {
    return rc;
  }
  if (same(source->snapshot, next)) {
    peri_snapshot_unref(next);
    return 0;
  }
  peri_snapshot_unref(source->snapshot);
  source->snapshot = next;
  source->publish(source->ctx, next);
  return 0;
}

struct peri_snapshot *peri_static_snapshot(const struct peri_static *source) {
  return source->snapshot;
}

void peri_static_free(struct peri_static *source) {
  if (source == NULL) {
    return;
  }
  if (source->snapshot != NULL) {
    peri_snapshot_unref(source->snapshot);
  }
  free(source->self_address);
  free(source);
}
