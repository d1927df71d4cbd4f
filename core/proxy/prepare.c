#include "base/container.h"
#include "base/error.h"
#include "model/config.h"
#include "model/peers.h"
#include "proxy/private.h"

int peri_proxy_inherit(struct peri_proxy_table *next,
                       struct peri_proxy_service *service,
                       struct peri_problem *problem) {
  struct peri_policy_ref *policy = &next->config->balancer;
  struct peri_proxy_service *heir = NULL;
  if (peri_proxy_service_listed(next->proxy, service->name, next->bit) !=
      NULL) {
    return 0;
  }
  if (!service->own && peri_policy_ref_same(&service->policy, policy)) {
    peri_proxy_service_list(service, next->bit);
    return 0;
  }
  if (service->set == NULL) {
    return 0;  // Whoever calls it when it is known again finds it anew.
  }
  int rc = peri_proxy_service_new(next->proxy, service->name, policy, &heir);
  if (rc < 0) {
    return rc;
  }
  rc = peri_proxy_balancer_new(next->proxy, policy, &heir->balancer, problem);
  if (rc == 0) {
    rc = peri_proxy_balancer_begin(heir, problem);
  }
  if (rc == 0) {
    peri_proxy_service_list(heir, next->bit);
  }
  peri_proxy_service_unref(heir);
  return rc;
}

// What calls by name have found so far, they find as well under the next table.
static int inherit_all(struct peri_proxy *proxy, struct peri_proxy_table *next,
                       struct peri_problem *problem) {
  int rc = 0;
  for (struct peri_list *at = proxy->services.next;
       rc == 0 && at != &proxy->services; at = at->next) {
    struct peri_proxy_service *service =
        PERI_CONTAINER_OF(at, struct peri_proxy_service, link);
    if ((service->listed & proxy->table->bit) != 0) {
      rc = peri_proxy_inherit(next, service, problem);
    }
  }
  return rc;
}

int peri_proxy_prepare(struct peri_proxy *proxy, struct peri_config *config,
                       struct peri_problem *ret_problem) {
  struct peri_problem problem = {.code = 0};
  peri_proxy_abort(proxy);
  int rc = peri_proxy_table_new(proxy, config, &proxy->next, ret_problem);
  if (rc < 0) {
    return rc;
  }
  rc = inherit_all(proxy, proxy->next, &problem);
  if (rc < 0) {
    peri_proxy_abort(proxy);
    return peri_problem_set(
        ret_problem, rc, "%s",
        problem.code != 0 ? problem.text : peri_error_text(rc));
  }
  return 0;
}

// Those that have not begun take the new table.
static void move_fresh(struct peri_proxy *proxy) {
  struct peri_proxy_table *table = proxy->table;
  for (struct peri_list *at = proxy->fresh.next; at != &proxy->fresh;
       at = at->next) {
    struct peri_proxy_call *call =
        PERI_CONTAINER_OF(at, struct peri_proxy_call, wait);
    peri_proxy_table_unref(call->table);
    call->table = table;
    table->references++;
  }
}

// Whether a call still looks for the service of its route, which is in the
// table that it began with.
static bool is_searched(const struct peri_proxy *proxy,
                        const struct peri_proxy_table *table) {
  for (const struct peri_list *at = proxy->waiting.next; at != &proxy->waiting;
       at = at->next) {
    const struct peri_proxy_call *call =
        PERI_CONTAINER_OF(at, struct peri_proxy_call, wait);
    if (call->table == table && call->route != NULL) {
      return true;
    }
  }
  return false;
}

void peri_proxy_commit(struct peri_proxy *proxy) {
  struct peri_proxy_table *before = proxy->table;
  struct peri_proxy_table *next = proxy->next;
  if (next == NULL) {
    return;
  }
  if (next->spare == NULL && peri_policy_ref_same(&before->config->balancer,
                                                  &next->config->balancer)) {
    next->spare = before->spare;
    before->spare = NULL;
  }
  proxy->table = next;
  proxy->next = NULL;
  proxy->options.config = next->config;
  peri_proxy_table_leave(before);
  move_fresh(proxy);
  // A stream may keep it for hours, but not the balancers of other calls.
  if (!is_searched(proxy, before)) {
    peri_proxy_table_clear(before);
  }
  peri_proxy_table_unref(before);
}

void peri_proxy_abort(struct peri_proxy *proxy) {
  struct peri_proxy_table *next = proxy->next;
  proxy->next = NULL;
  if (next != NULL) {
    peri_proxy_table_leave(next);
    peri_proxy_table_unref(next);
  }
}
