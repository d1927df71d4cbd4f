#include <string.h>

#include "base/slice.h"
#include "model/config_parts.h"

static int read_service(const struct peri_config_node *node,
                        const struct peri_config *config,
                        const char **ret_service) {
  struct peri_config_node child;
  const char *text = "";
  if (!peri_config_member(node, "service", &child)) {
    return peri_config_fail(node, "what is provided needs a service");
  }
  int rc = peri_config_service_name(&child, &text);
  if (rc == 0 && strcmp(text, config->cluster) == 0) {
    rc = peri_config_fail(&child,
                          "\"%.64s\" is the cluster, which every sidecar "
                          "joins by itself",
                          text);
  }
  if (rc == 0) {
    *ret_service = text;
  }
  return rc;
}

static int read_health(const struct peri_config_node *node,
                       const char **ret_health) {
  static const char *const kinds[] = {"grpc", "tcp", "none"};
  struct peri_config_node child;
  const char *text = NULL;
  if (!peri_config_member(node, "health", &child)) {
    return 0;
  }
  int rc = peri_config_text(&child, &text);
  for (size_t i = 0; rc == 0 && i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(text, kinds[i]) == 0) {
      *ret_health = kinds[i];
      return 0;
    }
  }
  return rc < 0 ? rc
                : peri_config_fail(&child,
                                   "must be \"grpc\", \"tcp\" or \"none\"");
}

// What has a key of its own in a record is not said twice.
static int check_metadata(void *ctx, const char *key,
                          const struct peri_json *value) {
  const struct peri_config_node *metadata = ctx;
  struct peri_config_node child = {.reader = metadata->reader,
                                   .parent = metadata,
                                   .key = key,
                                   .json = value};
  if (strcmp(key, "weight") == 0 || strcmp(key, "version") == 0) {
    return peri_config_fail(&child, "stands beside metadata, not in it");
  }
  if (strcmp(key, "zone") == 0) {
    return peri_config_fail(&child, "comes from node.zone");
  }
  return 0;
}

static int read_metadata(const struct peri_config_node *node,
                         struct peri_json **ret_metadata) {
  struct peri_config_node child;
  if (!peri_config_member(node, "metadata", &child)) {
    return 0;
  }
  size_t count;
  int rc = peri_config_named(&child, "must be a table with named keys", &count);
  if (rc < 0 || count == 0) {
    return rc;
  }
  rc = peri_json_each(child.json, check_metadata, &child);
  if (rc == 0) {
    // Owned by the tree, which the configuration keeps; only ever counted.
    *ret_metadata = (struct peri_json *)(uintptr_t)child.json;
  }
  return rc;
}

static int read_provide(const struct peri_config_node *node,
                        const struct peri_config *config,
                        struct peri_config_provide *provide) {
  static const char *const keys[] = {"service", "address", "weight",
                                     "version", "health",  "metadata"};
  int64_t weight = config->node_weight;
  *provide = (struct peri_config_provide){.version = "", .health = "tcp"};
  int rc = peri_config_expect(node, keys, sizeof keys / sizeof *keys, NULL, 0);
  if (rc == 0) {
    rc = read_service(node, config, &provide->service);
  }
  if (rc == 0) {
    rc = peri_config_address(node, "address", true, &provide->address);
  }
  if (rc == 0 && provide->address == NULL) {
    rc = peri_config_fail(
        node,
        "what is provided needs an address: where the application "
        "listens");
  }
  if (rc == 0) {
    rc = peri_config_integer(node, "weight", 1, PERI_CONFIG_MOST_WEIGHT,
                             &weight);
  }
  provide->weight = (uint32_t)weight;
  if (rc == 0) {
    rc = peri_config_string(node, "version", &provide->version);
  }
  if (rc == 0) {
    rc = read_health(node, &provide->health);
  }
  return rc == 0 ? read_metadata(node, &provide->metadata) : rc;
}

static int check_unique(const struct peri_config_node *node,
                        const struct peri_config_provide *provides,
                        size_t index) {
  for (size_t i = 0; i < index; i++) {
    if (strcmp(provides[i].service, provides[index].service) == 0) {
      return peri_config_fail(node, "\"%.64s\" is provided twice",
                              provides[index].service);
    }
  }
  return 0;
}

int peri_config_read_provides(const struct peri_config_node *root,
                              struct peri_config *config) {
  struct peri_config_node list;
  size_t count = 0;
  if (!peri_config_member(root, "provides", &list)) {
    return 0;
  }
  int rc = peri_config_list(&list, &count);
  if (rc < 0 || count == 0) {
    return rc;
  }
  if (config->listen_mesh == NULL &&
      strcmp(config->registry_kind, "etcd") == 0) {
    return peri_config_fail(&list,
                            "needs a mesh listener, through which others call "
                            "what is provided: set listen.mesh");
  }
  struct peri_config_provide *provides =
      peri_arena_alloc(list.reader->arena, count * sizeof *provides);
  if (provides == NULL) {
    return PERI_ENOMEM;
  }
  for (size_t i = 0; rc == 0 && i < count; i++) {
    struct peri_config_node node = peri_config_element(&list, i);
    rc = read_provide(&node, config, &provides[i]);
    if (rc == 0) {
      rc = check_unique(&node, provides, i);
    }
  }
  config->provides = provides;
  config->provide_count = count;
  return rc;
}
