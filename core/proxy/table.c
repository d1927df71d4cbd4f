#include <stdlib.h>

#include "base/container.h"
#include "base/error.h"
#include "base/slice.h"
#include "model/config.h"
#include "model/peers.h"
#include "model/route.h"
#include "model/snapshot.h"
#include "proxy/private.h"

int peri_proxy_balancer_new(struct peri_proxy *proxy,
                            const struct peri_policy_ref *policy,
                            struct peri_balancer **ret_balancer,
                            struct peri_problem *problem) {
  struct peri_policy_host *host = proxy->options.host;
  if (policy->name == NULL || host == NULL || host->balancer == NULL) {
    return 0;
  }
  int rc = host->balancer(host, policy, ret_balancer, problem);
  return rc < 0 ? peri_policy_ref_fail(policy, rc, problem) : rc;
}

int peri_proxy_balancer_begin(struct peri_proxy_service *service,
                              struct peri_problem *problem) {
  const struct peri_snapshot *snapshot = service->proxy->snapshot;
  struct peri_peers *peers =
      snapshot != NULL ? peri_snapshot_find(snapshot, service->name) : NULL;
  int rc = peri_proxy_service_take(service, peers);
  if (rc == 0 && service->broken) {
    return peri_problem_set(
        problem, PERI_ESCRIPT,
        "%s: the balancer %s does not take the present endpoints",
        service->text, service->policy.name);
  }
  return rc;
}

// What a place in a table is for.
struct place {
  struct peri_slice name;
  struct peri_slice address;  // of a service that we provide
  struct peri_peers *peers;   // fixed addresses
  const struct peri_policy_ref *policy;
  bool own;
};

static bool fits(const struct peri_proxy_service *service,
                 const struct place *place, uint8_t bit) {
  // A balancer of its own serves one place, and fixed addresses likewise.
  bool alone = place->own || place->peers != NULL;
  return service->own == place->own && !service->inbound &&
         (service->listed != 0 || service->placed != 0) &&
         !(alone && (service->placed & bit) != 0) &&
         service->fixed == (place->peers != NULL) &&
         (place->peers == NULL ||
          (service->set != NULL &&
           peri_peers_equal(service->set->peers, place->peers))) &&
         peri_policy_ref_same(&service->policy, place->policy);
}

static int make(struct peri_proxy *proxy, const struct place *place,
                struct peri_proxy_service **ret_service,
                struct peri_problem *problem) {
  struct peri_proxy_service *service = NULL;
  int rc = peri_proxy_service_new(proxy, place->name, place->policy, &service);
  if (rc < 0) {
    return rc;
  }
  service->own = place->own;
  service->fixed = place->peers != NULL;
  rc = peri_proxy_balancer_new(proxy, place->policy, &service->balancer,
                               problem);
  if (rc == 0 && service->fixed) {
    rc = peri_proxy_service_take(service, place->peers);
  }
  if (rc == 0) {
    rc = service->fixed ? 0 : peri_proxy_balancer_begin(service, problem);
  }
  if (rc < 0) {
    peri_proxy_service_unref(service);
    return rc;
  }
  *ret_service = service;
  return 0;
}

// Finds what serves a place, or makes it. Routes without a balancer of their
// own share the one that calls by name use.
static int fill(struct peri_proxy_table *table, const struct place *place,
                struct peri_proxy_service **ret_service,
                struct peri_problem *problem) {
  struct peri_proxy *proxy = table->proxy;
  struct peri_proxy_service *service =
      peri_proxy_service_next(proxy, place->name, NULL);
  while (service != NULL && !fits(service, place, table->bit)) {
    service = peri_proxy_service_next(proxy, place->name, service);
  }
  if (service != NULL) {
    service->references++;
  } else {
    int rc = make(proxy, place, &service, problem);
    if (rc < 0) {
      return rc;
    }
  }
  service->placed |= table->bit;
  if (!service->fixed &&
      peri_proxy_service_listed(proxy, place->name, table->bit) == NULL) {
    peri_proxy_service_list(service, table->bit);
  }
  *ret_service = service;
  return 0;
}

static int add_target(struct peri_proxy_table *table,
                      const struct peri_route *route,
                      const struct peri_route_target *target,
                      struct peri_proxy_service **ret_service,
                      struct peri_problem *problem) {
  bool own = route->balancer.name != NULL;
  struct place place = {
      .name = peri_slice_of(target->service != NULL
                                ? target->service
                                : peri_peers_service(target->peers)),
      .peers = target->service != NULL ? NULL : target->peers,
      .policy = own ? &route->balancer : &table->config->balancer,
      .own = own};
  return fill(table, &place, ret_service, problem);
}

static int add_routes(struct peri_proxy_table *table,
                      struct peri_problem *problem) {
  const struct peri_config *config = table->config;
  table->routes =
      calloc(config->route_count + 1, sizeof(struct peri_proxy_service **));
  if (table->routes == NULL) {
    return PERI_ENOMEM;
  }
  for (size_t i = 0; i < config->route_count; i++) {
    const struct peri_route *route = &config->routes[i];
    table->routes[i] =
        calloc(route->target_count, sizeof(struct peri_proxy_service *));
    if (table->routes[i] == NULL) {
      return PERI_ENOMEM;
    }
    for (size_t j = 0; j < route->target_count; j++) {
      int rc = add_target(table, route, &route->targets[j],
                          &table->routes[i][j], problem);
      if (rc < 0) {
        return rc;
      }
    }
  }
  return 0;
}

static int add_provided(struct peri_proxy_table *table,
                        struct peri_problem *problem) {
  const struct peri_config *config = table->config;
  table->provided =
      calloc(config->provide_count + 1, sizeof(struct peri_proxy_service *));
  if (table->provided == NULL) {
    return PERI_ENOMEM;
  }
  for (size_t i = 0; i < config->provide_count; i++) {
    const struct peri_config_provide *provide = &config->provides[i];
    struct peri_proxy_service *service = NULL;
    int rc = peri_proxy_provided_new(
        table->proxy, peri_slice_of(provide->service),
        peri_slice_of(provide->address), table->bit, &service);
    if (rc < 0) {
      return peri_problem_set(problem, rc, "provides: %s at %s: %s",
                              provide->service, provide->address,
                              peri_error_text(rc));
    }
    table->provided[table->provided_count++] = service;
  }
  return 0;
}

// The default one is needed by the first service that no route names; what is
// in use proves that it can be made.
static int add_spare(struct peri_proxy_table *table,
                     struct peri_problem *problem) {
  const struct peri_proxy_table *now = table->proxy->table;
  if (now != NULL &&
      peri_policy_ref_same(&now->config->balancer, &table->config->balancer)) {
    return 0;
  }
  return peri_proxy_balancer_new(table->proxy, &table->config->balancer,
                                 &table->spare, problem);
}

int peri_proxy_table_new(struct peri_proxy *proxy, struct peri_config *config,
                         struct peri_proxy_table **ret_table,
                         struct peri_problem *ret_problem) {
  struct peri_problem problem = {.code = 0};
  struct peri_proxy_table *table = calloc(1, sizeof(*table));
  if (table == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  bool other = proxy->table != NULL && proxy->table->bit == PERI_PLACE_TABLE;
  table->bit = other ? PERI_PLACE_OTHER_TABLE : PERI_PLACE_TABLE;
  table->references = 1;
  table->proxy = proxy;
  table->config = peri_config_ref(config);
  int rc = add_spare(table, &problem);
  if (rc == 0) {
    rc = add_routes(table, &problem);
  }
  if (rc == 0) {
    rc = add_provided(table, &problem);
  }
  if (rc == 0) {
    *ret_table = table;
    return 0;
  }
  peri_proxy_table_leave(table);
  peri_proxy_table_unref(table);
  return problem.code != 0 || problem.text[0] != '\0'
             ? peri_problem_set(ret_problem, rc, "%s", problem.text)
             : peri_problem_set(ret_problem, rc,
                                "the routes cannot be set up: "
                                "%s",
                                peri_error_text(rc));
}

void peri_proxy_table_leave(struct peri_proxy_table *table) {
  struct peri_proxy *proxy = table->proxy;
  struct peri_list *at = proxy->services.next;
  while (at != &proxy->services) {
    struct peri_proxy_service *service =
        PERI_CONTAINER_OF(at, struct peri_proxy_service, link);
    at = at->next;
    service->placed &= (uint8_t)~table->bit;
    peri_proxy_service_unlist(service, table->bit);
  }
  // Only now is it known what is still needed.
  at = proxy->services.next;
  while (at != &proxy->services) {
    struct peri_proxy_service *service =
        PERI_CONTAINER_OF(at, struct peri_proxy_service, link);
    service->references++;  // so that the list goes on behind it
    if (service->fixed && service->placed == 0) {
      peri_proxy_service_retire(service);
    }
    at = at->next;
    peri_proxy_service_unref(service);
  }
}

static void drop(struct peri_proxy_service *service) {
  if (service != NULL) {
    peri_proxy_service_unref(service);
  }
}

void peri_proxy_table_clear(struct peri_proxy_table *table) {
  const struct peri_config *config = table->config;
  for (size_t i = 0; table->routes != NULL && i < config->route_count; i++) {
    size_t count = config->routes[i].target_count;
    for (size_t j = 0; table->routes[i] != NULL && j < count; j++) {
      drop(table->routes[i][j]);
    }
    free(table->routes[i]);
  }
  free(table->routes);
  table->routes = NULL;
  while (table->provided != NULL && table->provided_count > 0) {
    drop(table->provided[--table->provided_count]);
  }
  free(table->provided);
  table->provided = NULL;
  if (table->spare != NULL) {
    table->spare->free(table->spare);
    table->spare = NULL;
  }
}

void peri_proxy_table_unref(struct peri_proxy_table *table) {
  if (--table->references > 0) {
    return;
  }
  peri_proxy_table_clear(table);
  peri_config_unref(table->config);
  free(table);
}
