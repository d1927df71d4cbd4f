#include "app/control.h"

#include <perigee.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "app/ask.h"
#include "app/reply.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/grow.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/proto.h"
#include "base/slice.h"
#include "base/status.h"
#include "h2/call.h"
#include "model/peers.h"
#include "model/snapshot.h"

/// Messages are made of pieces that live until the answer is packed.
struct answer {
  struct peri_arena *arena;
  bool failed;  // out of memory
};

static void *take(struct answer *answer, size_t bytes) {
  void *memory = answer->failed ? NULL : peri_arena_alloc(answer->arena, bytes);
  answer->failed = memory == NULL;
  return memory;
}

static ProtobufCBinaryData json(struct answer *answer,
                                const struct peri_json *value) {
  ProtobufCBinaryData data = {0, NULL};
  struct peri_buffer buffer = {0};
  if (value == NULL) {
    return data;
  }
  if (peri_json_dump(value, false, &buffer) == 0 && buffer.len > 0) {
    data.data = take(answer, buffer.len);
    if (data.data != NULL) {
      memcpy(data.data, buffer.ptr, buffer.len);
      data.len = buffer.len;
    }
  } else {
    answer->failed = true;
  }
  peri_buffer_done(&buffer);
  return data;
}

static Perigee__V1__Peer *make_peer(struct answer *answer,
                                    const struct peri_endpoint *endpoint) {
  Perigee__V1__Peer *peer = take(answer, sizeof(*peer));
  if (peer == NULL) {
    return NULL;
  }
  perigee__v1__peer__init(peer);
  peer->address = peri_proto_text(endpoint->address);
  peer->zone = peri_proto_text(endpoint->zone);
  peer->weight = endpoint->weight;
  peer->self = endpoint->self;
  peer->suspect = endpoint->suspect;
  peer->metadata = json(answer, endpoint->metadata);
  return peer;
}

static Perigee__V1__Service *make_service(struct answer *answer,
                                          const struct peri_peers *peers) {
  size_t count = peri_peers_count(peers);
  Perigee__V1__Service *service = take(answer, sizeof(*service));
  if (service == NULL) {
    return NULL;
  }
  perigee__v1__service__init(service);
  service->name = peri_proto_text(peri_peers_service(peers));
  service->peers = take(answer, (count + 1) * sizeof(Perigee__V1__Peer *));
  for (size_t i = 0; i < count && !answer->failed; i++) {
    service->peers[i] = make_peer(answer, peri_peers_at(peers, i));
    service->n_peers = i + 1;
  }
  return service;
}

static void fill_services(struct answer *answer,
                          const struct peri_control *control,
                          struct peri_slice wanted,
                          Perigee__V1__PeersResponse *response) {
  size_t count =
      control->snapshot != NULL ? peri_snapshot_count(control->snapshot) : 0;
  response->services =
      take(answer, (count + 1) * sizeof(Perigee__V1__Service *));
  for (size_t i = 0; i < count && !answer->failed; i++) {
    struct peri_peers *peers = peri_snapshot_at(control->snapshot, i);
    if (wanted.len > 0 && !peri_slice_is(wanted, peri_peers_service(peers))) {
      continue;
    }
    response->services[response->n_services++] = make_service(answer, peers);
  }
}

static void conclude(struct answer *answer, struct peri_call *call,
                     const ProtobufCMessage *message) {
  if (answer->failed) {
    peri_call_finish(call, PERI_STATUS_RESOURCE_EXHAUSTED, "out of memory");
  } else {
    peri_reply_message(call, message);
  }
  peri_arena_free(answer->arena);
}

void peri_control_peers(void *ctx, struct peri_call *call,
                        struct peri_slice message) {
  struct peri_control *control = ctx;
  struct answer answer = {peri_arena_new(0), false};
  answer.failed = answer.arena == NULL;
  Perigee__V1__PeersRequest *request = perigee__v1__peers_request__unpack(
      NULL, message.len, (const uint8_t *)message.ptr);
  if (request == NULL) {
    peri_arena_free(answer.arena);
    peri_call_finish(call, PERI_STATUS_INVALID_ARGUMENT,
                     "the message is no PeersRequest");
    return;
  }
  struct peri_slice wanted = peri_proto_slice(request->service);
  Perigee__V1__PeersResponse response = PERIGEE__V1__PEERS_RESPONSE__INIT;
  if (control->snapshot != NULL) {
    response.version = peri_snapshot_version(control->snapshot);
  }
  response.cluster = peri_proto_text(control->cluster);
  if (wanted.len > 0) {
    // What nobody asks for is forgotten, so known ones count as well.
    peri_ask_want(control->ask, wanted);
  }
  fill_services(&answer, control, wanted, &response);
  perigee__v1__peers_request__free_unpacked(request, NULL);
  conclude(&answer, call, &response.base);
}

/// What one visit of the metrics collects.
struct collection {
  struct answer answer;
  struct peri_slice prefix;
  Perigee__V1__Stat **stats;
  size_t count;
  size_t capacity;
};

static bool grow(struct collection *all) {
  Perigee__V1__Stat **stats =
      peri_grow(all->stats, &all->capacity, sizeof(Perigee__V1__Stat *));
  if (stats == NULL) {
    all->answer.failed = true;
    return false;
  }
  all->stats = stats;
  return true;
}

static void collect(void *ctx, const char *name, const char *labels,
                    int64_t value) {
  struct collection *all = ctx;
  if (all->answer.failed || strlen(name) < all->prefix.len ||
      strncmp(name, all->prefix.ptr, all->prefix.len) != 0 ||
      (all->count == all->capacity && !grow(all))) {
    return;
  }
  Perigee__V1__Stat *stat = take(&all->answer, sizeof(*stat));
  if (stat == NULL) {
    return;
  }
  perigee__v1__stat__init(stat);
  // Names and labels live as long as the registry.
  stat->name = peri_proto_text(name);
  stat->labels = peri_proto_text(labels);
  stat->value = value;
  all->stats[all->count++] = stat;
}

void peri_control_stats(void *ctx, struct peri_call *call,
                        struct peri_slice message) {
  struct peri_control *control = ctx;
  struct collection all = {.answer = {peri_arena_new(0), false}};
  all.answer.failed = all.answer.arena == NULL;
  Perigee__V1__StatsRequest *request = perigee__v1__stats_request__unpack(
      NULL, message.len, (const uint8_t *)message.ptr);
  if (request == NULL) {
    peri_arena_free(all.answer.arena);
    peri_call_finish(call, PERI_STATUS_INVALID_ARGUMENT,
                     "the message is no StatsRequest");
    return;
  }
  all.prefix = peri_proto_slice(request->prefix);
  peri_metrics_each(control->metrics, collect, &all);
  Perigee__V1__StatsResponse response = PERIGEE__V1__STATS_RESPONSE__INIT;
  response.stats = all.stats;
  response.n_stats = all.count;
  conclude(&all.answer, call, &response.base);
  perigee__v1__stats_request__free_unpacked(request, NULL);
  free(all.stats);
}

static void ask(void *ctx, enum peri_ask_kind kind, struct peri_call *call,
                struct peri_slice message) {
  struct peri_control *control = ctx;
  peri_ask_call(control->ask, kind, control->mailbox, call, message);
}

void peri_control_services(void *ctx, struct peri_call *call,
                           struct peri_slice message) {
  ask(ctx, PERI_ASK_SERVICES, call, message);
}

void peri_control_register(void *ctx, struct peri_call *call,
                           struct peri_slice message) {
  ask(ctx, PERI_ASK_REGISTER, call, message);
}

void peri_control_deregister(void *ctx, struct peri_call *call,
                             struct peri_slice message) {
  ask(ctx, PERI_ASK_DEREGISTER, call, message);
}

void peri_control_policies(void *ctx, struct peri_call *call,
                           struct peri_slice message) {
  ask(ctx, PERI_ASK_POLICIES, call, message);
}

void peri_control_reload_policies(void *ctx, struct peri_call *call,
                                  struct peri_slice message) {
  ask(ctx, PERI_ASK_RELOAD, call, message);
}

void peri_control_rollback_policy(void *ctx, struct peri_call *call,
                                  struct peri_slice message) {
  ask(ctx, PERI_ASK_ROLLBACK, call, message);
}
