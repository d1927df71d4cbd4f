#include "model/config_parts.h"

enum { MAX_OPEN = 65536, MAX_FAILURES = 256, LEAST_INSTRUCTIONS = 1000 };

static const int64_t MOST_INSTRUCTIONS = 10000000000;
static const uint64_t LEAST_MEMORY = UINT64_C(256) << 10;
static const uint64_t MOST_MEMORY = UINT64_C(4) << 30;
static const int64_t LEAST_NS = 10000;
static const int64_t MOST_NS = 10000000000;

void peri_config_policies_defaults(struct peri_config_policies *policies) {
  *policies = (struct peri_config_policies){.pick_ns = 1000000,
                                            .update_ns = 5000000,
                                            .fetch_ns = 5000000,
                                            .load_ns = 20000000,
                                            .instructions = 500000,
                                            .memory_bytes = 8 << 20,
                                            .requests = 2048,
                                            .timers = 2048,
                                            .coroutines = 256,
                                            .failures = 10,
                                            .window_ms = 10000,
                                            .pause_ms = 30000};
}

static int read_times(const struct peri_config_node *node,
                      struct peri_config_policies *to) {
  const struct {
    const char *key;
    uint64_t *value;
  } times[] = {{"pick", &to->pick_ns},
               {"update", &to->update_ns},
               {"fetch", &to->fetch_ns},
               {"load", &to->load_ns}};

  for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
    struct peri_config_node child;
    int64_t ns = (int64_t)*times[i].value;
    int rc = peri_config_duration(node, times[i].key, false, &ns);
    if (rc < 0) {
      return rc;
    }
    if ((ns < LEAST_NS || ns > MOST_NS) &&
        peri_config_member(node, times[i].key, &child)) {
      return peri_config_fail(&child, "must be 10us to 10s");
    }
    *times[i].value = (uint64_t)ns;
  }
  return 0;
}

static int read_counts(const struct peri_config_node *node,
                       struct peri_config_policies *to) {
  const struct {
    const char *key;
    uint32_t *value;
    int64_t min, max;
  } counts[] = {{"requests", &to->requests, 0, MAX_OPEN},
                {"timers", &to->timers, 0, MAX_OPEN},
                {"coroutines", &to->coroutines, 0, MAX_OPEN},
                {"failures", &to->failures, 1, MAX_FAILURES}};
  int64_t instructions = (int64_t)to->instructions;

  int rc = peri_config_integer(node, "instructions", LEAST_INSTRUCTIONS,
                               MOST_INSTRUCTIONS, &instructions);
  to->instructions = (uint64_t)instructions;
  for (size_t i = 0; rc == 0 && i < sizeof counts / sizeof *counts; i++) {
    int64_t count = *counts[i].value;
    rc = peri_config_integer(node, counts[i].key, counts[i].min, counts[i].max,
                             &count);
    *counts[i].value = (uint32_t)count;
  }
  return rc;
}

static int read_limits(const struct peri_config_node *policies,
                       struct peri_config_policies *to) {
  static const char *const keys[] = {
      "pick",     "update", "fetch",      "load",     "instructions", "memory",
      "requests", "timers", "coroutines", "failures", "window",       "pause"};
  struct peri_config_node node;

  if (!peri_config_member(policies, "limits", &node)) {
    return 0;
  }
  int rc = peri_config_expect(&node, keys, sizeof keys / sizeof *keys, NULL, 0);
  if (rc == 0) {
    rc = read_times(&node, to);
  }
  if (rc == 0) {
    rc = read_counts(&node, to);
  }
  if (rc == 0) {
    rc = peri_config_size(&node, "memory", LEAST_MEMORY, MOST_MEMORY,
                          &to->memory_bytes);
  }
  if (rc == 0) {
    rc = peri_config_duration_ms(&node, "window", false, &to->window_ms);
  }
  if (rc == 0) {
    rc = peri_config_duration_ms(&node, "pause", false, &to->pause_ms);
  }
  return rc;
}

int peri_config_read_policies(const struct peri_config_node *root,
                              struct peri_config *config) {
  static const char *const keys[] = {"path", "limits"};
  struct peri_config_node node;

  if (!peri_config_member(root, "policies", &node)) {
    return 0;
  }
  int rc = peri_config_expect(&node, keys, sizeof keys / sizeof *keys, NULL, 0);
  if (rc == 0) {
    rc = peri_config_paths(&node, "path", &config->policy_paths,
                           &config->policy_path_count);
  }
  if (rc == 0) {
    rc = read_limits(&node, &config->policies);
  }
  return rc;
}
