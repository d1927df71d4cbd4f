#pragma once

#include "base/buffer.h"
#include "base/types.h"
#include "model/policy.h"

struct peri_config;

/// How the value of a header is compared.
enum peri_match_kind {
  PERI_MATCH_EXACT = 0,
  PERI_MATCH_PREFIX = 1,
  PERI_MATCH_PRESENT = 2,
  PERI_MATCH_PATTERN = 3  // a Lua pattern
};

/// A header that a route asks for.
struct peri_route_header {
  const char *name;  // lower case
  enum peri_match_kind kind;
  const char *value;  // "" for PRESENT
};

/// Where a route sends: a service of the registry, or fixed addresses.
struct peri_route_target {
  const char *service;       // NULL for addresses
  struct peri_peers *peers;  // the fixed addresses as peers; NULL for a service
  uint32_t weight;           // 1 … 65535
};

/// One entry of `routes`, checked.
struct peri_route {
  const char *service;    // exact, or ending in '*'; NULL: any
  const char *method;     // likewise
  const char *authority;  // likewise
  const struct peri_route_header *headers;
  size_t header_count;
  const struct peri_route_target *targets;
  size_t target_count;
  struct peri_policy_ref balancer;  // name NULL: the configuration's
  uint64_t timeout_ms;              // 0: none
  size_t index;                     // in the configuration, from 1
};

/// What a call is matched by.
struct peri_route_query {
  struct peri_slice service;  // of ":path", "orders.v1.Orders"
  struct peri_slice method;
  struct peri_slice authority;
  /// The first header of that name; false when absent.
  bool (*header)(void *ctx, const char *name, struct peri_slice *ret_value);
  void *ctx;
  /// Whether a Lua pattern is found in a text; script implements it, with a
  /// limit on steps. May be NULL when no route has a pattern.
  bool (*pattern)(const char *pattern, struct peri_slice text);
};

/// Splits ":path" into service and method. Returns false when it is no gRPC
/// path ("/service/method").
bool peri_route_split(struct peri_slice path, struct peri_slice *ret_service,
                      struct peri_slice *ret_method);

/// The first route that matches, or NULL. Any thread.
const struct peri_route *peri_route_find(const struct peri_config *config,
                                         const struct peri_route_query *query);

/// One target by weight; `random` is any 64-bit number.
const struct peri_route_target *peri_route_choose(
    const struct peri_route *route, uint64_t random);

/// A condition of a route.
enum peri_route_part {
  PERI_ROUTE_MATCHES = 0,
  PERI_ROUTE_SERVICE = 1,
  PERI_ROUTE_METHOD = 2,
  PERI_ROUTE_AUTHORITY = 3,
  PERI_ROUTE_HEADER = 4
};

/// The first condition of a route that a call does not meet; for
/// PERI_ROUTE_HEADER `*ret_header` is the one. Any thread.
enum peri_route_part peri_route_miss(
    const struct peri_route *route, const struct peri_route_query *query,
    const struct peri_route_header **ret_header);

/// Appends why a route matches a call or does not, as in `route 2 matched:
/// service "orders.v1.*"` or `route 1 did not: authority is "a", not "b"`.
/// Values of headers that may be secrets are left out. @return 0 or
/// PERI_ENOMEM. Any thread.
int peri_route_words(const struct peri_route *route,
                     const struct peri_route_query *query,
                     struct peri_buffer *text);
