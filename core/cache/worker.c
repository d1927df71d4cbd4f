#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "cache/find.h"
#include "cache/load.h"
#include "cache/private.h"
#include "cache/send.h"
#include "h2/call.h"
#include "h2/client.h"
#include "loop/mailbox.h"
#include "model/snapshot.h"

enum { RING_REPLICAS = 50 };

static const char service_path[] = "/groupcachepb.GroupCache/";

// A method by the last part of its path. `control`: on the mesh it is answered
// only to other sidecars.
static const struct method {
  const char *name;
  void (*run)(const struct peri_cache_call *call);
  bool control;
} methods[] = {{"Get", peri_cache_get, false},
               {"BatchGet", peri_cache_batch_get, false},
               {"Peek", peri_cache_peek, false},
               {"Set", peri_cache_set, true},
               {"Remove", peri_cache_remove, true},
               {"RemoveKeys", peri_cache_remove_keys, true}};

static const struct method *find_method(struct peri_slice path) {
  size_t prefix = sizeof service_path - 1;
  if (!peri_slice_starts(path, service_path)) {
    return NULL;
  }
  struct peri_slice name = {path.ptr + prefix, path.len - prefix};
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
    if (peri_slice_is(name, methods[i].name)) {
      return &methods[i];
    }
  }
  return NULL;
}

static void from_app(void *ctx, struct peri_call *call,
                     struct peri_slice message) {
  struct peri_cache_call asked = {
      .worker = ctx, .call = call, .message = message};
  find_method(peri_call_path(call))->run(&asked);
}

static void from_mesh(void *ctx, struct peri_call *call,
                      struct peri_slice message) {
  const struct method *method = find_method(peri_call_path(call));
  struct peri_slice hop;
  struct peri_cache_call asked = {
      .worker = ctx,
      .call = call,
      .message = message,
      .hop = peri_call_header(call, "perigee-hop", &hop),
      .mesh = true};
  if (method->control && !asked.hop) {
    peri_call_finish(call, PERI_STATUS_UNIMPLEMENTED,
                     "this method is answered on the app listener only");
    return;
  }
  method->run(&asked);
}

peri_cache_method *peri_cache_method_of(struct peri_slice path, bool mesh) {
  if (find_method(path) == NULL) {
    return NULL;
  }
  return mesh ? from_mesh : from_app;
}

void peri_cache_pick(struct peri_cache_worker *worker,
                     struct peri_cache_side *side, struct peri_slice key,
                     struct peri_cache_pick *ret_pick) {
  *ret_pick = (struct peri_cache_pick){0};
  ret_pick->code = side->picker->pick(side->picker, key, &ret_pick->choice);
  if (ret_pick->code == 0 &&
      ret_pick->choice.index >= peri_peers_count(worker->peers)) {
    ret_pick->code = PERI_EINVAL;
  }
  if (ret_pick->code < 0) {
    ret_pick->choice.index = peri_ring_owner(worker->ring, key);
  }
}

const struct peri_endpoint *peri_cache_owner(struct peri_cache_worker *worker,
                                             struct peri_cache_side *side,
                                             enum peri_cache_deed deed,
                                             struct peri_slice key) {
  struct peri_cache_pick pick;
  if (worker->alone) {
    return NULL;
  }
  peri_cache_pick(worker, side, key, &pick);
  if (pick.code < 0 || pick.choice.trouble.len > 0) {
    peri_cache_explain_trouble(worker, side, deed, key, &pick);
  }
  const struct peri_endpoint *owner =
      peri_peers_at(worker->peers, pick.choice.index);
  return owner->self ? NULL : owner;
}

// Lets the connections to sidecars that left the cluster end.
static void retire_missing(struct peri_cache_worker *worker,
                           const struct peri_peers *before) {
  for (size_t i = 0; before != NULL && i < peri_peers_count(before); i++) {
    const char *address = peri_peers_at(before, i)->address;
    bool stays = false;
    for (size_t j = 0; j < peri_peers_count(worker->peers) && !stays; j++) {
      stays = strcmp(peri_peers_at(worker->peers, j)->address, address) == 0;
    }
    if (!stays) {
      peri_h2_client_retire(worker->client, peri_slice_of(address));
    }
  }
}

static bool same_peers(const struct peri_peers *a, const struct peri_peers *b) {
  return a == b || (a != NULL && b != NULL && peri_peers_equal(a, b) &&
                    peri_peers_self(a) == peri_peers_self(b));
}

void peri_cache_worker_adopt(struct peri_cache_worker *worker,
                             struct peri_snapshot *snapshot) {
  const struct peri_ring *ring = NULL;
  struct peri_peers *peers = peri_snapshot_find(
      snapshot, peri_slice_of(worker->sides->config->cluster));
  if (same_peers(peers, worker->peers)) {
    return;
  }
  // Without a ring there is no owner that every sidecar agrees on; the peers
  // known so far stay, until the next snapshot.
  size_t count = peers != NULL ? peri_peers_count(peers) : 0;
  bool alone = count == 0 || (count == 1 && peri_peers_self(peers) == 0);
  if (!alone &&
      peri_peers_ring(peers, PERI_RING_CRC32, RING_REPLICAS, &ring) < 0) {
    return;
  }
  struct peri_peers *before = worker->peers;
  worker->peers = peers != NULL ? peri_peers_ref(peers) : NULL;
  worker->ring = ring;
  worker->alone = alone;
  worker->changes++;
  peri_cache_sides_update(worker, worker->sides);
  peri_cache_sides_update(worker, worker->next);
  retire_missing(worker, before);
  peri_peers_unref(before);
}

int peri_cache_worker_new(const struct peri_cache_worker_options *options,
                          struct peri_cache_worker **ret_worker,
                          struct peri_problem *ret_problem) {
  struct peri_cache_worker *worker = calloc(1, sizeof *worker);
  if (worker == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  worker->cache = options->cache;
  worker->loop = options->loop;
  worker->mailbox = peri_mailbox_ref(options->mailbox);
  worker->client = options->client;
  worker->host = options->host;
  worker->message_bytes = options->message_bytes;
  peri_cache_explain_init(worker, options->decisions);
  worker->alone = true;
  peri_list_init(&worker->waits);
  peri_list_init(&worker->loads);
  peri_list_init(&worker->sends);
  int rc = peri_cache_sides_new(worker, worker->cache->plan, NULL,
                                &worker->sides, ret_problem);
  if (rc < 0) {
    peri_cache_worker_free(worker);
    return rc;
  }
  *ret_worker = worker;
  return 0;
}

void peri_cache_worker_free(struct peri_cache_worker *worker) {
  if (worker == NULL) {
    return;
  }
  peri_cache_load_stop(worker);
  peri_cache_send_stop(worker);
  peri_cache_abandon(worker);
  peri_cache_worker_abort(worker);
  peri_cache_sides_free(worker->sides);
  peri_peers_unref(worker->peers);
  peri_mailbox_unref(worker->mailbox);
  free(worker);
}
