#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/slice.h"
#include "cache/private.h"

enum { MAX_LABELS = 512 };

int64_t peri_cache_expire_ns(int64_t ttl_ns) {
  int64_t now_ns = peri_clock_unix_ns();
  if (ttl_ns <= 0) {
    return 0;
  }
  return ttl_ns > INT64_MAX - now_ns ? 0 : now_ns + ttl_ns;
}

struct peri_cache_group *peri_cache_group(struct peri_cache *cache,
                                          struct peri_slice name) {
  for (size_t i = 0; i < cache->group_count; i++) {
    if (peri_slice_equal(cache->groups[i].name, name)) {
      return &cache->groups[i];
    }
  }
  return NULL;
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

static int init_group(struct peri_cache_group *group,
                      const struct peri_config_group *config,
                      struct peri_metrics *metrics) {
  const struct peri_store_options values = {.shards = config->shards,
                                            .budget_bytes = config->bytes};
  const struct peri_store_options forwards = {.shards = config->shards};
  group->config = config;
  group->name = peri_slice_of(config->name);
  int rc = peri_store_new(&values, &group->values);
  if (rc == 0) {
    rc = peri_store_new(&forwards, &group->forwards);
  }
  if (rc == 0) {
    get_metrics(group, metrics);
    load_metrics(group, metrics);
    store_metrics(group, metrics);
  }
  return rc;
}

int peri_cache_new(struct peri_config *config, struct peri_metrics *metrics,
                   struct peri_cache **ret_cache) {
  struct peri_cache *cache = calloc(1, sizeof *cache);
  int rc = PERI_ENOMEM;
  if (cache == NULL) {
    return rc;
  }
  cache->config = peri_config_ref(config);
  cache->groups = calloc(config->group_count + 1, sizeof *cache->groups);
  if (cache->groups == NULL) {
    goto fail;
  }
  for (size_t i = 0; i < config->group_count; i++) {
    cache->group_count++;
    rc = init_group(&cache->groups[i], &config->groups[i], metrics);
    if (rc < 0) {
      goto fail;
    }
  }
  *ret_cache = cache;
  return 0;

fail:
  peri_cache_free(cache);
  return rc;
}

void peri_cache_free(struct peri_cache *cache) {
  if (cache == NULL) {
    return;
  }
  for (size_t i = 0; i < cache->group_count; i++) {
    peri_store_free(cache->groups[i].values);
    peri_store_free(cache->groups[i].forwards);
  }
  free(cache->groups);
  peri_config_unref(cache->config);
  free(cache);
}

static void measure(struct peri_cache_group *group) {
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

void peri_cache_measure(struct peri_cache *cache) {
  for (size_t i = 0; i < cache->group_count; i++) {
    measure(&cache->groups[i]);
  }
}

size_t peri_cache_sweep(struct peri_cache *cache) {
  if (cache->group_count == 0) {
    return 0;
  }
  struct peri_cache_group *group = &cache->groups[cache->sweep_group];
  size_t removed =
      peri_store_sweep(group->values, cache->sweep_shard,
                       PERI_CACHE_SWEEP_ENTRIES, peri_clock_unix_ns());
  cache->sweep_shard++;
  if (cache->sweep_shard >= peri_store_shards(group->values)) {
    measure(group);
    cache->sweep_shard = 0;
    cache->sweep_group = (cache->sweep_group + 1) % cache->group_count;
  }
  return removed;
}
