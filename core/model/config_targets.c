#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "model/config_parts.h"
#include "model/peers.h"
#include "model/route.h"

enum { MAX_LABEL_BYTES = 200 };

static const char needed[] =
    "must be a service's name, { service = … }, { address = … } or "
    "{ addresses = { … } }";

// "10.0.0.7:2379" alone, or a table as of a static service.
static int read_address(const struct peri_config_node *node,
                        struct peri_config_endpoint *endpoint) {
  if (peri_json_type(node->json) != PERI_JSON_STRING) {
    return peri_config_read_endpoint(node, endpoint);
  }
  struct peri_json *table = peri_json_object();
  if (table == NULL) {
    return PERI_ENOMEM;
  }
  // Counting a reference does not change what the text says.
  int rc =
      peri_json_set(table, "address",
                    peri_json_ref((struct peri_json *)(uintptr_t)node->json));
  struct peri_config_node as_table = *node;
  as_table.json = table;
  if (rc == 0) {
    rc = peri_config_read_endpoint(&as_table, endpoint);
  }
  peri_json_unref(table);
  return rc;
}

// Fixed addresses are named by themselves, as far as a label may be long.
static int make_peers(const struct peri_config_node *node,
                      const struct peri_config_endpoint *endpoints,
                      size_t count, struct peri_route_target *target) {
  struct peri_endpoint_init *inits = calloc(count, sizeof *inits);
  char label[MAX_LABEL_BYTES + 1];
  size_t len = 0;
  if (inits == NULL) {
    return PERI_ENOMEM;
  }
  for (size_t i = 0; i < count; i++) {
    inits[i] = (struct peri_endpoint_init){
        .address = peri_slice_of(endpoints[i].address),
        .zone = peri_slice_of(endpoints[i].zone),
        .weight = endpoints[i].weight,
        .metadata = endpoints[i].metadata};
    size_t more = inits[i].address.len + (i > 0 ? 1 : 0);
    if (len + more < sizeof label) {
      label[len] = ',';
      memcpy(label + len + (i > 0 ? 1 : 0), inits[i].address.ptr,
             inits[i].address.len);
      len += more;
    }
  }
  label[len] = '\0';
  int rc = peri_peers_new(label, inits, count, (struct peri_slice){NULL, 0},
                          &target->peers, node->reader->problem);
  free(inits);
  return rc;
}

// A list of addresses, which a balancer chooses among.
static int read_addresses(const struct peri_config_node *list,
                          struct peri_route_target *target) {
  size_t count = 0;
  int rc = peri_config_list(list, &count);
  if (rc < 0) {
    return rc;
  }
  if (count == 0) {
    return peri_config_fail(list, "must hold an address");
  }
  struct peri_config_endpoint *endpoints =
      peri_arena_alloc(list->reader->arena, count * sizeof *endpoints);
  if (endpoints == NULL) {
    return PERI_ENOMEM;
  }
  for (size_t i = 0; rc == 0 && i < count; i++) {
    struct peri_config_node node = peri_config_element(list, i);
    rc = read_address(&node, &endpoints[i]);
    if (rc == 0) {
      rc = peri_config_check_endpoint(&node, endpoints, i);
    }
  }
  return rc == 0 ? make_peers(list, endpoints, count, target) : rc;
}

// One address with the keys of an endpoint; `weight` is the target's.
static int read_single(const struct peri_config_node *node,
                       struct peri_route_target *target) {
  struct peri_config_endpoint endpoint;
  int rc = peri_config_read_endpoint(node, &endpoint);
  if (rc < 0) {
    return rc;
  }
  target->weight = endpoint.weight;
  endpoint.weight = 1;
  return make_peers(node, &endpoint, 1, target);
}

static int read_target(const struct peri_config_node *node,
                       struct peri_route_target *target) {
  static const char *const keys[] = {"service", "address", "addresses",
                                     "weight"};
  struct peri_config_node child;
  int64_t weight = 1;
  target->weight = 1;
  if (peri_json_type(node->json) == PERI_JSON_STRING) {
    return peri_config_service_name(node, &target->service);
  }
  if (peri_json_type(node->json) != PERI_JSON_OBJECT) {
    return peri_config_fail(node, "%s", needed);
  }
  int named = 0;
  for (size_t i = 0; i < 3; i++) {
    named += peri_config_member(node, keys[i], &child) ? 1 : 0;
  }
  if (named > 1) {
    return peri_config_fail(node, "is one of service, address, addresses");
  }
  if (peri_config_member(node, "address", &child)) {
    return read_single(node, target);
  }
  int rc = peri_config_expect(node, keys, sizeof keys / sizeof *keys, NULL, 0);
  if (rc == 0 && named == 0) {
    rc = peri_config_fail(node, "%s", needed);
  }
  if (rc == 0) {
    rc = peri_config_integer(node, "weight", 1, PERI_CONFIG_MOST_WEIGHT,
                             &weight);
  }
  target->weight = (uint32_t)weight;
  if (rc == 0 && peri_config_member(node, "service", &child)) {
    rc = peri_config_service_name(&child, &target->service);
  }
  if (rc == 0 && peri_config_member(node, "addresses", &child)) {
    rc = read_addresses(&child, target);
  }
  return rc;
}

// Whether a list names nothing but addresses, and no weights to split by.
static bool only_addresses(const struct peri_config_node *list, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const struct peri_json *item = peri_json_at(list->json, i);
    if (peri_json_type(item) != PERI_JSON_OBJECT ||
        peri_json_get(item, "address") == NULL ||
        peri_json_get(item, "weight") != NULL) {
      return false;
    }
  }
  return count > 1;
}

int peri_config_read_targets(const struct peri_config_node *route,
                             struct peri_route *ret_route) {
  struct peri_config_node node;
  size_t count = 1;
  if (!peri_config_member(route, "to", &node)) {
    return peri_config_fail(route, "a route needs to know where: set to");
  }
  bool list = peri_json_type(node.json) == PERI_JSON_ARRAY;
  bool merged = list && only_addresses(&node, peri_json_size(node.json));
  if (list && peri_json_size(node.json) == 0) {
    return peri_config_fail(&node, "%s", needed);
  }
  if (list && !merged) {
    count = peri_json_size(node.json);
  }
  struct peri_route_target *targets =
      peri_arena_alloc(node.reader->arena, count * sizeof *targets);
  if (targets == NULL) {
    return PERI_ENOMEM;
  }
  ret_route->targets = targets;
  ret_route->target_count = count;
  if (merged) {
    targets[0].weight = 1;
    return read_addresses(&node, targets);
  }
  int rc = list ? 0 : read_target(&node, targets);
  for (size_t i = 0; list && rc == 0 && i < count; i++) {
    struct peri_config_node element = peri_config_element(&node, i);
    rc = read_target(&element, &targets[i]);
  }
  return rc;
}
