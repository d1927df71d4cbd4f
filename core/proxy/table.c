#include <stdlib.h>

#include "base/container.h"
#include "base/error.h"
#include "base/slice.h"
#include "model/config.h"
#include "model/peers.h"
#include "model/route.h"
#include "proxy/private.h"

// The balancer of a service, made now so that a wrong configuration is told.
static int make_balancer(struct peri_proxy *proxy,
                         const struct peri_policy_ref *policy,
                         struct peri_balancer **ret_balancer,
                         struct peri_problem *problem) {
  struct peri_policy_host *host = proxy->options.host;
  if (policy->name == NULL || host == NULL || host->balancer == NULL) {
    return 0;
  }
  return host->balancer(host, policy, ret_balancer, problem);
}

// Finds a target's service, or makes it. Routes without a balancer of their own
// share the one that calls by name use.
static int add_service(struct peri_proxy *proxy, const struct peri_route *route,
                       struct peri_slice name,
                       struct peri_proxy_service **ret_service) {
  bool own = route->balancer.name != NULL;
  bool taken = false;
  for (struct peri_list *at = proxy->services.next; at != &proxy->services;
       at = at->next) {
    struct peri_proxy_service *service =
        PERI_CONTAINER_OF(at, struct peri_proxy_service, link);
    if (service->fixed || !peri_slice_equal(service->name, name)) {
      continue;
    }
    taken = taken || service->listed;
    if (!own && service->policy.name == proxy->options.config->balancer.name) {
      service->references++;
      *ret_service = service;
      return 0;
    }
  }
  const struct peri_policy_ref *policy =
      own ? &route->balancer : &proxy->options.config->balancer;
  int rc = peri_proxy_service_new(proxy, name, policy, ret_service);
  if (rc == 0) {
    (*ret_service)->kept = true;
    if (!taken) {
      peri_proxy_service_list(*ret_service);
    }
  }
  return rc;
}

static int add_addresses(struct peri_proxy *proxy,
                         const struct peri_route *route,
                         const struct peri_route_target *target,
                         struct peri_proxy_service **ret_service) {
  const struct peri_policy_ref *policy = route->balancer.name != NULL
                                             ? &route->balancer
                                             : &proxy->options.config->balancer;
  struct peri_proxy_service *service = NULL;
  int rc = peri_proxy_service_new(
      proxy, peri_slice_of(peri_peers_service(target->peers)), policy,
      &service);
  if (rc == 0) {
    service->kept = true;
    service->fixed = true;
    *ret_service = service;
  }
  return rc;
}

static int add_target(struct peri_proxy *proxy, const struct peri_route *route,
                      const struct peri_route_target *target,
                      struct peri_proxy_service **ret_service,
                      struct peri_problem *problem) {
  struct peri_proxy_service *service = NULL;
  int rc =
      target->service != NULL
          ? add_service(proxy, route, peri_slice_of(target->service), &service)
          : add_addresses(proxy, route, target, &service);
  if (rc != 0) {
    return rc;
  }
  *ret_service = service;
  if (service->balancer == NULL) {
    rc = make_balancer(proxy, &service->policy, &service->balancer, problem);
  }
  if (rc == 0 && target->service == NULL) {
    rc = peri_proxy_service_take(service, target->peers);
  }
  return rc;
}

static int add_routes(struct peri_proxy *proxy, struct peri_problem *problem) {
  const struct peri_config *config = proxy->options.config;
  proxy->routes =
      calloc(config->route_count + 1, sizeof(struct peri_proxy_service **));
  if (proxy->routes == NULL) {
    return PERI_ENOMEM;
  }
  for (size_t i = 0; i < config->route_count; i++) {
    const struct peri_route *route = &config->routes[i];
    proxy->routes[i] =
        calloc(route->target_count, sizeof(struct peri_proxy_service *));
    if (proxy->routes[i] == NULL) {
      return PERI_ENOMEM;
    }
    for (size_t j = 0; j < route->target_count; j++) {
      int rc = add_target(proxy, route, &route->targets[j],
                          &proxy->routes[i][j], problem);
      if (rc < 0) {
        return rc;
      }
    }
  }
  return 0;
}

static int add_provided(struct peri_proxy *proxy,
                        struct peri_problem *problem) {
  const struct peri_config *config = proxy->options.config;
  for (size_t i = 0; i < config->provide_count; i++) {
    const struct peri_config_provide *provide = &config->provides[i];
    int rc = peri_proxy_provide(proxy, peri_slice_of(provide->service),
                                peri_slice_of(provide->address));
    if (rc < 0) {
      return peri_problem_set(problem, rc, "provides: %s at %s: %s",
                              provide->service, provide->address,
                              peri_error_text(rc));
    }
  }
  return 0;
}

int peri_proxy_table_new(struct peri_proxy *proxy,
                         struct peri_problem *ret_problem) {
  struct peri_problem problem = {.code = 0};
  // The default one is needed by the first service that no route names.
  int rc = make_balancer(proxy, &proxy->options.config->balancer, &proxy->spare,
                         &problem);
  if (rc == 0) {
    rc = add_routes(proxy, &problem);
  }
  if (rc == 0) {
    rc = add_provided(proxy, &problem);
  }
  if (rc == 0) {
    return 0;
  }
  return problem.code != 0 || problem.text[0] != '\0'
             ? peri_problem_set(ret_problem, rc, "%s", problem.text)
             : peri_problem_set(ret_problem, rc,
                                "the routes cannot be set up: "
                                "%s",
                                peri_error_text(rc));
}

void peri_proxy_table_free(struct peri_proxy *proxy) {
  const struct peri_config *config = proxy->options.config;
  for (size_t i = 0; proxy->routes != NULL && i < config->route_count; i++) {
    free(proxy->routes[i]);
  }
  free(proxy->routes);
  while (!peri_list_empty(&proxy->services)) {
    peri_proxy_service_free(PERI_CONTAINER_OF(proxy->services.next,
                                              struct peri_proxy_service, link));
  }
  if (proxy->spare != NULL) {
    proxy->spare->free(proxy->spare);
  }
}
