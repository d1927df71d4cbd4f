#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/slice.h"
#include "cache/private.h"

enum {
  MAX_LABELS = 512,
  EMPTY_ENTRIES = 4 * PERI_CACHE_SWEEP_ENTRIES  // nobody waits for these locks
};

int64_t peri_cache_expire_ns(int64_t ttl_ns) {
  int64_t now_ns = peri_clock_unix_ns();
  if (ttl_ns <= 0) {
    return 0;
  }
  return ttl_ns > INT64_MAX - now_ns ? 0 : now_ns + ttl_ns;
}

// The labels of a group's series: its name, and one more unless `name` is NULL.
static const char *labels(const struct peri_cache_group *group,
                          const char *name, const char *value,
                          char ret_text[MAX_LABELS]) {
  ret_text[0] = '\0';
  (void)peri_metrics_label(ret_text, MAX_LABELS, "group", group->name);
  if (name != NULL) {
    (void)peri_metrics_label(ret_text, MAX_LABELS, name, peri_slice_of(value));
  }
  return ret_text;
}

static void load_metrics(struct peri_cache_group *group,
                         struct peri_metrics *metrics) {
  static const char *const sources[] = {"origin", "peer", "fallback"};
  static const char *const results[] = {"ok", "not_found", "failed"};
  char text[MAX_LABELS];
  for (int source = 0; source < PERI_CACHE_SOURCES; source++) {
    for (int result = 0; result < PERI_CACHE_RESULTS; result++) {
      (void)labels(group, "source", sources[source], text);
      (void)peri_metrics_label(text, sizeof text, "result",
                               peri_slice_of(results[result]));
      group->loads[source][result] = peri_metrics_counter(
          metrics, "perigee_cache_loads_total",
          "Loads by where they asked (the origin for an owned key, the peer "
          "that owns it, the fallback in place of a failed peer) and result.",
          text);
    }
  }
  group->load_seconds = peri_metrics_histogram(
      metrics, "perigee_cache_load_seconds", "Time that loads took.",
      labels(group, NULL, NULL, text));
}

static void get_metrics(struct peri_cache_group *group,
                        struct peri_metrics *metrics) {
  static const char name[] = "perigee_cache_gets_total";
  static const char help[] =
      "Values asked for, by what the cache had: a value, nothing, or a "
      "remembered not-found.";
  char text[MAX_LABELS];
  group->hits = peri_metrics_counter(metrics, name, help,
                                     labels(group, "result", "hit", text));
  group->misses = peri_metrics_counter(metrics, name, help,
                                       labels(group, "result", "miss", text));
  group->negatives = peri_metrics_counter(
      metrics, name, help, labels(group, "result", "negative", text));
  group->joined =
      peri_metrics_counter(metrics, "perigee_cache_joined_total",
                           "Misses that waited for a load already under way.",
                           labels(group, NULL, NULL, text));
}

static void store_metrics(struct peri_cache_group *group,
                          struct peri_metrics *metrics) {
  char text[MAX_LABELS];
  (void)labels(group, NULL, NULL, text);
  group->entries = peri_metrics_gauge(metrics, "perigee_cache_entries",
                                      "Entries held.", text);
  group->bytes =
      peri_metrics_gauge(metrics, "perigee_cache_bytes",
                         "Bytes charged for the entries held.", text);
  group->evictions = peri_metrics_counter(
      metrics, "perigee_cache_evictions_total",
      "Entries pushed out for room before they expired.", text);
  group->expired =
      peri_metrics_counter(metrics, "perigee_cache_expired_total",
                           "Entries removed because they expired.", text);
  group->oversize =
      peri_metrics_counter(metrics, "perigee_cache_oversize_total",
                           "Values too large to be stored.", text);
}

void peri_cache_group_free(struct peri_cache_group *group) {
  peri_store_free(group->values);
  peri_store_free(group->forwards);
  free(group);
}

int peri_cache_group_new(const struct peri_config_group *config,
                         struct peri_metrics *metrics,
                         struct peri_cache_group **ret_group) {
  const struct peri_store_options values = {.shards = config->shards,
                                            .budget_bytes = config->bytes};
  const struct peri_store_options forwards = {.shards = config->shards};
  size_t len = strlen(config->name);
  struct peri_cache_group *group = calloc(1, sizeof *group + len + 1);
  if (group == NULL) {
    return PERI_ENOMEM;
  }
  atomic_init(&group->refs, 1);
  peri_list_init(&group->retired);
  memcpy(group->text, config->name, len);
  group->name = (struct peri_slice){group->text, len};
  group->budget_bytes = config->bytes;
  int rc = peri_store_new(&values, &group->values);
  if (rc == 0) {
    rc = peri_store_new(&forwards, &group->forwards);
  }
  if (rc < 0) {
    peri_cache_group_free(group);
    return rc;
  }
  get_metrics(group, metrics);
  load_metrics(group, metrics);
  store_metrics(group, metrics);
  *ret_group = group;
  return 0;
}

void peri_cache_group_measure(struct peri_cache_group *group) {
  struct peri_store_stats now;
  peri_store_stats(group->values, &now);
  peri_metric_set(group->entries, (int64_t)now.entries);
  peri_metric_set(group->bytes, (int64_t)now.bytes);
  peri_metric_add(group->evictions,
                  (int64_t)(now.evictions - group->seen.evictions));
  peri_metric_add(group->expired, (int64_t)(now.expired - group->seen.expired));
  peri_metric_add(group->oversize,
                  (int64_t)(now.oversize - group->seen.oversize));
  group->seen = now;
}

void peri_cache_group_retire(struct peri_cache *cache,
                             struct peri_cache_group *group) {
  peri_cache_group_measure(group);
  peri_metric_set(group->entries, 0);
  peri_metric_set(group->bytes, 0);
  // So little that nothing stays, nor is anything more stored.
  peri_store_resize(group->values, 1);
  peri_list_push(&cache->retired, &group->retired);
}

// Empties a slice of a group that is gone. Returns how many entries went.
static size_t empty_some(struct peri_cache *cache) {
  struct peri_list *first = cache->retired.next;
  if (first == &cache->retired) {
    return 0;
  }
  struct peri_cache_group *group =
      PERI_CONTAINER_OF(first, struct peri_cache_group, retired);
  if (group->emptied < peri_store_shards(group->values)) {
    size_t removed = peri_store_trim(group->values, group->emptied,
                                     EMPTY_ENTRIES, peri_clock_unix_ns());
    group->emptied += removed == 0 ? 1 : 0;
    return removed;
  }
  peri_list_remove(first);
  if (atomic_load_explicit(&group->refs, memory_order_acquire) == 1) {
    peri_cache_group_free(group);
    return 1;
  }
  peri_list_push(&cache->retired, first);  // Others are looked at meanwhile.
  return 0;
}

size_t peri_cache_sweep(struct peri_cache *cache) {
  struct peri_cache_plan *plan = cache->plan;
  size_t removed = empty_some(cache);
  if (plan->group_count == 0) {
    return removed;
  }
  struct peri_cache_group *group = plan->groups[cache->sweep_group];
  int64_t now_ns = peri_clock_unix_ns();
  removed += peri_store_trim(group->values, cache->sweep_shard,
                             PERI_CACHE_SWEEP_ENTRIES, now_ns);
  removed += peri_store_sweep(group->values, cache->sweep_shard,
                              PERI_CACHE_SWEEP_ENTRIES, now_ns);
  cache->sweep_shard++;
  if (cache->sweep_shard >= peri_store_shards(group->values)) {
    peri_cache_group_measure(group);
    cache->sweep_shard = 0;
    cache->sweep_group = (cache->sweep_group + 1) % plan->group_count;
  }
  return removed;
}
