#include "registry/registration.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/hash.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/slice.h"
#include "etcd/keepalive.h"
#include "etcd/session.h"
#include "loop/timer.h"
#include "registry/registration_private.h"

enum {
  MS_NS = 1000000,
  PAUSE_FIRST_MS = 100,
  PAUSE_LEAST_MS = 20,
  PAUSE_MOST_MS = 2000,
  PAUSE_LATE_MS = 1000,  // when no answer came: the call took its time already
  PAUSE_AWAY_MS = 500,   // when nobody can be connected to
  WINDOW_LEAST_MS = 200,
  WINDOW_MOST_MS = 15000,
  FLEET_PER_S = 800,
  LOG_EVERY_MS = 10000
};

uint32_t peri_registrar_window_ms(const struct peri_registrar *registrar) {
  uint64_t fleet =
      registrar->fleet != NULL ? registrar->fleet(registrar->ctx) : 0;
  uint64_t most = (uint64_t)WINDOW_MOST_MS * FLEET_PER_S / 1000;
  uint64_t ms = (fleet < most ? fleet : most) * 1000 / FLEET_PER_S;
  return ms < WINDOW_LEAST_MS ? WINDOW_LEAST_MS : (uint32_t)ms;
}

void peri_registrar_at(uint64_t *next_ns, uint64_t at_ns) {
  if (at_ns != 0 && (*next_ns == 0 || at_ns < *next_ns)) {
    *next_ns = at_ns;
  }
}

bool peri_retry_blocked(const struct peri_retry *retry) {
  return retry->kind != PERI_ETCD_OK && retry->kind != PERI_ETCD_NO_LEASE &&
         retry->kind != PERI_ETCD_LEASE_EXISTS &&
         peri_etcd_kind_class(retry->kind) == PERI_ETCD_PERMANENT;
}

void peri_retry_reset(struct peri_retry *retry) {
  *retry = (struct peri_retry){0};
}

/// Ends a pause that was made for a failure that may be over, within
/// `window_ms`.
static void hurry(struct peri_registrar *registrar, struct peri_retry *retry,
                  uint64_t now_ns, uint32_t window_ms) {
  if (retry->kind == PERI_ETCD_OK || peri_retry_blocked(retry)) {
    return;
  }
  uint64_t due_ns =
      now_ns + peri_random_below(&registrar->random, window_ms) * MS_NS;
  if (due_ns < retry->due_ns) {
    retry->due_ns = due_ns;
  }
}

static uint64_t pause_ms(struct peri_registrar *registrar,
                         const struct peri_retry *retry) {
  if (peri_retry_blocked(retry)) {
    uint32_t spread = PERI_REGISTRAR_BLOCKED_MS / 10;
    return PERI_REGISTRAR_BLOCKED_MS - spread / 2 +
           peri_random_below(&registrar->random, spread);
  }
  uint32_t most = PAUSE_MOST_MS;
  if (retry->kind == PERI_ETCD_UNREACHABLE ||
      retry->kind == PERI_ETCD_NO_LEADER) {
    most = PAUSE_AWAY_MS;
  } else if (retry->kind == PERI_ETCD_TIMEOUT) {
    most = PAUSE_LATE_MS;
  }
  unsigned doublings = retry->failures < 6 ? retry->failures - 1 : 5;
  uint32_t ms = (uint32_t)PAUSE_FIRST_MS << doublings;
  return PAUSE_LEAST_MS +
         peri_random_below(&registrar->random, ms < most ? ms : most);
}

static void count_failure(struct peri_registrar *registrar, int kind) {
  if (registrar->metrics == NULL) {
    return;
  }
  if (registrar->failures[kind] == NULL) {
    char labels[64];
    snprintf(labels, sizeof(labels), "kind=\"%s\"", peri_etcd_kind_name(kind));
    registrar->failures[kind] = peri_metrics_counter(
        registrar->metrics, "perigee_registration_failures_total",
        "Failed attempts to register, renew or take out.", labels);
  }
  peri_metric_add(registrar->failures[kind], 1);
}

bool peri_registrar_failed(struct peri_registrar *registrar,
                           struct peri_retry *retry, const char *what,
                           const char *key,
                           const struct peri_etcd_error *error) {
  struct peri_etcd_error memory = {.kind = PERI_ETCD_BUSY,
                                   .text = "out of memory"};
  if (error == NULL) {
    error = &memory;
  }
  int kind = error->kind > PERI_ETCD_OK && error->kind < PERI_ETCD_KINDS
                 ? error->kind
                 : PERI_ETCD_GARBAGE;
  uint64_t now = peri_clock_mono_ns(), suppressed = 0;
  retry->kind = kind;
  retry->failures++;
  retry->due_ns = now + pause_ms(registrar, retry) * MS_NS;
  snprintf(retry->text, sizeof(retry->text), "%s", error->text);
  count_failure(registrar, kind);
  if (peri_log_gate_open(&registrar->gates[kind], now, LOG_EVERY_MS,
                         &suppressed)) {
    peri_log(PERI_LOG_WARN, "registry",
             "%s%.200s failed: %s (%s, %" PRIu64 " more since the last line)",
             what, key, error->text, peri_etcd_kind_name(kind), suppressed);
  }
  return peri_retry_blocked(retry);
}

void peri_registrar_wake(struct peri_registrar *registrar) {
  if (!registrar->woken) {
    registrar->woken = true;
    peri_timer_start(registrar->timer, 0, 0);
  }
}

/// Shows how many listings stand, and says when all that should do.
static void show(struct peri_registrar *registrar) {
  size_t placed = 0, wanted = 0;
  struct peri_list *head = &registrar->listings;
  for (struct peri_list *node = head->next; node != head; node = node->next) {
    const struct peri_listing *listing =
        PERI_CONTAINER_OF(node, struct peri_listing, node);
    wanted += peri_listing_wanted(listing);
    placed += peri_listing_state(listing) == PERI_LISTING_REGISTERED;
  }
  if (registrar->registrations != NULL) {
    peri_metric_set(registrar->registrations, (int64_t)placed);
  }
  bool complete = wanted > 0 && placed == wanted;
  uint64_t suppressed = 0;
  if (complete && !registrar->complete &&
      peri_log_gate_open(&registrar->complete_gate, peri_clock_mono_ns(),
                         LOG_EVERY_MS, &suppressed)) {
    peri_log(PERI_LOG_INFO, "registry",
             "registered %zu under lease %016" PRIx64, placed,
             (uint64_t)registrar->lease);
  }
  registrar->complete = complete;
}

static void step(struct peri_registrar *registrar) {
  uint64_t now = peri_clock_mono_ns(), next_ns = 0;
  struct peri_list *head = &registrar->listings;
  bool wanted = false;
  for (struct peri_list *node = head->next; node != head; node = node->next) {
    wanted = wanted || peri_listing_wanted(
                           PERI_CONTAINER_OF(node, struct peri_listing, node));
  }
  peri_tenure_step(registrar, wanted, now, &next_ns);
  for (struct peri_list *node = head->next, *after; node != head;
       node = after) {
    after = node->next;
    peri_listing_step(PERI_CONTAINER_OF(node, struct peri_listing, node), now,
                      &next_ns);
  }
  peri_leave_step(registrar, now, &next_ns);
  show(registrar);
  if (!registrar->woken && next_ns != 0) {
    uint64_t wait_ns = next_ns > now ? next_ns - now : 0;
    peri_timer_start(registrar->timer, (wait_ns + MS_NS - 1) / MS_NS, 0);
  }
}

/// Tells of one listing whose state is another than was told. Returns whether
/// there was one.
static bool tell_change(struct peri_registrar *registrar) {
  struct peri_list *head = &registrar->listings;
  if (registrar->changed == NULL) {
    return false;
  }
  for (struct peri_list *node = head->next; node != head; node = node->next) {
    struct peri_listing *listing =
        PERI_CONTAINER_OF(node, struct peri_listing, node);
    int state = (int)peri_listing_state(listing);
    if (listing->told != state && !listing->removing) {
      listing->told = state;
      peri_registrar_wake(registrar);
      registrar->changed(registrar->ctx, listing);
      return true;
    }
  }
  return false;
}

static void tick(void *ctx) {
  struct peri_registrar *registrar = ctx;
  registrar->woken = false;
  step(registrar);
  if (tell_change(registrar)) {
    return;
  }
  // One callback for each turn, as the last thing: it may free the registrar.
  struct peri_list *node = peri_list_pop(&registrar->removed);
  if (node == NULL) {
    peri_leave_tell(registrar);
    return;
  }
  struct peri_listing *listing =
      PERI_CONTAINER_OF(node, struct peri_listing, node);
  void (*done)(void *, int) = listing->done;
  void *done_ctx = listing->done_ctx;
  int outcome = listing->outcome;
  peri_listing_free(listing);
  peri_registrar_wake(registrar);
  if (done != NULL) {
    done(done_ctx, outcome);
  }
}

static void make_metrics(struct peri_registrar *registrar,
                         struct peri_metrics *metrics) {
  registrar->metrics = metrics;
  if (metrics == NULL) {
    return;
  }
  registrar->registrations = peri_metrics_gauge(
      metrics, "perigee_registrations", "Own records that are in etcd.", NULL);
  registrar->grants =
      peri_metrics_counter(metrics, "perigee_lease_grants_total",
                           "Leases granted to this sidecar.", NULL);
  registrar->conflicts = peri_metrics_counter(
      metrics, "perigee_registration_conflicts_total",
      "Own records overwritten or deleted by somebody else.", NULL);
}

int peri_registrar_new(const struct peri_registrar_options *options,
                       struct peri_registrar **ret_registrar) {
  struct peri_registrar *registrar = calloc(1, sizeof(*registrar));
  if (registrar == NULL) {
    return PERI_ENOMEM;
  }
  registrar->etcd = options->etcd;
  registrar->ttl_s = options->ttl_s > 0 ? options->ttl_s : 1;
  registrar->fleet = options->fleet;
  registrar->changed = options->changed;
  registrar->ctx = options->ctx;
  registrar->random = peri_hash_random_seed();
  peri_list_init(&registrar->listings);
  peri_list_init(&registrar->removed);
  int rc = PERI_ENOMEM;
  registrar->prefix = peri_slice_dup(options->prefix);
  if (registrar->prefix == NULL) {
    goto fail_prefix;
  }
  rc = peri_timer_new(peri_etcd_loop(options->etcd), tick, registrar,
                      &registrar->timer);
  if (rc < 0) {
    goto fail_timer;
  }
  rc = peri_etcd_keeper_new(options->etcd, &registrar->keeper);
  if (rc < 0) {
    goto fail_keeper;
  }
  make_metrics(registrar, options->metrics);
  *ret_registrar = registrar;
  return 0;

fail_keeper:
  peri_timer_free(registrar->timer);
fail_timer:
  free(registrar->prefix);
fail_prefix:
  free(registrar);
  return rc;
}

void peri_registrar_free(struct peri_registrar *registrar) {
  if (registrar == NULL) {
    return;
  }
  peri_leave_done(registrar);
  peri_tenure_done(registrar);
  peri_list_splice(&registrar->listings, &registrar->removed);
  while (!peri_list_empty(&registrar->listings)) {
    peri_listing_free((struct peri_listing *)(void *)registrar->listings.next);
  }
  peri_etcd_keeper_free(registrar->keeper);
  peri_timer_free(registrar->timer);
  free(registrar->prefix);
  free(registrar);
}

/// Makes the copies of a listing. The key gets a NUL, for logs.
static int fill(struct peri_listing *listing, struct peri_slice service,
                const struct peri_record *record) {
  int rc = peri_record_key(peri_slice_of(listing->registrar->prefix), service,
                           record->address, &listing->key);
  if (rc == 0) {
    rc = peri_buffer_add(&listing->key, "", 1);
  }
  if (rc == 0) {
    rc = peri_record_write(record, &listing->value);
  }
  if (rc < 0) {
    return rc;
  }
  listing->service = peri_slice_dup(service);
  listing->address = peri_slice_dup(record->address);
  return listing->service != NULL && listing->address != NULL ? 0 : PERI_ENOMEM;
}

static bool is_taken(const struct peri_registrar *registrar,
                     struct peri_listing *listing) {
  const struct peri_list *head = &registrar->listings;
  bool taken = false;
  for (const struct peri_list *node = head->next; node != head;
       node = node->next) {
    const struct peri_listing *other =
        PERI_CONTAINER_OF(node, struct peri_listing, node);
    if (peri_slice_equal(peri_listing_key(other), peri_listing_key(listing))) {
      listing->behind = true;
      taken = taken || !other->removing;
    }
  }
  return taken;
}

int peri_registrar_add(struct peri_registrar *registrar,
                       struct peri_slice service,
                       const struct peri_record *record, bool on,
                       struct peri_listing **ret_listing) {
  if (registrar->leaving.begun) {
    return PERI_ECLOSED;
  }
  struct peri_listing *listing = calloc(1, sizeof(*listing));
  if (listing == NULL) {
    return PERI_ENOMEM;
  }
  listing->registrar = registrar;
  listing->on = on;
  peri_list_init(&listing->node);
  int rc = fill(listing, service, record);
  if (rc == 0 && is_taken(registrar, listing)) {
    rc = PERI_EEXIST;
  }
  if (rc < 0) {
    peri_listing_free(listing);
    return rc;
  }
  peri_list_push(&registrar->listings, &listing->node);
  peri_registrar_wake(registrar);
  *ret_listing = listing;
  return 0;
}

void peri_registrar_hurry(struct peri_registrar *registrar) {
  uint64_t now = peri_clock_mono_ns();
  uint32_t window_ms = peri_registrar_window_ms(registrar);
  hurry(registrar, &registrar->retry, now, window_ms);
  hurry(registrar, &registrar->batch_retry, now, 1);
  hurry(registrar, &registrar->revoke_retry, now, 1);
  struct peri_list *head = &registrar->listings;
  for (struct peri_list *node = head->next; node != head; node = node->next) {
    struct peri_listing *listing =
        PERI_CONTAINER_OF(node, struct peri_listing, node);
    hurry(registrar, &listing->retry, now, window_ms);
  }
  if (registrar->kept != NULL) {
    peri_etcd_kept_hurry(registrar->kept);
  }
  peri_registrar_wake(registrar);
}

void peri_registrar_regressed(struct peri_registrar *registrar) {
  struct peri_list *head = &registrar->listings;
  for (struct peri_list *node = head->next; node != head; node = node->next) {
    struct peri_listing *listing =
        PERI_CONTAINER_OF(node, struct peri_listing, node);
    listing->known = listing->seen = 0;
    listing->placed = false;
    listing->stale = true;
  }
  peri_registrar_hurry(registrar);
}

int64_t peri_registrar_lease(const struct peri_registrar *registrar) {
  return registrar->lease;
}

int64_t peri_registrar_remaining_ms(const struct peri_registrar *registrar) {
  return registrar->kept != NULL ? peri_etcd_kept_remaining_ms(registrar->kept)
                                 : 0;
}

int peri_registrar_trouble(const struct peri_registrar *registrar) {
  if (registrar->lease == 0 && registrar->retry.kind != PERI_ETCD_OK) {
    return registrar->retry.kind;
  }
  int kind = registrar->keep_kind;
  const struct peri_list *head = &registrar->listings;
  for (const struct peri_list *node = head->next;
       kind == PERI_ETCD_OK && node != head; node = node->next) {
    const struct peri_listing *listing =
        PERI_CONTAINER_OF(node, struct peri_listing, node);
    kind = listing->retry.kind;
  }
  return kind;
}
