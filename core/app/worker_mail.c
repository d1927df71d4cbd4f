#include <stdlib.h>
#include <unistd.h>

#include "app/worker_private.h"
#include "base/container.h"
#include "base/log.h"
#include "base/slice.h"
#include "cache/cache.h"
#include "h2/server.h"
#include "model/snapshot.h"
#include "proxy/proxy.h"

/// Something on its way to a worker.
struct parcel {
  struct peri_message message;
  struct peri_worker *worker;
  struct peri_snapshot *snapshot;
  enum peri_side side;
  int fd;
};

static void run_adopt(struct peri_message *message) {
  struct parcel *parcel = PERI_CONTAINER_OF(message, struct parcel, message);
  struct peri_worker *worker = parcel->worker;
  struct peri_door *door = &worker->doors[parcel->side];
  int rc = PERI_ECLOSED;
  if (door->draining || door->server == NULL) {
    close(parcel->fd);
  } else {
    rc = peri_h2_server_adopt(door->server, parcel->fd);
  }
  if (rc < 0) {
    peri_worker_conn_closed(door);
  }
  free(parcel);
}

static int post(struct peri_worker *worker, struct parcel *parcel) {
  parcel->worker = worker;
  int rc = peri_mailbox_post(worker->mailbox, &parcel->message);
  if (rc < 0) {
    free(parcel);
  }
  return rc;
}

int peri_worker_adopt(struct peri_worker *worker, enum peri_side side, int fd) {
  struct parcel *parcel = calloc(1, sizeof(*parcel));
  if (parcel == NULL) {
    return PERI_ENOMEM;
  }
  parcel->message.run = run_adopt;
  parcel->side = side;
  parcel->fd = fd;
  struct peri_door *door = &worker->doors[side];
  atomic_fetch_add_explicit(&door->conns, 1, memory_order_relaxed);
  int rc = post(worker, parcel);
  if (rc < 0) {
    peri_worker_conn_closed(door);
  }
  return rc;
}

/// A service that the application provides, on its way to a worker.
struct provision {
  struct peri_message message;
  struct peri_worker *worker;
  char *service;
  char *address;
};

static void discard(struct provision *provision) {
  free(provision->service);
  free(provision->address);
  free(provision);
}

static void run_provide(struct peri_message *message) {
  struct provision *provision =
      PERI_CONTAINER_OF(message, struct provision, message);
  struct peri_worker *worker = provision->worker;
  int rc =
      worker->proxy != NULL
          ? peri_proxy_provide(worker->proxy, peri_slice_of(provision->service),
                               peri_slice_of(provision->address))
          : 0;
  if (rc < 0) {
    peri_log(PERI_LOG_ERROR, "app", "calls for %s are not taken: %s",
             provision->service, peri_error_text(rc));
  }
  discard(provision);
}

int peri_worker_provide(struct peri_worker *worker, struct peri_slice service,
                        struct peri_slice address) {
  struct provision *provision = calloc(1, sizeof(*provision));
  if (provision == NULL) {
    return PERI_ENOMEM;
  }
  provision->message.run = run_provide;
  provision->worker = worker;
  provision->service = peri_slice_dup(service);
  provision->address = peri_slice_dup(address);
  int rc = PERI_ENOMEM;
  if (provision->service != NULL && provision->address != NULL) {
    rc = peri_mailbox_post(worker->mailbox, &provision->message);
  }
  if (rc < 0) {
    discard(provision);
  }
  return rc;
}

static void run_publish(struct peri_message *message) {
  struct parcel *parcel = PERI_CONTAINER_OF(message, struct parcel, message);
  struct peri_worker *worker = parcel->worker;
  if (worker->control.snapshot != NULL) {
    peri_snapshot_unref(worker->control.snapshot);
  }
  worker->control.snapshot = parcel->snapshot;
  if (worker->cache != NULL) {
    peri_cache_worker_adopt(worker->cache, parcel->snapshot);
    peri_proxy_adopt(worker->proxy, parcel->snapshot);
  }
  free(parcel);
}

int peri_worker_publish(struct peri_worker *worker,
                        struct peri_snapshot *snapshot) {
  struct parcel *parcel = calloc(1, sizeof(*parcel));
  if (parcel == NULL) {
    return PERI_ENOMEM;
  }
  parcel->message.run = run_publish;
  parcel->snapshot = peri_snapshot_ref(snapshot);
  int rc = post(worker, parcel);
  if (rc < 0) {
    peri_snapshot_unref(snapshot);
  }
  return rc;
}
