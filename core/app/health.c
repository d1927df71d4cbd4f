#include "app/health.h"

#include <health.pb-c.h>
#include <stdlib.h>

#include "app/reply.h"
#include "base/container.h"
#include "base/list.h"
#include "base/proto.h"
#include "base/slice.h"
#include "base/status.h"
#include "h2/call.h"

enum { MOST_WATCHERS = 1000 };

typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving_status;

struct peri_health {
  struct peri_list watchers;
  size_t count;
  bool draining;
};

struct watcher {
  struct peri_list link;
  struct peri_health *health;
  struct peri_call *call;
  bool known;
};

struct peri_health *peri_health_new(void) {
  struct peri_health *health = calloc(1, sizeof(*health));
  if (health != NULL) {
    peri_list_init(&health->watchers);
  }
  return health;
}

static bool read_service(struct peri_slice message, bool *ret_known) {
  Grpc__Health__V1__HealthCheckRequest *request =
      grpc__health__v1__health_check_request__unpack(
          NULL, message.len, (const uint8_t *)message.ptr);
  if (request == NULL) {
    return false;
  }
  struct peri_slice name = peri_proto_slice(request->service);
  *ret_known = name.len == 0 || peri_slice_is(name, "groupcachepb.GroupCache");
  grpc__health__v1__health_check_request__free_unpacked(request, NULL);
  return true;
}

static serving_status status_of(const struct peri_health *health, bool known) {
  if (!known) {
    return GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
  }
  return health->draining
             ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
             : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
}

void peri_health_check(void *ctx, struct peri_call *call,
                       struct peri_slice message) {
  struct peri_health *health = ctx;
  bool known;
  if (!read_service(message, &known)) {
    peri_call_finish(call, PERI_STATUS_INVALID_ARGUMENT,
                     "the message is no HealthCheckRequest");
    return;
  }
  if (!known) {
    peri_call_finish(call, PERI_STATUS_NOT_FOUND,
                     "only \"\" and \"groupcachepb.GroupCache\" have a health "
                     "here");
    return;
  }
  Grpc__Health__V1__HealthCheckResponse response =
      GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
  response.status = status_of(health, known);
  peri_reply_message(call, &response.base);
}

static void forget(struct watcher *watcher) {
  peri_list_remove(&watcher->link);
  watcher->health->count--;
  free(watcher);
}

static void left(void *ctx, int code) {
  (void)code;
  forget(ctx);
}

/// Tells a watcher how things are. A reader that is slow gets it later; one
/// that is gone is told to `left`.
static int tell(struct watcher *watcher) {
  Grpc__Health__V1__HealthCheckResponse response =
      GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
  response.status = status_of(watcher->health, watcher->known);
  int rc = peri_reply_send(watcher->call, &response.base);
  return rc == PERI_EBUSY ? 0 : rc;
}

static void end(struct watcher *watcher) {
  struct peri_call *call = watcher->call;
  forget(watcher);
  peri_call_finish(call, PERI_STATUS_UNAVAILABLE, "this sidecar is stopping");
}

void peri_health_watch(void *ctx, struct peri_call *call,
                       struct peri_slice message) {
  struct peri_health *health = ctx;
  bool known;
  if (!read_service(message, &known)) {
    peri_call_finish(call, PERI_STATUS_INVALID_ARGUMENT,
                     "the message is no HealthCheckRequest");
    return;
  }
  struct watcher *watcher =
      health->count < MOST_WATCHERS ? calloc(1, sizeof(*watcher)) : NULL;
  if (watcher == NULL) {
    peri_call_finish(call, PERI_STATUS_RESOURCE_EXHAUSTED,
                     "too many watches of this sidecar's health");
    return;
  }
  watcher->health = health;
  watcher->call = call;
  watcher->known = known;
  peri_list_push(&health->watchers, &watcher->link);
  health->count++;
  peri_call_on_cancel(call, left, watcher);
  if (tell(watcher) == 0 && health->draining) {
    end(watcher);
  }
}

void peri_health_drain(struct peri_health *health) {
  struct peri_list going;
  if (health->draining) {
    return;
  }
  health->draining = true;
  peri_list_init(&going);
  peri_list_splice(&going, &health->watchers);
  while (!peri_list_empty(&going)) {
    struct watcher *watcher =
        PERI_CONTAINER_OF(going.next, struct watcher, link);
    // Taken out first: sending must find no list that changes under it.
    peri_list_remove(&watcher->link);
    peri_list_push(&health->watchers, &watcher->link);
    if (tell(watcher) == 0) {
      end(watcher);
    }
  }
}

void peri_health_free(struct peri_health *health) {
  free(health);
}
