#include <stdlib.h>

#include "base/error.h"
#include "proxy/private.h"

static bool header(void *ctx, const char *name, struct peri_slice *ret_value) {
  const struct peri_proxy_call *call = ctx;
  return call->caller != NULL &&
         peri_h2_stream_header(call->caller, name, ret_value);
}

void peri_proxy_ask(const struct peri_proxy_call *call,
                    struct peri_pick_request *ret_request) {
  struct peri_slice body = {call->room, call->room_used};
  *ret_request = (struct peri_pick_request){.service = call->grpc_service,
                                            .method = call->grpc_method,
                                            .header = header,
                                            .body = body,
                                            .ctx = (void *)(uintptr_t)call,
                                            .deadline_ns = call->deadline_ns,
                                            .attempt = call->attempts + 1,
                                            .version = call->version};
  if (call->room_used == 0 && call->kept.len > 0) {
    ret_request->body = peri_buffer_slice(&call->kept);
  }
}

static bool was_tried(const struct peri_proxy_call *call,
                      const struct peri_load *load) {
  for (size_t i = 0; i < call->tried_count; i++) {
    if (call->tried[i] == load) {
      return true;
    }
  }
  return false;
}

// The endpoints not yet tried, in the proxy's own room. @return 0 or
// PERI_ENOMEM.
static int list_open(struct peri_proxy_call *call,
                     const struct peri_proxy_set *set, size_t *ret_count) {
  struct peri_proxy *proxy = call->proxy;
  size_t count = 0;
  if (proxy->open_capacity < set->count) {
    uint32_t *open = realloc(proxy->open, set->count * sizeof(*open));
    if (open == NULL) {
      return PERI_ENOMEM;
    }
    proxy->open = open;
    proxy->open_capacity = set->count;
  }
  for (size_t i = 0; i < set->count; i++) {
    if (!was_tried(call, set->loads[i])) {
      proxy->open[count++] = (uint32_t)i;
    }
  }
  *ret_count = count;
  return 0;
}

static bool is_open(const uint32_t *open, size_t count, size_t index,
                    size_t all) {
  if (open == NULL) {
    return index < all;
  }
  for (size_t i = 0; i < count; i++) {
    if (open[i] == index) {
      return true;
    }
  }
  return false;
}

// What the service's own balancer says; false: it does not say anything.
static bool ask_balancer(struct peri_proxy_call *call, const uint32_t *open,
                         size_t open_count, int *ret_code, size_t *ret_index) {
  struct peri_proxy_service *service = call->service;
  struct peri_balancer *balancer = service->balancer;
  struct peri_pick_request request;
  struct peri_choice choice = {0};
  if (balancer == NULL || service->broken) {
    return false;
  }
  peri_proxy_ask(call, &request);
  int rc = balancer->pick(balancer, &request, open,
                          open != NULL ? open_count : 0, &choice);
  if (rc == PERI_ENOTFOUND) {
    *ret_code = rc;
    return true;
  }
  if (rc < 0 || !is_open(open, open_count, choice.index, service->set->count)) {
    return false;
  }
  call->picked = true;
  call->version = choice.version;
  *ret_code = 0;
  *ret_index = choice.index;
  return true;
}

// Turns go by all endpoints also when some were tried: the neighbours of one
// that is down would get too much or nothing otherwise.
static size_t next_in_turn(struct peri_proxy_service *service,
                           const uint32_t *open, size_t count) {
  size_t index = service->turn % service->set->count;
  if (open != NULL) {
    size_t at = 0;
    while (at < count && open[at] < index) {
      at++;
    }
    index = open[at < count ? at : 0];
  }
  service->turn = index + 1;
  return index;
}

int peri_proxy_choose(struct peri_proxy_call *call) {
  struct peri_proxy_service *service = call->service;
  struct peri_proxy_set *set = service->set;
  const uint32_t *open = NULL;
  size_t count = set != NULL ? set->count : 0;
  int rc = 0;
  if (count > 0 && call->tried_count > 0) {
    rc = list_open(call, set, &count);
    open = call->proxy->open;
  }
  if (rc < 0 || count == 0) {
    return rc < 0 ? rc : PERI_ENOTFOUND;
  }
  size_t index = 0;
  call->picked = false;
  if (!ask_balancer(call, open, count, &rc, &index)) {
    index = next_in_turn(service, open, count);
  }
  if (rc == 0) {
    call->set = peri_proxy_set_ref(set);
    call->index = index;
  }
  return rc;
}
