#include "registry/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/list.h"
#include "base/log.h"
#include "base/slice.h"
#include "etcd/session.h"
#include "etcd/watch.h"
#include "loop/timer.h"
#include "model/peers.h"
#include "model/snapshot.h"
#include "registry/discovery.h"

enum {
  NS_PER_MS = 1000000,
  MOST_WANTED = 256,
  MOST_NAME_BYTES = 1024,
  EXPIRE_IN = 8,  // of the time after which a service is forgotten
  REST = 9        // of ten parts of the time, nine are not spent on snapshots
};

struct seen {
  struct peri_list node;
  struct peri_discovery *discovery;
  unsigned kept;
  uint64_t wanted_ns;  // last asked for; 0: never
};

struct peri_catalog {
  struct peri_catalog_options options;
  char *prefix, *cluster, *self;
  struct peri_etcd_watches *watches;
  struct peri_list list;
  size_t count;
  size_t wanted;
  struct peri_snapshot *snapshot;
  struct peri_timer *publish;
  struct peri_timer *expire;
  uint64_t rest_until_ns;
  struct peri_log_gate bad_record;
  bool planned;
};

static struct seen *find(const struct peri_catalog *catalog,
                         struct peri_slice service) {
  for (struct peri_list *node = catalog->list.next; node != &catalog->list;
       node = node->next) {
    struct seen *seen = PERI_CONTAINER_OF(node, struct seen, node);
    if (peri_slice_is(service, peri_discovery_service(seen->discovery))) {
      return seen;
    }
  }
  return NULL;
}

static void drop(struct peri_catalog *catalog, struct seen *seen) {
  catalog->count--;
  catalog->wanted -= seen->wanted_ns > 0;
  peri_list_remove(&seen->node);
  peri_discovery_free(seen->discovery);
  free(seen);
}

static void plan(struct peri_catalog *catalog) {
  uint64_t now_ns = peri_clock_mono_ns();
  if (catalog->planned) {
    return;
  }
  catalog->planned = true;
  uint64_t wait_ns =
      catalog->rest_until_ns > now_ns ? catalog->rest_until_ns - now_ns : 0;
  peri_timer_start(catalog->publish, wait_ns / NS_PER_MS, 0);
}

/// Whether the snapshot would say what the last one does.
static bool unchanged(const struct peri_catalog *catalog,
                      struct peri_peers *const *peers, size_t count) {
  if (catalog->snapshot == NULL ||
      peri_snapshot_count(catalog->snapshot) != count) {
    return false;
  }
  for (size_t i = 0; i < count; i++) {
    struct peri_peers *before = peri_snapshot_find(
        catalog->snapshot, peri_slice_of(peri_peers_service(peers[i])));
    if (before != peers[i] &&
        (before == NULL || !peri_peers_equal(before, peers[i]))) {
      return false;
    }
  }
  return true;
}

/// Collects what is known. Returns false when a service that was asked for at
/// first was never read: a snapshot without it would look like one where it is
/// gone. One that may not be read holds the others back only when it is all.
static bool collect(struct peri_catalog *catalog, struct peri_peers **peers,
                    size_t *ret_count) {
  size_t count = 0;
  bool first = catalog->snapshot == NULL, denied = false;
  for (struct peri_list *node = catalog->list.next; node != &catalog->list;
       node = node->next) {
    struct seen *seen = PERI_CONTAINER_OF(node, struct seen, node);
    struct peri_peers *known = peri_discovery_peers(seen->discovery);
    if (known != NULL) {
      peers[count++] = known;
    } else if (first && seen->kept > 0) {
      denied = true;
      if (!peri_discovery_denied(seen->discovery)) {
        return false;
      }
    }
  }
  *ret_count = count;
  return !denied || count > 0;
}

static int make(struct peri_catalog *catalog) {
  struct peri_snapshot *snapshot = NULL;
  size_t count = 0;
  uint64_t version = catalog->snapshot != NULL
                         ? peri_snapshot_version(catalog->snapshot) + 1
                         : 1;
  struct peri_peers **peers =
      calloc(catalog->count + 1, sizeof(struct peri_peers *));
  int rc = peers != NULL ? 0 : PERI_ENOMEM;
  if (rc == 0 && collect(catalog, peers, &count) &&
      !unchanged(catalog, peers, count)) {
    rc = peri_snapshot_new(version, peers, count, &snapshot);
  }
  free(peers);
  if (snapshot != NULL) {
    if (catalog->snapshot != NULL) {
      peri_snapshot_unref(catalog->snapshot);
    }
    catalog->snapshot = snapshot;
    catalog->options.publish(catalog->options.ctx, snapshot);
  }
  return rc;
}

static void on_publish(void *ctx) {
  struct peri_catalog *catalog = ctx;
  uint64_t begun_ns = peri_clock_mono_ns();
  catalog->planned = false;
  int rc = make(catalog);
  uint64_t now_ns = peri_clock_mono_ns();
  catalog->rest_until_ns = now_ns + (now_ns - begun_ns) * REST;
  if (rc < 0) {
    peri_log(PERI_LOG_ERROR, "registry", "no new snapshot: %s",
             peri_error_text(rc));
    catalog->rest_until_ns = now_ns + (uint64_t)NS_PER_MS * 1000;
    plan(catalog);
  }
}

static void on_expire(void *ctx) {
  struct peri_catalog *catalog = ctx;
  struct peri_list *next;
  uint64_t now_ns = peri_clock_mono_ns();
  for (struct peri_list *node = catalog->list.next; node != &catalog->list;
       node = next) {
    struct seen *seen = PERI_CONTAINER_OF(node, struct seen, node);
    next = node->next;
    if (seen->kept == 0 &&
        now_ns - seen->wanted_ns > catalog->options.forget_ms * NS_PER_MS &&
        !peri_discovery_stale(seen->discovery)) {
      drop(catalog, seen);
      plan(catalog);
    }
  }
}

static void on_changed(void *ctx, struct peri_discovery *discovery) {
  (void)discovery;
  plan(ctx);
}

static void on_seen(void *ctx, struct peri_slice key, int64_t lease,
                    int64_t mod_revision) {
  struct peri_catalog *catalog = ctx;
  catalog->options.seen(catalog->options.ctx, key, lease, mod_revision);
}

static void on_loaded(void *ctx, struct peri_discovery *discovery,
                      int64_t revision, bool regressed) {
  struct peri_catalog *catalog = ctx;
  catalog->options.loaded(catalog->options.ctx,
                          peri_slice_of(peri_discovery_service(discovery)),
                          revision, regressed);
}

static void on_trouble(void *ctx, const struct peri_etcd_error *error) {
  struct peri_catalog *catalog = ctx;
  catalog->options.trouble(catalog->options.ctx, error);
}

static int add(struct peri_catalog *catalog, struct peri_slice service,
               struct seen **ret_seen) {
  bool own = peri_slice_is(service, catalog->cluster);
  struct peri_discovery_options options = {
      .etcd = catalog->options.etcd,
      .watches = catalog->watches,
      .metrics = catalog->options.metrics,
      .service = service,
      .prefix = peri_slice_of(catalog->prefix),
      .self_address = peri_slice_of(own ? catalog->self : NULL),
      .hold_ms = catalog->options.hold_ms,
      .audit_ms = catalog->options.audit_ms,
      .bad_record = &catalog->bad_record,
      .changed = on_changed,
      .seen = on_seen,
      .loaded = on_loaded,
      .trouble = on_trouble,
      .ctx = catalog,
  };
  if (service.len == 0 || service.len > MOST_NAME_BYTES ||
      service.ptr[0] == '/' || service.ptr[service.len - 1] == '/' ||
      memchr(service.ptr, '\0', service.len) != NULL) {
    return PERI_EINVAL;
  }
  struct seen *seen = calloc(1, sizeof(*seen));
  if (seen == NULL) {
    return PERI_ENOMEM;
  }
  int rc = peri_discovery_new(&options, &seen->discovery);
  if (rc < 0) {
    free(seen);
    return rc;
  }
  peri_list_push(&catalog->list, &seen->node);
  catalog->count++;
  *ret_seen = seen;
  return 0;
}

int peri_catalog_keep(struct peri_catalog *catalog, struct peri_slice service) {
  struct seen *seen = find(catalog, service);
  int rc = seen != NULL ? 0 : add(catalog, service, &seen);
  if (rc == 0) {
    seen->kept++;
  }
  return rc;
}

void peri_catalog_release(struct peri_catalog *catalog,
                          struct peri_slice service) {
  struct seen *seen = find(catalog, service);
  if (seen == NULL || seen->kept == 0) {
    return;
  }
  seen->kept--;
  if (seen->kept == 0 && seen->wanted_ns == 0) {
    drop(catalog, seen);
    plan(catalog);
  }
}

/// Makes room by dropping the name that is wanted longest and turned out to be
/// nobody's. Returns whether there was one.
static bool make_room(struct peri_catalog *catalog) {
  struct seen *oldest = NULL;
  for (struct peri_list *node = catalog->list.next; node != &catalog->list;
       node = node->next) {
    struct seen *seen = PERI_CONTAINER_OF(node, struct seen, node);
    struct peri_peers *peers = seen->kept == 0 && seen->wanted_ns > 0
                                   ? peri_discovery_peers(seen->discovery)
                                   : NULL;
    if (peers != NULL && peri_peers_count(peers) == 0 &&
        (oldest == NULL || seen->wanted_ns < oldest->wanted_ns)) {
      oldest = seen;
    }
  }
  if (oldest != NULL) {
    drop(catalog, oldest);
    plan(catalog);
  }
  return oldest != NULL;
}

int peri_catalog_want(struct peri_catalog *catalog, struct peri_slice service) {
  struct seen *seen = find(catalog, service);
  if ((seen == NULL || seen->wanted_ns == 0) &&
      catalog->wanted == MOST_WANTED && !make_room(catalog)) {
    // One that is kept is seen without a place among these.
    return seen != NULL ? 0 : PERI_ELIMIT;
  }
  int rc = seen != NULL ? 0 : add(catalog, service, &seen);
  if (rc == 0) {
    catalog->wanted += seen->wanted_ns == 0;
    seen->wanted_ns = peri_clock_mono_ns();
  }
  return rc;
}

int peri_catalog_new(const struct peri_catalog_options *options,
                     struct peri_catalog **ret_catalog) {
  struct peri_catalog *catalog = calloc(1, sizeof(*catalog));
  if (catalog == NULL) {
    return PERI_ENOMEM;
  }
  struct peri_loop *loop = peri_etcd_loop(options->etcd);
  catalog->options = *options;
  peri_list_init(&catalog->list);
  catalog->prefix = peri_slice_dup(options->prefix);
  catalog->cluster = peri_slice_dup(options->cluster);
  catalog->self = peri_slice_dup(options->self_address);
  int rc = PERI_ENOMEM;
  if (catalog->prefix != NULL && catalog->cluster != NULL &&
      catalog->self != NULL) {
    rc = peri_etcd_watches_new(options->etcd, &catalog->watches);
  }
  if (rc == 0) {
    rc = peri_timer_new(loop, on_publish, catalog, &catalog->publish);
  }
  if (rc == 0) {
    rc = peri_timer_new(loop, on_expire, catalog, &catalog->expire);
  }
  if (rc < 0) {
    peri_catalog_free(catalog);
    return rc;
  }
  uint64_t every_ms = options->forget_ms / EXPIRE_IN;
  peri_timer_start(catalog->expire, every_ms, every_ms);
  *ret_catalog = catalog;
  return 0;
}

void peri_catalog_free(struct peri_catalog *catalog) {
  if (catalog == NULL) {
    return;
  }
  struct peri_list *node;
  while ((node = peri_list_pop(&catalog->list)) != NULL) {
    drop(catalog, PERI_CONTAINER_OF(node, struct seen, node));
  }
  peri_etcd_watches_free(catalog->watches);
  peri_timer_free(catalog->publish);
  peri_timer_free(catalog->expire);
  if (catalog->snapshot != NULL) {
    peri_snapshot_unref(catalog->snapshot);
  }
  free(catalog->prefix);
  free(catalog->cluster);
  free(catalog->self);
  free(catalog);
}

struct peri_snapshot *peri_catalog_snapshot(
    const struct peri_catalog *catalog) {
  return catalog->snapshot;
}

size_t peri_catalog_endpoints(const struct peri_catalog *catalog) {
  size_t endpoints = 0;
  for (size_t i = 0;
       catalog->snapshot != NULL && i < peri_snapshot_count(catalog->snapshot);
       i++) {
    endpoints += peri_peers_count(peri_snapshot_at(catalog->snapshot, i));
  }
  return endpoints;
}

bool peri_catalog_has(const struct peri_catalog *catalog, struct peri_slice key,
                      int64_t *ret_lease, int64_t *ret_mod_revision) {
  for (struct peri_list *node = catalog->list.next; node != &catalog->list;
       node = node->next) {
    struct seen *seen = PERI_CONTAINER_OF(node, struct seen, node);
    if (peri_discovery_has(seen->discovery, key, ret_lease, ret_mod_revision)) {
      return true;
    }
  }
  return false;
}

size_t peri_catalog_count(const struct peri_catalog *catalog) {
  return catalog->count;
}

void peri_catalog_status(const struct peri_catalog *catalog, size_t index,
                         struct peri_service_status *ret_status) {
  struct peri_list *node = catalog->list.next;
  for (size_t i = 0; i < index; i++) {
    node = node->next;
  }
  const struct seen *seen = PERI_CONTAINER_OF(node, struct seen, node);
  peri_discovery_status(seen->discovery, ret_status);
  ret_status->kept = seen->kept > 0;
}
