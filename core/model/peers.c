#include "model/peers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "model/ring.h"

enum {
  RINGS_MAX = 32,
  IDLE_MOST = 8  // snapshots that a ring is prepared for without being asked
};

struct built {
  enum peri_ring_kind kind;
  uint32_t replicas;
  struct peri_ring *ring;
  unsigned idle;  // snapshots since somebody asked for it
};

struct peri_peers {
  atomic_size_t references;
  struct peri_arena *arena;
  const char *service;
  struct peri_endpoint *endpoints;
  size_t count;
  int self;
  pthread_mutex_t lock;  // guards what follows
  struct built rings[RINGS_MAX];
  size_t ring_count;
};

// An endpoint with its place in what was given.
struct given {
  struct peri_endpoint endpoint;
  size_t place;
};

static int by_address(const void *left, const void *right) {
  const struct given *a = left;
  const struct given *b = right;
  int order = strcmp(a->endpoint.address, b->endpoint.address);

  return order != 0 ? order : (a->place > b->place) - (a->place < b->place);
}

static bool is_sidecar(const struct peri_json *metadata) {
  return peri_json_type(metadata) == PERI_JSON_OBJECT &&
         peri_slice_is(peri_json_to_string(peri_json_get(metadata, "protocol")),
                       "perigee");
}

static int copy_endpoint(struct peri_arena *arena,
                         const struct peri_endpoint_init *init,
                         struct peri_endpoint *ret_endpoint,
                         struct peri_problem *ret_problem) {
  struct peri_address parsed;

  if (peri_address_parse(init->address, &parsed) < 0) {
    return peri_problem_set(
        ret_problem, PERI_EINVAL,
        "\"%.*s\" is not an address such as HOST:PORT",
        (int)(init->address.len > 300 ? 300 : init->address.len),
        init->address.ptr ? init->address.ptr : "");
  }
  ret_endpoint->address = peri_arena_copy(arena, init->address);
  ret_endpoint->zone = peri_arena_copy(arena, init->zone);
  if (!ret_endpoint->address || !ret_endpoint->zone) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  ret_endpoint->weight = init->weight > 0 ? init->weight : 1;
  ret_endpoint->suspect = init->suspect;
  ret_endpoint->metadata =
      init->metadata ? peri_json_ref(init->metadata) : NULL;
  ret_endpoint->sidecar = is_sidecar(init->metadata);
  return 0;
}

// The field is const for readers; the reference is this file's own.
static void drop_metadata(struct peri_endpoint *endpoint) {
  peri_json_unref((struct peri_json *)(uintptr_t)endpoint->metadata);
  endpoint->metadata = NULL;
}

// Sorts by address into `peers`; of one given twice, the last one counts.
static void keep_sorted(struct peri_peers *peers, struct given *given,
                        size_t count) {
  qsort(given, count, sizeof(given[0]), by_address);
  for (size_t i = 0; i < count; i++) {
    if (i + 1 < count &&
        strcmp(given[i].endpoint.address, given[i + 1].endpoint.address) == 0) {
      drop_metadata(&given[i].endpoint);
    } else {
      peers->endpoints[peers->count++] = given[i].endpoint;
    }
  }
}

static int copy_all(struct peri_peers *peers,
                    const struct peri_endpoint_init *inits, size_t count,
                    struct peri_problem *ret_problem) {
  struct given *given = calloc(count + 1, sizeof(*given));
  size_t copied = 0;
  int rc = 0;

  peers->endpoints = peri_arena_alloc(
      peers->arena, (count + 1) * sizeof(struct peri_endpoint));
  if (!given || !peers->endpoints) {
    rc = peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
    goto fail_given;
  }
  for (; copied < count; copied++) {
    given[copied].place = copied;
    rc = copy_endpoint(peers->arena, &inits[copied], &given[copied].endpoint,
                       ret_problem);
    if (rc < 0) {
      goto fail_copied;
    }
  }
  keep_sorted(peers, given, count);
  free(given);
  return 0;

fail_copied:
  while (copied > 0) {
    drop_metadata(&given[--copied].endpoint);
  }
fail_given:
  free(given);
  return rc;
}

static void mark_self(struct peri_peers *peers, struct peri_slice self) {
  peers->self = -1;
  for (size_t i = 0; i < peers->count; i++) {
    if (self.len > 0 && peri_slice_is(self, peers->endpoints[i].address)) {
      peers->endpoints[i].self = true;
      peers->self = (int)i;
    }
  }
}

int peri_peers_new(const char *service, const struct peri_endpoint_init *inits,
                   size_t count, struct peri_slice self_address,
                   struct peri_peers **ret_peers,
                   struct peri_problem *ret_problem) {
  struct peri_peers *peers = calloc(1, sizeof(*peers));
  int rc = PERI_ENOMEM;

  if (!peers) {
    return peri_problem_set(ret_problem, rc, "out of memory");
  }
  peers->arena = peri_arena_new(0);
  if (!peers->arena) {
    peri_problem_set(ret_problem, rc, "out of memory");
    goto fail_peers;
  }
  peers->service = peri_arena_copy(peers->arena, peri_slice_of(service));
  if (!peers->service) {
    peri_problem_set(ret_problem, rc, "out of memory");
    goto fail_arena;
  }
  rc = copy_all(peers, inits, count, ret_problem);
  if (rc < 0) {
    goto fail_arena;
  }
  mark_self(peers, self_address);
  pthread_mutex_init(&peers->lock, NULL);
  atomic_init(&peers->references, 1);
  *ret_peers = peers;
  return 0;

fail_arena:
  peri_arena_free(peers->arena);
fail_peers:
  free(peers);
  return rc;
}

struct peri_peers *peri_peers_ref(struct peri_peers *peers) {
  atomic_fetch_add_explicit(&peers->references, 1, memory_order_relaxed);
  return peers;
}

void peri_peers_unref(struct peri_peers *peers) {
  if (!peers || atomic_fetch_sub_explicit(&peers->references, 1,
                                          memory_order_acq_rel) != 1) {
    return;
  }
  for (size_t i = 0; i < peers->ring_count; i++) {
    peri_ring_free(peers->rings[i].ring);
  }
  for (size_t i = 0; i < peers->count; i++) {
    drop_metadata(&peers->endpoints[i]);
  }
  pthread_mutex_destroy(&peers->lock);
  peri_arena_free(peers->arena);
  free(peers);
}

const char *peri_peers_service(const struct peri_peers *peers) {
  return peers->service;
}

size_t peri_peers_count(const struct peri_peers *peers) {
  return peers->count;
}

const struct peri_endpoint *peri_peers_at(const struct peri_peers *peers,
                                          size_t index) {
  return index < peers->count ? &peers->endpoints[index] : NULL;
}

int peri_peers_self(const struct peri_peers *peers) {
  return peers->self;
}

// Compared as text: the same members in another order count as a change, which
// costs an update and nothing else.
static bool same_metadata(const struct peri_json *a,
                          const struct peri_json *b) {
  struct peri_buffer left = {0};
  struct peri_buffer right = {0};

  if (!a || !b) {
    return a == b;
  }
  bool same =
      peri_json_dump(a, false, &left) == 0 &&
      peri_json_dump(b, false, &right) == 0 &&
      peri_slice_equal(peri_buffer_slice(&left), peri_buffer_slice(&right));
  peri_buffer_done(&left);
  peri_buffer_done(&right);
  return same;
}

bool peri_peers_equal(const struct peri_peers *a, const struct peri_peers *b) {
  if (a->count != b->count) {
    return false;
  }
  for (size_t i = 0; i < a->count; i++) {
    const struct peri_endpoint *x = &a->endpoints[i];
    const struct peri_endpoint *y = &b->endpoints[i];
    if (strcmp(x->address, y->address) != 0 || strcmp(x->zone, y->zone) != 0 ||
        x->weight != y->weight || x->suspect != y->suspect ||
        !same_metadata(x->metadata, y->metadata)) {
      return false;
    }
  }
  return true;
}

static int build_ring(const struct peri_peers *peers, enum peri_ring_kind kind,
                      uint32_t replicas, struct peri_ring **ret_ring) {
  struct peri_ring_node *nodes = calloc(peers->count, sizeof(*nodes));

  if (!nodes) {
    return PERI_ENOMEM;
  }
  for (size_t i = 0; i < peers->count; i++) {
    nodes[i].address = peri_slice_of(peers->endpoints[i].address);
    nodes[i].weight = peers->endpoints[i].weight;
  }
  int rc = peri_ring_new(kind, replicas, nodes, peers->count, ret_ring);
  free(nodes);
  return rc;
}

static int find_or_build(struct peri_peers *peers, enum peri_ring_kind kind,
                         uint32_t replicas, struct built **ret_built) {
  for (size_t i = 0; i < peers->ring_count; i++) {
    if (peers->rings[i].kind == kind && peers->rings[i].replicas == replicas) {
      *ret_built = &peers->rings[i];
      return 0;
    }
  }
  if (peers->ring_count == RINGS_MAX) {
    return PERI_ELIMIT;
  }
  struct built *built = &peers->rings[peers->ring_count];
  int rc = build_ring(peers, kind, replicas, &built->ring);
  if (rc < 0) {
    return rc;
  }
  built->kind = kind;
  built->replicas = replicas;
  peers->ring_count++;
  *ret_built = built;
  return 0;
}

int peri_peers_ring(struct peri_peers *peers, enum peri_ring_kind kind,
                    uint32_t replicas, const struct peri_ring **ret_ring) {
  if (peers->count == 0) {
    return PERI_EINVAL;
  }
  if (kind == PERI_RING_MAGLEV || kind == PERI_RING_RENDEZVOUS) {
    replicas = 0;
  } else if (replicas == 0) {
    replicas = PERI_RING_REPLICAS_DEFAULT;
  }
  struct built *built = NULL;
  pthread_mutex_lock(&peers->lock);
  int rc = find_or_build(peers, kind, replicas, &built);
  if (rc == 0) {
    built->idle = 0;
    *ret_ring = built->ring;
  }
  pthread_mutex_unlock(&peers->lock);
  return rc;
}

int peri_peers_prepare(struct peri_peers *peers, struct peri_peers *before) {
  struct built wanted[RINGS_MAX];
  int rc = 0;

  if (peers == before || peers->count == 0) {
    return 0;
  }
  // One lock at a time, so that no order between the two matters.
  pthread_mutex_lock(&before->lock);
  size_t count = before->ring_count;
  memcpy(wanted, before->rings, count * sizeof(wanted[0]));
  pthread_mutex_unlock(&before->lock);
  pthread_mutex_lock(&peers->lock);
  for (size_t i = 0; rc == 0 && i < count; i++) {
    struct built *built = NULL;
    // What nobody asks for any more must not fill up the places for good.
    if (wanted[i].idle < IDLE_MOST) {
      rc = find_or_build(peers, wanted[i].kind, wanted[i].replicas, &built);
    }
    if (rc == 0 && built) {
      built->idle = wanted[i].idle + 1;
    }
  }
  pthread_mutex_unlock(&peers->lock);
  return rc;
}
