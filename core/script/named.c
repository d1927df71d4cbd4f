#include "script/named.h"

#include <string.h>

#include "model/config.h"
#include "model/policy.h"
#include "model/route.h"

struct walk {
  int (*visit)(void *ctx, const char *kind, const struct peri_policy_ref *ref);
  void *ctx;
};

static int show(const struct walk *walk, const char *kind,
                const struct peri_policy_ref *ref) {
  return ref->name ? walk->visit(walk->ctx, kind, ref) : 0;
}

int peri_named_each(const struct peri_config *config,
                    int (*visit)(void *ctx, const char *kind,
                                 const struct peri_policy_ref *ref),
                    void *ctx) {
  struct walk walk = {visit, ctx};

  if (!config) {
    return 0;
  }
  int rc = show(&walk, "balancer", &config->balancer);
  for (size_t i = 0; rc == 0 && i < config->route_count; i++) {
    rc = show(&walk, "balancer", &config->routes[i].balancer);
  }
  for (size_t i = 0; rc == 0 && i < config->group_count; i++) {
    rc = show(&walk, "picker", &config->groups[i].picker);
    if (rc == 0) {
      rc = show(&walk, "fallback", &config->groups[i].fallback);
    }
  }
  return rc;
}

struct sought {
  const char *kind, *name;
  const struct peri_policy_ref *ref;
};

static int is_sought(void *ctx, const char *kind,
                     const struct peri_policy_ref *ref) {
  const struct sought *sought = ctx;

  return strcmp(kind, sought->kind) == 0 &&
         strcmp(ref->name, sought->name) == 0 &&
         (!sought->ref || peri_policy_ref_same(ref, sought->ref));
}

bool peri_named_has(const struct peri_config *config, const char *kind,
                    const char *name, const struct peri_policy_ref *ref) {
  struct sought sought = {kind, name, ref};

  return peri_named_each(config, is_sought, &sought) != 0;
}
