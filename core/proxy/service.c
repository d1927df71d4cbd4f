#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/slice.h"
#include "h2/client.h"
#include "model/config.h"
#include "model/load.h"
#include "model/peers.h"
#include "model/snapshot.h"
#include "proxy/private.h"

struct peri_proxy_set *peri_proxy_set_ref(struct peri_proxy_set *set) {
  set->references++;
  return set;
}

void peri_proxy_set_unref(struct peri_proxy_set *set) {
  if (set == NULL || --set->references > 0) {
    return;
  }
  for (size_t i = 0; i < set->count; i++) {
    set->loads[i]->holders--;
  }
  peri_peers_unref(set->peers);
  free(set);
}

// Everything of a set in one block: the pointers, then the addresses.
static int set_new(struct peri_loads *loads, struct peri_peers *peers,
                   struct peri_proxy_set **ret_set) {
  size_t count = peri_peers_count(peers);
  struct peri_proxy_set *set =
      calloc(1, sizeof(*set) + count * (sizeof(struct peri_load *) +
                                        sizeof(struct peri_address)));
  if (set == NULL) {
    return PERI_ENOMEM;
  }
  set->references = 1;
  set->peers = peri_peers_ref(peers);
  set->loads = (struct peri_load **)(void *)(set + 1);
  set->addresses = (struct peri_address *)(void *)(set->loads + count);
  for (size_t i = 0; i < count; i++) {
    struct peri_slice address = peri_slice_of(peri_peers_at(peers, i)->address);
    int rc = peri_address_parse(address, &set->addresses[i]);
    if (rc == 0) {
      rc = peri_loads_get(loads, address, &set->loads[i]);
    }
    if (rc != 0) {
      peri_proxy_set_unref(set);
      return rc;
    }
    set->loads[i]->holders++;
    set->count = i + 1;
  }
  *ret_set = set;
  return 0;
}

static struct peri_proxy_service **bucket_of(struct peri_proxy *proxy,
                                             uint64_t hash) {
  return &proxy->buckets[hash % PERI_PROXY_BUCKETS];
}

int peri_proxy_service_new(struct peri_proxy *proxy, struct peri_slice name,
                           const struct peri_policy_ref *policy,
                           struct peri_proxy_service **ret_service) {
  size_t policy_len =
      policy != NULL && policy->name != NULL ? strlen(policy->name) + 1 : 0;
  struct peri_proxy_service *service =
      calloc(1, sizeof(*service) + name.len + 1 + policy_len);
  if (service == NULL) {
    return PERI_ENOMEM;
  }
  memcpy(service->text, name.ptr, name.len);
  service->name = (struct peri_slice){service->text, name.len};
  service->hash = peri_hash_xxh3(name, proxy->seed);
  service->proxy = proxy;
  service->references = 1;
  if (policy_len > 0) {
    service->policy.name =
        memcpy(service->text + name.len + 1, policy->name, policy_len);
    // Counting a reference does not change what the options say.
    service->policy.options =
        peri_json_ref((struct peri_json *)(uintptr_t)policy->options);
  }
  peri_list_init(&service->provide_link);
  peri_list_push(&proxy->services, &service->link);
  struct peri_proxy_service **bucket = bucket_of(proxy, service->hash);
  service->next = *bucket;
  *bucket = service;
  *ret_service = service;
  return 0;
}

struct peri_proxy_service *peri_proxy_service_next(
    struct peri_proxy *proxy, struct peri_slice name,
    const struct peri_proxy_service *service) {
  uint64_t hash =
      service != NULL ? service->hash : peri_hash_xxh3(name, proxy->seed);
  struct peri_proxy_service *at =
      service != NULL ? service->next : *bucket_of(proxy, hash);
  while (at != NULL &&
         (at->hash != hash || !peri_slice_equal(at->name, name))) {
    at = at->next;
  }
  return at;
}

void peri_proxy_service_list(struct peri_proxy_service *service, uint8_t bit) {
  service->listed |= bit;
  service->references++;
}

static void destroy(struct peri_proxy_service *service) {
  struct peri_proxy_service **at = bucket_of(service->proxy, service->hash);
  while (*at != service) {
    at = &(*at)->next;
  }
  *at = service->next;
  peri_list_remove(&service->link);
  peri_list_remove(&service->provide_link);
  if (service->fixed) {
    // Calls that outlived its place may have connected again.
    peri_proxy_service_retire(service);
  }
  if (service->balancer != NULL) {
    service->balancer->free(service->balancer);
  }
  peri_proxy_set_unref(service->set);
  peri_json_unref((struct peri_json *)(uintptr_t)service->policy.options);
  free(service);
}

void peri_proxy_service_unlist(struct peri_proxy_service *service,
                               uint8_t bits) {
  unsigned gone = service->listed & bits;
  service->listed &= (uint8_t)~bits;
  service->references -= (uint32_t)__builtin_popcount(gone);
  if (gone != 0 && service->references == 0) {
    destroy(service);
  }
}

void peri_proxy_service_unref(struct peri_proxy_service *service) {
  if (--service->references == 0) {
    destroy(service);
  }
}

// A policy that cannot be made has been reported by script; the built-in one
// serves.
static void make_balancer(struct peri_proxy_service *service) {
  struct peri_proxy *proxy = service->proxy;
  struct peri_proxy_table *table = proxy->table;
  struct peri_policy_host *host = proxy->options.host;
  struct peri_problem problem;
  if (service->policy.name == NULL || host == NULL || host->balancer == NULL) {
    return;
  }
  if (table != NULL && table->spare != NULL &&
      peri_policy_ref_same(&service->policy, &table->config->balancer)) {
    service->balancer = table->spare;
    table->spare = NULL;
  } else if (host->balancer(host, &service->policy, &service->balancer,
                            &problem) < 0) {
    service->balancer = NULL;
  }
}

static bool is_named(const struct peri_peers *peers, const char *address) {
  size_t low = 0;
  size_t high = peri_peers_count(peers);
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = strcmp(address, peri_peers_at(peers, middle)->address);
    if (order == 0) {
      return true;
    }
    if (order > 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return false;
}

static bool is_wanted(const struct peri_proxy *proxy, const char *address) {
  const struct peri_snapshot *snapshot = proxy->snapshot;
  size_t count = snapshot != NULL ? peri_snapshot_count(snapshot) : 0;
  for (size_t i = 0; i < count; i++) {
    if (is_named(peri_snapshot_at(snapshot, i), address)) {
      return true;
    }
  }
  for (struct peri_list *at = proxy->services.next; at != &proxy->services;
       at = at->next) {
    const struct peri_proxy_service *service =
        PERI_CONTAINER_OF(at, struct peri_proxy_service, link);
    if (service->fixed && service->placed != 0 && service->set != NULL &&
        is_named(service->set->peers, address)) {
      return true;
    }
  }
  return false;
}

// Connections to endpoints that left end with their streams.
static void retire(struct peri_proxy *proxy, const struct peri_proxy_set *set) {
  if (set == NULL || proxy->closing) {
    return;
  }
  for (size_t i = 0; i < set->count; i++) {
    const char *address = peri_peers_at(set->peers, i)->address;
    if (!is_wanted(proxy, address)) {
      peri_h2_client_retire(proxy->options.client, peri_slice_of(address));
    }
  }
}

void peri_proxy_service_retire(const struct peri_proxy_service *service) {
  retire(service->proxy, service->set);
}

int peri_proxy_service_take(struct peri_proxy_service *service,
                            struct peri_peers *peers) {
  struct peri_proxy_set *before = service->set;
  struct peri_proxy_set *set = NULL;
  if (peers == NULL && before == NULL) {
    return 0;
  }
  if (peers != NULL) {
    if (before != NULL && peri_peers_equal(before->peers, peers)) {
      return 0;
    }
    int rc = set_new(service->proxy->loads, peers, &set);
    if (rc != 0) {
      return rc;
    }
    if (service->balancer == NULL) {
      make_balancer(service);
    }
    struct peri_balancer *balancer = service->balancer;
    service->broken =
        balancer != NULL && balancer->update(balancer, peers, set->loads) < 0;
  }
  service->set = set;
  retire(service->proxy, before);
  peri_proxy_set_unref(before);
  return 0;
}

struct peri_proxy_service *peri_proxy_service_listed(struct peri_proxy *proxy,
                                                     struct peri_slice name,
                                                     uint8_t bit) {
  struct peri_proxy_service *service =
      peri_proxy_service_next(proxy, name, NULL);
  while (service != NULL && (service->listed & bit) == 0) {
    service = peri_proxy_service_next(proxy, name, service);
  }
  return service;
}

struct peri_proxy_service *peri_proxy_service_find(struct peri_proxy *proxy,
                                                   struct peri_slice name) {
  struct peri_proxy_service *service =
      peri_proxy_service_listed(proxy, name, proxy->table->bit);
  if (service != NULL) {
    return service->set != NULL ? service : NULL;
  }
  struct peri_peers *peers = proxy->snapshot != NULL
                                 ? peri_snapshot_find(proxy->snapshot, name)
                                 : NULL;
  if (peers == NULL ||
      peri_proxy_service_new(proxy, name, &proxy->table->config->balancer,
                             &service) < 0) {
    return NULL;
  }
  if (peri_proxy_service_take(service, peers) < 0) {
    peri_proxy_service_unref(service);
    return NULL;
  }
  peri_proxy_service_list(service, proxy->table->bit);
  peri_proxy_service_unref(service);
  if (proxy->next != NULL) {
    // Failing that, it is made by its first call under the next table.
    (void)peri_proxy_inherit(proxy->next, service, NULL);
  }
  return service;
}

void peri_proxy_services_adopt(struct peri_proxy *proxy) {
  struct peri_list *at = proxy->services.next;
  while (at != &proxy->services) {
    struct peri_proxy_service *service =
        PERI_CONTAINER_OF(at, struct peri_proxy_service, link);
    at = at->next;
    if (service->fixed) {
      continue;
    }
    struct peri_peers *peers =
        peri_snapshot_find(proxy->snapshot, service->name);
    // Without memory the endpoints of before serve until the next snapshot.
    (void)peri_proxy_service_take(service, peers);
    if (peers == NULL && service->placed == 0) {
      peri_proxy_service_unlist(service,
                                PERI_PLACE_TABLE | PERI_PLACE_OTHER_TABLE);
    }
  }
}
