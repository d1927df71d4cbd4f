#include <stdlib.h>

#include "base/container.h"
#include "base/slice.h"
#include "cache/private.h"

static struct peri_cache_group *find(const struct peri_cache_plan *plan,
                                     const char *name) {
  for (size_t i = 0; plan != NULL && i < plan->group_count; i++) {
    if (peri_slice_is(plan->groups[i]->name, name)) {
      return plan->groups[i];
    }
  }
  return NULL;
}

static bool has(const struct peri_cache_plan *plan,
                const struct peri_cache_group *group) {
  for (size_t i = 0; plan != NULL && i < plan->group_count; i++) {
    if (plan->groups[i] == group) {
      return true;
    }
  }
  return false;
}

static void unref(struct peri_cache_group *group) {
  atomic_fetch_sub_explicit(&group->refs, 1, memory_order_release);
}

// Gives its references up: those to groups that `stays` (may be NULL) does not
// have are the last ones of a configuration.
static void release(struct peri_cache_plan *plan,
                    const struct peri_cache_plan *stays) {
  for (size_t i = 0; i < plan->group_count; i++) {
    if (has(stays, plan->groups[i])) {
      unref(plan->groups[i]);
    } else {
      peri_cache_group_retire(plan->cache, plan->groups[i]);
    }
  }
  peri_config_unref(plan->config);
  free(plan);
}

static int add(struct peri_cache_plan *plan,
               const struct peri_config_group *config,
               struct peri_problem *problem) {
  struct peri_cache *cache = plan->cache;
  struct peri_cache_group *group = find(cache->plan, config->name);
  int rc = 0;
  if (group == NULL) {
    rc = peri_cache_group_new(config, cache->metrics, &group);
  } else if (peri_store_shards(group->values) != config->shards) {
    return peri_problem_set(problem, PERI_ECONFIG,
                            "groups.%s.shards: cannot change while it runs",
                            config->name);
  } else {
    atomic_fetch_add_explicit(&group->refs, 1, memory_order_relaxed);
  }
  if (rc < 0) {
    return peri_problem_set(problem, rc, "groups.%s: %s", config->name,
                            peri_error_text(rc));
  }
  plan->groups[plan->group_count++] = group;
  return 0;
}

int peri_cache_plan_new(struct peri_cache *cache, struct peri_config *config,
                        struct peri_cache_plan **ret_plan,
                        struct peri_problem *ret_problem) {
  struct peri_cache_plan *plan =
      calloc(1, sizeof *plan + config->group_count * sizeof *plan->groups);
  if (plan == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  plan->cache = cache;
  plan->config = peri_config_ref(config);
  for (size_t i = 0; i < config->group_count; i++) {
    int rc = add(plan, &config->groups[i], ret_problem);
    if (rc < 0) {
      release(plan, cache->plan);
      return rc;
    }
  }
  *ret_plan = plan;
  return 0;
}

void peri_cache_plan_free(struct peri_cache_plan *plan) {
  if (plan != NULL) {
    release(plan, plan->cache->plan);
  }
}

void peri_cache_adopt(struct peri_cache *cache, struct peri_cache_plan *plan) {
  struct peri_cache_plan *before = cache->plan;
  cache->plan = plan;
  cache->sweep_group = 0;
  cache->sweep_shard = 0;
  for (size_t i = 0; i < plan->group_count; i++) {
    struct peri_cache_group *group = plan->groups[i];
    uint64_t bytes = plan->config->groups[i].bytes;
    if (group->budget_bytes != bytes) {
      group->budget_bytes = bytes;
      peri_store_resize(group->values, bytes);
    }
  }
  if (before != NULL) {
    release(before, plan);
  }
}

int peri_cache_new(struct peri_config *config, struct peri_metrics *metrics,
                   struct peri_cache **ret_cache) {
  struct peri_cache *cache = calloc(1, sizeof *cache);
  if (cache == NULL) {
    return PERI_ENOMEM;
  }
  cache->metrics = metrics;
  peri_list_init(&cache->retired);
  int rc = peri_cache_plan_new(cache, config, &cache->plan, NULL);
  if (rc < 0) {
    peri_cache_free(cache);
    return rc;
  }
  *ret_cache = cache;
  return 0;
}

void peri_cache_free(struct peri_cache *cache) {
  if (cache == NULL) {
    return;
  }
  if (cache->plan != NULL) {
    release(cache->plan, NULL);
  }
  while (!peri_list_empty(&cache->retired)) {
    peri_cache_group_free(PERI_CONTAINER_OF(peri_list_pop(&cache->retired),
                                            struct peri_cache_group, retired));
  }
  free(cache);
}
