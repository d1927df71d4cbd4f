#include <string.h>

#include "base/slice.h"
#include "model/config_parts.h"
#include "model/peers.h"
#include "model/route.h"

void peri_config_drop_routes(const struct peri_config *config) {
  for (size_t i = 0; i < config->route_count; i++) {
    const struct peri_route *route = &config->routes[i];
    for (size_t j = 0; j < route->target_count; j++) {
      peri_peers_unref(route->targets[j].peers);
    }
  }
}

// Exact, or ending in '*'; "*" alone says nothing.
static int read_like(const struct peri_config_node *match, const char *key,
                     bool in_path, const char **ret_text) {
  struct peri_config_node node;
  const char *text = NULL;
  if (!peri_config_member(match, key, &node)) {
    return 0;
  }
  int rc = peri_config_text(&node, &text);
  if (rc < 0) {
    return rc;
  }
  const char *star = strchr(text, '*');
  if (star != NULL && star[1] != '\0') {
    return peri_config_fail(&node, "'*' stands at the end only");
  }
  if (in_path && strchr(text, '/') != NULL) {
    return peri_config_fail(&node,
                            "must not hold '/': a call is named by service "
                            "and method");
  }
  *ret_text = star == text ? NULL : text;
  return 0;
}

static int check_header_name(const struct peri_config_node *node,
                             const char *name) {
  static const char chars[] =
      "abcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&'*+^`|~";
  if (*name == '\0') {
    return peri_config_fail(node, "a header needs a name");
  }
  for (const char *c = name; *c != '\0'; c++) {
    if (*c >= 'A' && *c <= 'Z') {
      return peri_config_fail(node, "headers are named in lower case");
    }
  }
  if (name[strspn(name, chars)] != '\0') {
    return peri_config_fail(node, "is no name of a header");
  }
  return 0;
}

// `{ prefix = "…" }`, `{ present = true }` or `{ pattern = "…" }`.
static int read_condition(const struct peri_config_node *node,
                          struct peri_route_header *header) {
  static const char *const keys[] = {"prefix", "present", "pattern"};
  struct peri_config_node child;
  int rc = peri_config_expect(node, keys, sizeof keys / sizeof *keys, NULL, 0);
  if (rc < 0) {
    return rc;
  }
  if (peri_json_size(node->json) != 1) {
    return peri_config_fail(
        node,
        "must be one of { prefix = … }, { present = true }, "
        "{ pattern = … }");
  }
  if (peri_config_member(node, "present", &child)) {
    header->kind = PERI_MATCH_PRESENT;
    header->value = "";
    return peri_json_to_bool(child.json)
               ? 0
               : peri_config_fail(&child, "must be true");
  }
  if (peri_config_member(node, "prefix", &child)) {
    header->kind = PERI_MATCH_PREFIX;
    return peri_config_text(&child, &header->value);
  }
  (void)peri_config_member(node, "pattern", &child);
  header->kind = PERI_MATCH_PATTERN;
  rc = peri_config_text(&child, &header->value);
  const char *words = rc == 0 ? peri_config_pattern(header->value) : NULL;
  return words != NULL
             ? peri_config_fail(&child, "is no Lua pattern: %s", words)
             : rc;
}

struct headers {
  const struct peri_config_node *node;
  struct peri_route_header *headers;
  size_t count;
};

static int visit_header(void *ctx, const char *name,
                        const struct peri_json *value) {
  struct headers *into = ctx;
  struct peri_route_header *header = &into->headers[into->count];
  struct peri_config_node node = {.reader = into->node->reader,
                                  .parent = into->node,
                                  .key = name,
                                  .json = value};
  int rc = check_header_name(&node, name);
  if (rc < 0) {
    return rc;
  }
  header->name = peri_arena_copy(node.reader->arena, peri_slice_of(name));
  if (header->name == NULL) {
    return PERI_ENOMEM;
  }
  into->count++;
  if (peri_json_type(value) == PERI_JSON_STRING) {
    header->kind = PERI_MATCH_EXACT;
    return peri_config_text(&node, &header->value);
  }
  if (peri_json_type(value) != PERI_JSON_OBJECT) {
    return peri_config_fail(
        &node,
        "must be a text, { prefix = … }, { present = true } or "
        "{ pattern = … }");
  }
  return read_condition(&node, header);
}

static int read_headers(const struct peri_config_node *match,
                        struct peri_route *route) {
  struct peri_config_node node;
  size_t count;
  if (!peri_config_member(match, "header", &node)) {
    return 0;
  }
  int rc =
      peri_config_named(&node, "must be a table of headers by name", &count);
  if (rc < 0 || count == 0) {
    return rc;
  }
  struct headers into = {.node = &node};
  into.headers =
      peri_arena_alloc(node.reader->arena, count * sizeof *into.headers);
  if (into.headers == NULL) {
    return PERI_ENOMEM;
  }
  rc = peri_json_each(node.json, visit_header, &into);
  route->headers = into.headers;
  route->header_count = into.count;
  return rc;
}

static int read_match(const struct peri_config_node *parent,
                      struct peri_route *route) {
  static const char *const keys[] = {"service", "method", "authority",
                                     "header"};
  struct peri_config_node node;
  if (!peri_config_member(parent, "match", &node)) {
    return peri_config_fail(parent,
                            "a route needs a match; {} matches every call");
  }
  int rc = peri_config_expect(&node, keys, sizeof keys / sizeof *keys, NULL, 0);
  if (rc == 0) {
    rc = read_like(&node, "service", true, &route->service);
  }
  if (rc == 0) {
    rc = read_like(&node, "method", true, &route->method);
  }
  if (rc == 0) {
    rc = read_like(&node, "authority", false, &route->authority);
  }
  return rc == 0 ? read_headers(&node, route) : rc;
}

static int read_route(const struct peri_config_node *node,
                      struct peri_route *route) {
  static const char *const keys[] = {"match", "to", "balancer", "timeout"};
  int rc = peri_config_expect(node, keys, sizeof keys / sizeof *keys, NULL, 0);
  if (rc == 0) {
    rc = read_match(node, route);
  }
  if (rc == 0) {
    rc = peri_config_read_targets(node, route);
  }
  if (rc == 0) {
    rc = peri_config_policy(node, "balancer", &route->balancer);
  }
  if (rc == 0) {
    rc = peri_config_duration_ms(node, "timeout", true, &route->timeout_ms);
  }
  return rc;
}

int peri_config_read_routes(const struct peri_config_node *root,
                            struct peri_config *config) {
  struct peri_config_node list;
  size_t count = 0;
  int rc = peri_config_policy(root, "balancer", &config->balancer);
  if (rc < 0 || !peri_config_member(root, "routes", &list)) {
    return rc;
  }
  rc = peri_config_list(&list, &count);
  if (rc < 0 || count == 0) {
    return rc;
  }
  struct peri_route *routes =
      peri_arena_alloc(list.reader->arena, count * sizeof *routes);
  if (routes == NULL) {
    return PERI_ENOMEM;
  }
  // Zeroed, so that what was not reached holds no reference.
  config->routes = routes;
  config->route_count = count;
  for (size_t i = 0; rc == 0 && i < count; i++) {
    struct peri_config_node node = peri_config_element(&list, i);
    routes[i].index = i + 1;
    rc = read_route(&node, &routes[i]);
  }
  return rc;
}
