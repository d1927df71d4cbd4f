#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "proxy/private.h"

void peri_proxy_ask(const struct peri_proxy_call *call,
                    struct peri_pick_request *ret_request) {
  struct peri_slice body = {call->room, call->room_used};
  *ret_request = (struct peri_pick_request){.service = call->grpc_service,
                                            .method = call->grpc_method,
                                            .header = peri_proxy_call_header,
                                            .body = body,
                                            .ctx = (void *)(uintptr_t)call,
                                            .deadline_ns = call->deadline_ns,
                                            .attempt = call->attempts + 1,
                                            .version = call->version};
  if (call->room_used == 0 && call->kept.len > 0) {
    ret_request->body = peri_buffer_slice(&call->kept);
  }
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
    if (!peri_proxy_is_tried(call->tried, call->tried_count, set->loads[i])) {
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

// What a balancer says; PERI_EINVAL for nonsense.
static int consult(struct peri_balancer *balancer,
                   const struct peri_pick_request *request,
                   const uint32_t *open, size_t open_count, size_t all,
                   struct peri_proxy_pick *pick) {
  pick->asked = true;
  int rc = balancer->pick(balancer, request, open,
                          open != NULL ? open_count : 0, &pick->choice);
  return rc == 0 && !is_open(open, open_count, pick->choice.index, all)
             ? PERI_EINVAL
             : rc;
}

void peri_proxy_pick_measured(struct peri_balancer *balancer,
                              const struct peri_pick_request *request,
                              const uint32_t *open, size_t open_count,
                              size_t all, struct peri_proxy_pick *ret_pick) {
  uint64_t asked_ns = peri_clock_mono_ns();
  ret_pick->code = consult(balancer, request, open, open_count, all, ret_pick);
  ret_pick->took_ns = peri_clock_mono_ns() - asked_ns;
}

// What the service's own balancer says, if it has one that says anything.
static void ask_balancer(struct peri_proxy_call *call, const uint32_t *open,
                         size_t open_count, bool measured,
                         struct peri_proxy_pick *pick) {
  struct peri_proxy_service *service = call->service;
  struct peri_balancer *balancer = service->balancer;
  struct peri_pick_request request;
  size_t all = service->set->count;
  if (balancer == NULL) {
    return;
  }
  peri_proxy_ask(call, &request);
  if (measured) {
    peri_proxy_pick_measured(balancer, &request, open, open_count, all, pick);
  } else {
    pick->code = consult(balancer, &request, open, open_count, all, pick);
  }
  if (pick->code == 0) {
    call->picked = true;
    call->version = pick->choice.version;
  }
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

// Whether a choice is worth telling whatever the rate.
static bool is_unusual(const struct peri_proxy_call *call,
                       const struct peri_proxy_pick *pick) {
  return call->attempts > 0 || pick->choice.trouble.len > 0 ||
         (pick->asked && pick->code != 0);
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
  struct peri_proxy_pick pick = {.code = PERI_ESCRIPT};
  bool told = peri_proxy_explain_is_due(call);
  call->picked = false;
  ask_balancer(call, open, count, told, &pick);
  size_t index = pick.choice.index;
  rc = pick.code == PERI_ENOTFOUND ? PERI_ENOTFOUND : 0;
  if (pick.code != 0 && rc == 0) {
    index = next_in_turn(service, open, count);
  }
  if (told || is_unusual(call, &pick)) {
    peri_proxy_explain_choice(call, &pick, rc, index);
  }
  if (rc == 0) {
    call->set = peri_proxy_set_ref(set);
    call->index = index;
  }
  return rc;
}
