#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/error.h"
#include "base/slice.h"
#include "model/load.h"
#include "model/peers.h"
#include "proxy/rig_shim.h"

struct host {
  struct peri_policy_host vtable;
  struct proxy_policy *policy;
};

struct balancer {
  struct peri_balancer vtable;
  struct proxy_policy *policy;
  struct peri_load *const *loads;
  size_t count;
  uint32_t number;
};

static int update(struct peri_balancer *base, struct peri_peers *peers,
                  struct peri_load *const *loads) {
  struct balancer *balancer = PERI_CONTAINER_OF(base, struct balancer, vtable);
  balancer->policy->updates++;
  balancer->loads = loads;
  balancer->count = peri_peers_count(peers);
  return balancer->policy->take;
}

static void copy(char to[100], struct peri_slice text) {
  (void)snprintf(to, 100, "%.*s", (int)text.len, text.ptr);
}

static int pick(struct peri_balancer *base,
                const struct peri_pick_request *request, const uint32_t *open,
                size_t open_count, struct peri_choice *ret_choice) {
  struct balancer *balancer = PERI_CONTAINER_OF(base, struct balancer, vtable);
  struct proxy_policy *policy = balancer->policy;
  struct peri_slice value = {"", 0};
  if (policy->take < 0) {
    const char *trouble = "it did not take the endpoints";
    *ret_choice = (struct peri_choice){.trouble = peri_slice_of(trouble)};
    return policy->take;
  }
  policy->picks++;
  policy->picker = balancer->number;
  policy->open_count = open != NULL ? open_count : balancer->count;
  policy->attempt = request->attempt;
  policy->deadline_ns = request->deadline_ns;
  copy(policy->service, request->service);
  copy(policy->method, request->method);
  (void)request->header(request->ctx, "x-key", &value);
  copy(policy->header, value);
  policy->body_len = request->body.len;
  copy(policy->body, request->body);
  *ret_choice = (struct peri_choice){.version = 1, .reason = value};
  if (policy->pick < 0) {
    return policy->pick;
  }
  size_t index = (size_t)policy->pick;
  if (open != NULL && index < open_count) {
    index = open[index];
  } else if (open != NULL) {
    index = open[0];
  }
  if (index < balancer->count) {
    policy->inflight = balancer->loads[index]->inflight;
  }
  ret_choice->index = index;
  return 0;
}

static void done(struct peri_balancer *base,
                 const struct peri_pick_request *request, const char *address,
                 const struct peri_outcome *outcome) {
  struct balancer *balancer = PERI_CONTAINER_OF(base, struct balancer, vtable);
  struct peri_slice value;
  balancer->policy->dones++;
  balancer->policy->outcome = *outcome;
  (void)request->header(request->ctx, "x-key", &value);
  (void)snprintf(balancer->policy->address, 100, "%s", address);
}

static void destroy(struct peri_balancer *base) {
  struct balancer *balancer = PERI_CONTAINER_OF(base, struct balancer, vtable);
  balancer->policy->freed++;
  free(balancer);
}

static int make(struct peri_policy_host *base,
                const struct peri_policy_ref *ref,
                struct peri_balancer **ret_balancer,
                struct peri_problem *ret_problem) {
  struct host *host = PERI_CONTAINER_OF(base, struct host, vtable);
  if (host->policy->make < 0 && strcmp(ref->name, "unmakeable") == 0) {
    return peri_problem_set(ret_problem, host->policy->make,
                            "%s: it does not load", ref->name);
  }
  struct balancer *balancer = calloc(1, sizeof(*balancer));
  balancer->vtable = (struct peri_balancer){
      .update = update, .pick = pick, .done = done, .free = destroy};
  balancer->policy = host->policy;
  balancer->number = ++host->policy->made;
  *ret_balancer = &balancer->vtable;
  return 0;
}

struct peri_policy_host *proxy_policy_host(struct proxy_policy *policy) {
  static struct host host;
  host = (struct host){.vtable = {.balancer = make}, .policy = policy};
  return &host.vtable;
}
