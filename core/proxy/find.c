#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/slice.h"
#include "base/status.h"
#include "model/config.h"
#include "model/route.h"
#include "proxy/private.h"

enum { MOST_SHOWN = 100, NS_PER_MS = 1000000 };

static const uint64_t WAIT_NS = 1000000000;
static const uint64_t ABSENT_NS = 2000000000;

static struct peri_proxy_absent *place_of(struct peri_proxy *proxy,
                                          uint64_t hash) {
  return &proxy->absent[hash % PERI_PROXY_ABSENT];
}

static void remember_absent(struct peri_proxy *proxy, struct peri_slice name) {
  uint64_t hash = peri_hash_xxh3(name, proxy->seed);
  *place_of(proxy, hash) = (struct peri_proxy_absent){
      .hash = hash, .until_ns = peri_clock_mono_ns() + ABSENT_NS};
}

// Asks for a name. False: it was asked for not long ago, and nobody knows it.
static bool want(struct peri_proxy *proxy, struct peri_slice name) {
  uint64_t hash = peri_hash_xxh3(name, proxy->seed);
  const struct peri_proxy_absent *absent = place_of(proxy, hash);
  if (proxy->options.want != NULL) {
    proxy->options.want(proxy->options.ctx, name);
  }
  return (proxy->options.want != NULL || proxy->snapshot == NULL) &&
         (absent->hash != hash || absent->until_ns <= peri_clock_mono_ns());
}

static void wait(struct peri_proxy_call *call) {
  uint64_t until_ns = call->begun_ns + WAIT_NS;
  if (call->deadline_ns != 0 && call->deadline_ns < until_ns) {
    until_ns = call->deadline_ns;
  }
  peri_list_remove(&call->wait);
  peri_list_push(&call->proxy->waiting, &call->wait);
  if (call->alarm_ns != until_ns) {
    (void)peri_proxy_call_wake(call, until_ns);
  }
}

static void found(struct peri_proxy_call *call,
                  struct peri_proxy_service *service) {
  peri_list_remove(&call->wait);
  service->references++;
  call->service = service;
  if (call->deadline_ns == 0) {
    peri_proxy_alarm_clear(&call->proxy->alarms, call);
  } else if (call->alarm_ns != call->deadline_ns &&
             !peri_proxy_call_wake(call, call->deadline_ns)) {
    return;
  }
  peri_proxy_attempt(call);
}

static int shown(struct peri_slice text) {
  return text.len > MOST_SHOWN ? MOST_SHOWN : (int)text.len;
}

static void no_endpoint(struct peri_proxy_call *call, struct peri_slice name) {
  peri_proxy_refuse(call, PERI_STATUS_UNAVAILABLE, "%.*s: no endpoint is known",
                    shown(name), name.ptr);
}

struct peri_slice peri_proxy_host_of(struct peri_slice authority) {
  const char *colon =
      authority.len > 0 ? memchr(authority.ptr, ':', authority.len) : NULL;
  if (colon != NULL) {
    authority.len = (size_t)(colon - authority.ptr);
  }
  return authority;
}

bool peri_proxy_is_name(struct peri_slice host) {
  bool letters = false;
  for (size_t i = 0; i < host.len; i++) {
    char c = host.ptr[i];
    letters = letters || (c != '.' && (c < '0' || c > '9'));
  }
  return letters && host.ptr[0] != '[' && !peri_slice_is(host, "localhost");
}

static void nobody(struct peri_proxy_call *call) {
  const struct peri_proxy_head *head = &call->head;
  peri_proxy_refuse(
      call, PERI_STATUS_UNIMPLEMENTED,
      "no route for %.*s: none of %zu routes matches, and no service is known "
      "as \"%.*s\" or \"%.*s\"",
      shown(head->path), head->path.ptr, call->table->config->route_count,
      shown(head->authority), head->authority.ptr, shown(call->grpc_service),
      call->grpc_service.ptr);
}

struct peri_proxy_service *peri_proxy_find_by_call(
    struct peri_proxy *proxy, struct peri_slice authority,
    struct peri_slice grpc_service) {
  struct peri_slice host = peri_proxy_host_of(authority);
  struct peri_proxy_service *service =
      authority.len > 0 ? peri_proxy_service_find(proxy, authority) : NULL;
  if (service == NULL && host.len > 0 && host.len < authority.len) {
    service = peri_proxy_service_find(proxy, host);
  }
  if (service == NULL && grpc_service.len > 0) {
    service = peri_proxy_service_find(proxy, grpc_service);
  }
  return service;
}

// A name that only calls tell is forgotten when no call tells it any more: so
// one in use is told again, now and then.
static void found_by_name(struct peri_proxy_call *call,
                          struct peri_proxy_service *service) {
  struct peri_proxy *proxy = call->proxy;
  uint64_t again_ns = call->table->config->etcd.forget_ms * (NS_PER_MS / 4);
  if (proxy->options.want != NULL &&
      call->begun_ns > service->asked_ns + again_ns) {
    service->asked_ns = call->begun_ns;
    proxy->options.want(proxy->options.ctx, service->name);
  }
  found(call, service);
}

static void by_call(struct peri_proxy_call *call) {
  struct peri_proxy *proxy = call->proxy;
  struct peri_proxy_service *service =
      peri_proxy_find_by_call(proxy, call->head.authority, call->grpc_service);
  if (service != NULL) {
    found_by_name(call, service);
    return;
  }
  struct peri_slice host = peri_proxy_host_of(call->head.authority);
  bool may_come = call->grpc_service.len > 0 && want(proxy, call->grpc_service);
  if (peri_proxy_is_name(host)) {
    may_come = want(proxy, host) || may_come;
  }
  if (may_come) {
    wait(call);
  } else {
    nobody(call);
  }
}

static void by_name(struct peri_proxy_call *call, struct peri_slice name) {
  struct peri_proxy_service *service =
      peri_proxy_service_find(call->proxy, name);
  if (service != NULL) {
    found_by_name(call, service);
  } else if (want(call->proxy, name)) {
    wait(call);
  } else {
    no_endpoint(call, name);
  }
}

// The first route that matches, with its target and limit. False: out of
// memory, and the call is refused.
static bool match(struct peri_proxy_call *call) {
  struct peri_proxy *proxy = call->proxy;
  struct peri_route_query query = {.service = call->grpc_service,
                                   .method = call->grpc_method,
                                   .authority = call->head.authority,
                                   .header = peri_proxy_call_header,
                                   .ctx = call,
                                   .pattern = proxy->options.pattern};
  call->route = peri_route_find(call->table->config, &query);
  if (call->route == NULL) {
    return true;
  }
  call->target =
      peri_route_choose(call->route, peri_random_next(&proxy->random));
  if (call->route->timeout_ms == 0) {
    return true;
  }
  uint64_t limit_ns = call->begun_ns + call->route->timeout_ms * PERI_NS_PER_MS;
  if (call->deadline_ns != 0 && call->deadline_ns <= limit_ns) {
    return true;
  }
  call->deadline_ns = limit_ns;
  return peri_proxy_call_wake(call, limit_ns);
}

static void by_route(struct peri_proxy_call *call) {
  size_t target = (size_t)(call->target - call->route->targets);
  struct peri_proxy_service *service =
      call->table->routes[call->route->index - 1][target];
  if (service->set != NULL) {
    found(call, service);
  } else if (want(call->proxy, service->name)) {
    wait(call);
  } else {
    no_endpoint(call, service->name);
  }
}

void peri_proxy_find(struct peri_proxy_call *call) {
  if (call->head.service.len > 0) {
    by_name(call, call->head.service);
    return;
  }
  if (call->table->config->route_count > 0 && call->route == NULL &&
      !match(call)) {
    return;
  }
  if (call->route != NULL) {
    by_route(call);
  } else {
    by_call(call);
  }
}

void peri_proxy_find_late(struct peri_proxy_call *call) {
  struct peri_proxy *proxy = call->proxy;
  if (call->head.service.len > 0) {
    remember_absent(proxy, call->head.service);
    no_endpoint(call, call->head.service);
  } else if (call->route != NULL) {
    struct peri_slice name = peri_slice_of(call->target->service);
    remember_absent(proxy, name);
    no_endpoint(call, name);
  } else {
    remember_absent(proxy, call->grpc_service);
    remember_absent(proxy, peri_proxy_host_of(call->head.authority));
    nobody(call);
  }
}
