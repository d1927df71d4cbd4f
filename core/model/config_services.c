#include <string.h>

#include "base/slice.h"
#include "model/config_parts.h"

enum { MAX_NAME_BYTES = 200 };

int peri_config_service_name(const struct peri_config_node *node,
                             const char **ret_name) {
  const char *text = "";
  int rc = peri_config_text(node, &text);
  if (rc < 0) {
    return rc;
  }
  size_t len = strlen(text);
  if (len > MAX_NAME_BYTES) {
    return peri_config_fail(node, "a service's name has at most %d bytes",
                            (int)MAX_NAME_BYTES);
  }
  if (text[0] == '/' || text[len - 1] == '/') {
    return peri_config_fail(node, "must not begin or end with '/'");
  }
  *ret_name = text;
  return 0;
}

static int copy_member(void *ctx, const char *key,
                       const struct peri_json *value) {
  // Counting a reference does not change what the value says.
  return peri_json_set(ctx, key,
                       peri_json_ref((struct peri_json *)(uintptr_t)value));
}

// `protocol` is one of the metadata, where a record of etcd has it too.
static int add_protocol(const struct peri_config_node *node,
                        struct peri_config_endpoint *endpoint) {
  struct peri_config_node protocol;
  const char *text = NULL;
  if (!peri_config_member(node, "protocol", &protocol)) {
    return 0;
  }
  int rc = peri_config_text(&protocol, &text);
  if (rc < 0) {
    return rc;
  }
  if (strcmp(text, "perigee") != 0 && strcmp(text, "grpc") != 0) {
    return peri_config_fail(&protocol,
                            "must be \"perigee\" (a sidecar) or \"grpc\"");
  }
  if (peri_json_get(endpoint->metadata, "protocol") != NULL) {
    return peri_config_fail(&protocol, "is given in metadata already");
  }
  struct peri_json *metadata = peri_json_object();
  if (metadata == NULL) {
    return PERI_ENOMEM;
  }
  rc = peri_json_type(endpoint->metadata) == PERI_JSON_OBJECT
           ? peri_json_each(endpoint->metadata, copy_member, metadata)
           : 0;
  if (rc == 0) {
    rc = peri_json_set(
        metadata, "protocol",
        peri_json_ref((struct peri_json *)(uintptr_t)protocol.json));
  }
  if (rc < 0) {
    peri_json_unref(metadata);
    return rc;
  }
  endpoint->metadata = metadata;
  return peri_json_append(node->reader->kept, metadata);
}

int peri_config_read_endpoint(const struct peri_config_node *node,
                              struct peri_config_endpoint *endpoint) {
  static const char *const keys[] = {"address", "weight", "zone", "protocol",
                                     "metadata"};
  int64_t weight = 1;
  struct peri_config_node metadata;
  *endpoint = (struct peri_config_endpoint){.zone = "", .weight = 1};
  int rc = peri_config_expect(node, keys, sizeof keys / sizeof *keys, NULL, 0);
  if (rc == 0) {
    rc = peri_config_address(node, "address", true, &endpoint->address);
  }
  if (rc == 0 && endpoint->address == NULL) {
    rc = peri_config_fail(node, "an endpoint needs an address");
  }
  if (rc == 0) {
    rc = peri_config_string(node, "zone", &endpoint->zone);
  }
  if (rc == 0) {
    rc = peri_config_integer(node, "weight", 1, PERI_CONFIG_MOST_WEIGHT,
                             &weight);
  }
  endpoint->weight = (uint32_t)weight;
  if (rc == 0 && peri_config_member(node, "metadata", &metadata)) {
    size_t count;
    rc =
        peri_config_named(&metadata, "must be a table with named keys", &count);
    // Owned by the tree, which the configuration keeps; only ever counted.
    endpoint->metadata = (struct peri_json *)(uintptr_t)metadata.json;
  }
  return rc == 0 ? add_protocol(node, endpoint) : rc;
}

int peri_config_check_endpoint(const struct peri_config_node *node,
                               const struct peri_config_endpoint *endpoints,
                               size_t index) {
  for (size_t i = 0; i < index; i++) {
    if (strcmp(endpoints[i].address, endpoints[index].address) == 0) {
      return peri_config_fail(node, "\"%.64s\" is listed twice",
                              endpoints[index].address);
    }
  }
  return 0;
}

struct services {
  const struct peri_config_node *node;
  struct peri_config_service *services;
  size_t count;
};

static int visit_service(void *ctx, const char *name,
                         const struct peri_json *value) {
  struct services *into = ctx;
  struct peri_config_service *service = &into->services[into->count];
  struct peri_config_node list = {.reader = into->node->reader,
                                  .parent = into->node,
                                  .key = name,
                                  .json = value};
  size_t count = 0;
  int rc = peri_config_list(&list, &count);
  if (rc < 0) {
    return rc;
  }
  struct peri_config_endpoint *endpoints =
      peri_arena_alloc(list.reader->arena, (count + 1) * sizeof *endpoints);
  service->name = peri_arena_copy(list.reader->arena, peri_slice_of(name));
  if (endpoints == NULL || service->name == NULL) {
    return PERI_ENOMEM;
  }
  for (size_t i = 0; rc == 0 && i < count; i++) {
    struct peri_config_node node = peri_config_element(&list, i);
    rc = peri_config_read_endpoint(&node, &endpoints[i]);
    if (rc == 0) {
      rc = peri_config_check_endpoint(&node, endpoints, i);
    }
  }
  service->endpoints = endpoints;
  service->endpoint_count = count;
  into->count++;
  return rc;
}

static int read_services(const struct peri_config_node *registry,
                         struct peri_config *config) {
  struct peri_config_node node;
  size_t count;
  if (!peri_config_member(registry, "services", &node)) {
    return 0;
  }
  int rc =
      peri_config_named(&node, "must be a table of services by name", &count);
  if (rc < 0 || count == 0) {
    return rc;
  }
  struct services into = {.node = &node};
  into.services =
      peri_arena_alloc(node.reader->arena, count * sizeof *into.services);
  if (into.services == NULL) {
    return PERI_ENOMEM;
  }
  rc = peri_json_each(node.json, visit_service, &into);
  config->services = into.services;
  config->service_count = into.count;
  return rc;
}

static int read_kind(const struct peri_config_node *registry,
                     struct peri_config *config) {
  struct peri_config_node kind;
  int rc = peri_config_string(registry, "kind", &config->registry_kind);
  if (rc == 0 && peri_config_member(registry, "kind", &kind) &&
      strcmp(config->registry_kind, "etcd") != 0 &&
      strcmp(config->registry_kind, "static") != 0) {
    return peri_config_fail(&kind, "must be \"static\" or \"etcd\"");
  }
  return rc;
}

static int expect_static(const struct peri_config_node *registry) {
  static const char *const keys[] = {"kind", "services"};
  static const char words[] = "belongs to a registry of kind \"etcd\"";
  static const struct peri_config_unsupported etcd_only[] = {
      {"endpoints", words}, {"ttl", words},         {"prefix", words},
      {"user", words},      {"password", words},    {"ca", words},
      {"key", words},       {"certificate", words}, {"server_name", words},
      {"timeout", words},   {"propagation", words}, {"audit", words},
      {"forget", words}};
  return peri_config_expect(registry, keys, sizeof keys / sizeof *keys,
                            etcd_only, sizeof etcd_only / sizeof *etcd_only);
}

static int expect_etcd(const struct peri_config_node *registry) {
  static const char *const keys[] = {
      "kind",     "endpoints",   "ttl",         "prefix", "user",
      "password", "ca",          "certificate", "key",    "server_name",
      "timeout",  "propagation", "audit",       "forget"};
  static const struct peri_config_unsupported static_only[] = {
      {"services", "belongs to a registry of kind \"static\""}};
  return peri_config_expect(registry, keys, sizeof keys / sizeof *keys,
                            static_only, 1);
}

int peri_config_read_registry(const struct peri_config_node *root,
                              struct peri_config *config) {
  struct peri_config_node node;
  if (!peri_config_member(root, "registry", &node)) {
    return 0;
  }
  int rc = read_kind(&node, config);
  if (rc < 0) {
    return rc;
  }
  if (strcmp(config->registry_kind, "etcd") == 0) {
    rc = expect_etcd(&node);
    return rc == 0 ? peri_config_read_etcd(&node, config) : rc;
  }
  rc = expect_static(&node);
  return rc == 0 ? read_services(&node, config) : rc;
}
