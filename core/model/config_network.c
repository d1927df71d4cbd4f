#include <string.h>

#include "base/address.h"
#include "base/slice.h"
#include "model/config_parts.h"

static const char default_mesh[] = "0.0.0.0:7402";

static int read_node(const struct peri_config_node *root,
                     struct peri_config *config) {
  static const char *const keys[] = {"address", "zone", "weight"};
  struct peri_config_node node;
  int64_t weight = 1;
  if (!peri_config_member(root, "node", &node)) {
    return 0;
  }
  int rc = peri_config_expect(&node, keys, sizeof keys / sizeof *keys, NULL, 0);
  if (rc == 0) {
    rc = peri_config_address(&node, "address", true, &config->node_address);
  }
  if (rc == 0) {
    rc = peri_config_string(&node, "zone", &config->node_zone);
  }
  if (rc == 0) {
    rc = peri_config_integer(&node, "weight", 1, PERI_CONFIG_MOST_WEIGHT,
                             &weight);
  }
  config->node_weight = (uint32_t)weight;
  return rc;
}

// An address, or `false` for no listener.
static int read_listener(const struct peri_config_node *listen, const char *key,
                         const char **ret_address) {
  struct peri_config_node node;
  if (!peri_config_member(listen, key, &node)) {
    return 0;
  }
  if (peri_json_type(node.json) == PERI_JSON_BOOL) {
    if (peri_json_to_bool(node.json)) {
      return peri_config_fail(&node, "must be an address, or false for none");
    }
    *ret_address = NULL;
    return 0;
  }
  return peri_config_address(listen, key, false, ret_address);
}

// Whether the cluster has an endpoint that is not this sidecar.
static bool has_peers(const struct peri_config *config) {
  const struct peri_config_service *cluster =
      peri_config_service(config, peri_slice_of(config->cluster));
  for (size_t i = 0; cluster != NULL && i < cluster->endpoint_count; i++) {
    if (config->node_address == NULL ||
        strcmp(cluster->endpoints[i].address, config->node_address) != 0) {
      return true;
    }
  }
  return false;
}

// Whether others are there, or may come.
static bool is_meshed(const struct peri_config *config) {
  return strcmp(config->registry_kind, "etcd") == 0 || has_peers(config);
}

// What others dial, when the configuration does not say: where the mesh
// listens, if that is one address with one port.
static int settle_node(const struct peri_config_node *root,
                       struct peri_config *config) {
  struct peri_address mesh;
  if (config->node_address != NULL || config->listen_mesh == NULL) {
    return 0;
  }
  if (peri_config_is_wildcard(config->listen_mesh)) {
    struct peri_config_node node = {
        .reader = root->reader, .parent = root, .key = "node"};
    struct peri_config_node address = {
        .reader = root->reader, .parent = &node, .key = "address"};
    if (!is_meshed(config)) {
      return 0;
    }
    return peri_config_fail(&address,
                            "is needed: mesh listens on %s, and peers must "
                            "know which address to dial "
                            "(listen.mesh = false turns it off)",
                            config->listen_mesh);
  }
  int rc = peri_address_parse(peri_slice_of(config->listen_mesh), &mesh);
  if (rc == 0 && (mesh.kind == PERI_ADDRESS_UNIX || mesh.port != 0)) {
    config->node_address = config->listen_mesh;
  }
  return rc;
}

// The listeners whose callers are told why, when they ask.
static int read_explain(const struct peri_config_node *root,
                        struct peri_config *config) {
  struct peri_config_node list;
  size_t count = 0;
  if (!peri_config_member(root, "explain", &list)) {
    return 0;
  }
  int rc = peri_config_list(&list, &count);
  config->explain_app = false;
  for (size_t i = 0; rc == 0 && i < count; i++) {
    struct peri_config_node node = peri_config_element(&list, i);
    const char *name = NULL;
    rc = peri_config_text(&node, &name);
    if (rc < 0) {
      return rc;
    }
    if (strcmp(name, "app") == 0) {
      config->explain_app = true;
    } else if (strcmp(name, "mesh") == 0) {
      config->explain_mesh = true;
    } else {
      rc = peri_config_fail(
          &node, "there are \"app\" and \"mesh\", not \"%.64s\"", name);
    }
  }
  return rc;
}

// Whether no two sockets can listen on both.
static bool clash(const char *one, const char *other) {
  struct peri_address a;
  struct peri_address b;
  if (strcmp(one, other) == 0) {
    return peri_address_parse(peri_slice_of(one), &a) == 0 &&
           (a.kind == PERI_ADDRESS_UNIX || a.port != 0);
  }
  return peri_address_parse(peri_slice_of(one), &a) == 0 &&
         peri_address_parse(peri_slice_of(other), &b) == 0 &&
         a.kind == b.kind && a.port == b.port && a.port != 0 &&
         (peri_config_is_wildcard(one) || peri_config_is_wildcard(other));
}

static int check_listeners(const struct peri_config_node *root,
                           const struct peri_config *config) {
  const char *const keys[] = {"app", "mesh", "admin"};
  const char *const addresses[] = {config->listen_app, config->listen_mesh,
                                   config->listen_admin};
  struct peri_config_node listen = {
      .reader = root->reader, .parent = root, .key = "listen"};
  for (size_t i = 1; i < sizeof keys / sizeof *keys; i++) {
    for (size_t other = 0; other < i; other++) {
      if (addresses[i] == NULL || addresses[other] == NULL ||
          !clash(addresses[i], addresses[other])) {
        continue;
      }
      struct peri_config_node node = {
          .reader = root->reader, .parent = &listen, .key = keys[i]};
      return peri_config_fail(&node,
                              "cannot listen on %.108s: %s listens on %.108s",
                              addresses[i], keys[other], addresses[other]);
    }
  }
  return 0;
}

int peri_config_read_network(const struct peri_config_node *root,
                             struct peri_config *config) {
  static const char *const keys[] = {"app", "mesh", "admin"};
  struct peri_config_node node;
  int rc = read_node(root, config);
  if (rc < 0) {
    return rc;
  }
  config->listen_mesh = is_meshed(config) ? default_mesh : NULL;
  if (peri_config_member(root, "listen", &node)) {
    rc = peri_config_expect(&node, keys, sizeof keys / sizeof *keys, NULL, 0);
    if (rc == 0) {
      rc = read_listener(&node, "app", &config->listen_app);
    }
    if (rc == 0) {
      rc = read_listener(&node, "mesh", &config->listen_mesh);
    }
    if (rc == 0) {
      rc = read_listener(&node, "admin", &config->listen_admin);
    }
  }
  if (rc == 0) {
    rc = check_listeners(root, config);
  }
  if (rc == 0) {
    rc = settle_node(root, config);
  }
  return rc == 0 ? read_explain(root, config) : rc;
}
