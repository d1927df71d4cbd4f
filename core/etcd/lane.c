#include <etcd.pb-c.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/error.h"
#include "etcd/keepalive_private.h"
#include "etcd/private.h"

enum {
  REQUEST_BYTES = 16  // a tag and a 64-bit varint take 11
};

static void unlink_lane(struct peri_keep_lane *lane) {
  struct peri_list *at;
  while ((at = peri_list_pop(&lane->asks)) != NULL) {
    free(PERI_CONTAINER_OF(at, struct peri_keep_ask, node));
  }
  peri_list_remove(&lane->node);
}

void peri_keep_lane_close(struct peri_keep_lane *lane) {
  unlink_lane(lane);
  peri_etcd_stream_close(lane->stream);
  free(lane);
}

void peri_keep_lanes_close(struct peri_etcd_keeper *keeper,
                           const struct peri_keep_lane *winner) {
  struct peri_list *at = keeper->lanes.next;
  while (at != &keeper->lanes) {
    struct peri_keep_lane *lane =
        PERI_CONTAINER_OF(at, struct peri_keep_lane, node);
    at = at->next;
    if (lane != winner) {
      peri_keep_lane_close(lane);
    }
  }
}

struct peri_keep_lane *peri_keep_lane_newest(struct peri_etcd_keeper *keeper) {
  if (peri_list_empty(&keeper->lanes)) {
    return NULL;
  }
  return PERI_CONTAINER_OF(keeper->lanes.prev, struct peri_keep_lane, node);
}

/// Ends a lane whose stream is over or spoke nonsense.
static void fail(struct peri_keep_lane *lane,
                 const struct peri_etcd_error *error) {
  struct peri_etcd_keeper *keeper = lane->keeper;
  bool newest = peri_keep_lane_newest(keeper) == lane;
  bool unanswered = !peri_list_empty(&lane->asks);
  unlink_lane(lane);
  free(lane);
  peri_keeper_failed(keeper, newest, unanswered, error);
}

/// The oldest request for this lease, so that its life is counted from the
/// earliest moment that the answer can stand for.
static struct peri_keep_ask *ask_find(struct peri_keep_lane *lane, int64_t id) {
  for (struct peri_list *at = lane->asks.next; at != &lane->asks;
       at = at->next) {
    struct peri_keep_ask *ask =
        PERI_CONTAINER_OF(at, struct peri_keep_ask, node);
    if (ask->id == id) {
      return ask;
    }
  }
  return NULL;
}

void peri_keep_lane_message(void *ctx, struct peri_slice bytes) {
  struct peri_keep_lane *lane = ctx;
  struct peri_etcd_error error;
  Etcdpb__LeaseKeepAliveResponse *answer =
      (Etcdpb__LeaseKeepAliveResponse *)peri_etcd_unpack(
          &etcdpb__lease_keep_alive_response__descriptor, bytes, &error);
  if (answer == NULL || answer->ttl > PERI_KEEP_MAX_TTL_S) {
    error = (struct peri_etcd_error){
        .kind = PERI_ETCD_GARBAGE,
        .status = -1,
        .text = "the answer to a keepalive is not one",
    };
    if (answer != NULL) {
      etcdpb__lease_keep_alive_response__free_unpacked(answer, NULL);
    }
    peri_etcd_stream_close(lane->stream);
    fail(lane, &error);
    return;
  }

  int64_t ttl_s = answer->ttl;
  struct peri_keep_ask *ask = ask_find(lane, answer->id);
  etcdpb__lease_keep_alive_response__free_unpacked(answer, NULL);
  if (ask == NULL) {
    return;  // nobody asked for this lease
  }
  if (lane->asks.next == &ask->node) {
    // Answers come in order: one out of turn says nothing of the oldest.
    lane->progress_ns = peri_clock_mono_ns();
    lane->late = false;
  }
  peri_keeper_answered(lane, ask, ttl_s);
  peri_list_remove(&ask->node);
  free(ask);
}

static void ended(void *ctx, const struct peri_etcd_error *error) {
  fail(ctx, error);
}

static const struct peri_etcd_stream_events lane_events = {
    .message = peri_keep_lane_message,
    .ended = ended,
};

int peri_keep_lane_open(struct peri_etcd_keeper *keeper, int endpoint) {
  struct peri_keep_lane *lane = calloc(1, sizeof(*lane));
  if (lane == NULL) {
    return PERI_ENOMEM;
  }
  lane->keeper = keeper;
  peri_list_init(&lane->asks);
  int rc =
      peri_etcd_stream_open(keeper->etcd, "/etcdserverpb.Lease/LeaseKeepAlive",
                            endpoint, &lane_events, lane, &lane->stream);
  if (rc < 0) {
    free(lane);
    return rc;
  }

  lane->endpoint = peri_etcd_stream_endpoint(lane->stream);
  lane->progress_ns = peri_clock_mono_ns();
  lane->serial = ++keeper->serial;
  peri_list_push(&keeper->lanes, &lane->node);
  return 0;
}

int peri_keep_lane_ask(struct peri_keep_lane *lane,
                       struct peri_etcd_kept *kept) {
  struct peri_keep_ask *ask = calloc(1, sizeof(*ask));
  if (ask == NULL) {
    return PERI_ENOMEM;
  }
  Etcdpb__LeaseKeepAliveRequest request =
      ETCDPB__LEASE_KEEP_ALIVE_REQUEST__INIT;
  request.id = kept->id;
  uint8_t packed[REQUEST_BYTES];
  size_t len = etcdpb__lease_keep_alive_request__pack(&request, packed);
  ask->kept = kept;
  ask->id = kept->id;
  ask->sent_ns = peri_clock_mono_ns();
  int rc = peri_etcd_stream_send(
      lane->stream, (struct peri_slice){(const char *)packed, len});
  if (rc < 0) {
    free(ask);
    return rc;
  }

  if (peri_list_empty(&lane->asks)) {
    lane->progress_ns = ask->sent_ns;
  }
  peri_list_push(&lane->asks, &ask->node);
  kept->asked = lane->serial;
  return 0;
}

void peri_keep_lanes_forget(struct peri_etcd_keeper *keeper,
                            const struct peri_etcd_kept *kept) {
  for (struct peri_list *at = keeper->lanes.next; at != &keeper->lanes;
       at = at->next) {
    struct peri_keep_lane *lane =
        PERI_CONTAINER_OF(at, struct peri_keep_lane, node);
    for (struct peri_list *on = lane->asks.next; on != &lane->asks;
         on = on->next) {
      struct peri_keep_ask *ask =
          PERI_CONTAINER_OF(on, struct peri_keep_ask, node);
      if (ask->kept == kept) {
        ask->kept = NULL;
      }
    }
  }
}
