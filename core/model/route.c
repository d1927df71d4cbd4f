#include "model/route.h"

#include <string.h>

#include "base/slice.h"
#include "model/config.h"

bool peri_route_split(struct peri_slice path, struct peri_slice *ret_service,
                      struct peri_slice *ret_method) {
  if (path.len < 4 || path.ptr[0] != '/') {
    return false;
  }
  const char *service = path.ptr + 1;
  const char *end = path.ptr + path.len;
  const char *slash = memchr(service, '/', path.len - 1);
  if (slash == NULL || slash == service || slash + 1 == end ||
      memchr(slash + 1, '/', (size_t)(end - slash - 1)) != NULL) {
    return false;
  }
  *ret_service = (struct peri_slice){service, (size_t)(slash - service)};
  *ret_method = (struct peri_slice){slash + 1, (size_t)(end - slash - 1)};
  return true;
}

static bool is_end(char c) {
  return c == '\0' || c == '*';
}

// Exact, or as far as a '*' at the end of `wanted`. One walk, no lengths.
static bool like(const char *wanted, struct peri_slice text) {
  size_t i = 0;
  while (i < text.len && wanted[i] == text.ptr[i] && !is_end(wanted[i])) {
    i++;
  }
  return wanted[i] == '*' || (i == text.len && wanted[i] == '\0');
}

static bool same_letter(char a, char b) {
  enum { CASE_BIT = 0x20 };
  return a == b || ((a ^ b) == CASE_BIT &&
                    ((a >= 'a' && a <= 'z') || (a >= 'A' && a <= 'Z')));
}

// Hosts know no case.
static bool like_host(const char *wanted, struct peri_slice text) {
  size_t i = 0;
  while (i < text.len && same_letter(wanted[i], text.ptr[i]) &&
         !is_end(wanted[i])) {
    i++;
  }
  return wanted[i] == '*' || (i == text.len && wanted[i] == '\0');
}

static bool header_matches(const struct peri_route_header *header,
                           const struct peri_route_query *query) {
  struct peri_slice value;
  if (query->header == NULL ||
      !query->header(query->ctx, header->name, &value)) {
    return false;
  }
  switch (header->kind) {
    case PERI_MATCH_EXACT:
      return peri_slice_is(value, header->value);
    case PERI_MATCH_PREFIX:
      return peri_slice_starts(value, header->value);
    case PERI_MATCH_PRESENT:
      return true;
    case PERI_MATCH_PATTERN:
      return query->pattern != NULL && query->pattern(header->value, value);
  }
  return false;
}

enum peri_route_part peri_route_miss(
    const struct peri_route *route, const struct peri_route_query *query,
    const struct peri_route_header **ret_header) {
  if (route->service != NULL && !like(route->service, query->service)) {
    return PERI_ROUTE_SERVICE;
  }
  if (route->method != NULL && !like(route->method, query->method)) {
    return PERI_ROUTE_METHOD;
  }
  if (route->authority != NULL &&
      !like_host(route->authority, query->authority)) {
    return PERI_ROUTE_AUTHORITY;
  }
  for (size_t i = 0; i < route->header_count; i++) {
    if (!header_matches(&route->headers[i], query)) {
      *ret_header = &route->headers[i];
      return PERI_ROUTE_HEADER;
    }
  }
  return PERI_ROUTE_MATCHES;
}

const struct peri_route *peri_route_find(const struct peri_config *config,
                                         const struct peri_route_query *query) {
  const struct peri_route_header *header = NULL;
  for (size_t i = 0; i < config->route_count; i++) {
    if (peri_route_miss(&config->routes[i], query, &header) ==
        PERI_ROUTE_MATCHES) {
      return &config->routes[i];
    }
  }
  return NULL;
}

const struct peri_route_target *peri_route_choose(
    const struct peri_route *route, uint64_t random) {
  const struct peri_route_target *target = route->targets;
  uint64_t total = target->weight;
  for (size_t i = 1; i < route->target_count; i++) {
    total += route->targets[i].weight;
  }
  // The remainder favours nobody measurably: weights are far below 64 bits.
  uint64_t at = total > 0 ? random % total : 0;
  for (size_t i = 1; i < route->target_count && at >= target->weight; i++) {
    at -= target->weight;
    target++;
  }
  return target;
}
