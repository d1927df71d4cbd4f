#include <stdlib.h>

#include "base/container.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "base/status.h"
#include "h2/call.h"
#include "model/peers.h"
#include "proxy/private.h"

static struct peri_proxy_service *at_link(struct peri_list *link) {
  return PERI_CONTAINER_OF(link, struct peri_proxy_service, provide_link);
}

static struct peri_proxy_service *given(struct peri_proxy *proxy,
                                        struct peri_slice name) {
  for (struct peri_list *at = proxy->provided.next; at != &proxy->provided;
       at = at->next) {
    if (peri_slice_equal(at_link(at)->name, name)) {
      return at_link(at);
    }
  }
  return NULL;
}

// What the application gave wins over the configuration.
static struct peri_proxy_service *by_name(struct peri_proxy *proxy,
                                          struct peri_slice name) {
  const struct peri_proxy_table *table = proxy->table;
  struct peri_proxy_service *service = given(proxy, name);
  for (size_t i = 0; service == NULL && i < table->provided_count; i++) {
    if (peri_slice_equal(table->provided[i]->name, name)) {
      service = table->provided[i];
    }
  }
  return service;
}

// The only one, or NULL.
static struct peri_proxy_service *single(struct peri_proxy *proxy) {
  const struct peri_proxy_table *table = proxy->table;
  struct peri_list *first = proxy->provided.next;
  struct peri_proxy_service *service = NULL;
  if (first != &proxy->provided) {
    service = at_link(first);
  } else if (table->provided_count > 0) {
    service = table->provided[0];
  }
  if (service == NULL ||
      (first != &proxy->provided && first->next != &proxy->provided)) {
    return NULL;
  }
  for (size_t i = 0; i < table->provided_count; i++) {
    if (!peri_slice_equal(table->provided[i]->name, service->name)) {
      return NULL;
    }
  }
  return service;
}

static struct peri_proxy_service *provided(struct peri_proxy *proxy,
                                           const struct peri_proxy_head *head) {
  if (head->service.len > 0) {
    return by_name(proxy, head->service);
  }
  struct peri_proxy_service *service = by_name(proxy, head->authority);
  if (service == NULL) {
    service = by_name(proxy, peri_proxy_host_of(head->authority));
  }
  return service != NULL ? service : single(proxy);
}

static struct peri_proxy_service *at_address(struct peri_proxy *proxy,
                                             struct peri_slice name,
                                             const struct peri_peers *peers) {
  struct peri_proxy_service *service =
      peri_proxy_service_next(proxy, name, NULL);
  while (service != NULL && (!service->inbound || service->placed == 0 ||
                             !peri_peers_equal(service->set->peers, peers))) {
    service = peri_proxy_service_next(proxy, name, service);
  }
  return service;
}

// NULL: out of memory.
static struct peri_proxy_service *make(struct peri_proxy *proxy,
                                       struct peri_slice name,
                                       struct peri_peers *peers) {
  struct peri_proxy_service *service = NULL;
  if (peri_proxy_service_new(proxy, name, NULL, &service) < 0) {
    return NULL;
  }
  service->fixed = true;
  service->inbound = true;
  if (peri_proxy_service_take(service, peers) < 0) {
    peri_proxy_service_unref(service);
    return NULL;
  }
  return service;
}

int peri_proxy_provided_new(struct peri_proxy *proxy, struct peri_slice name,
                            struct peri_slice address, uint8_t bit,
                            struct peri_proxy_service **ret_service) {
  struct peri_endpoint_init init = {.address = address, .weight = 1};
  struct peri_slice nothing = {"", 0};
  struct peri_peers *peers = NULL;
  char *text = peri_slice_dup(name);
  int rc = text != NULL ? peri_peers_new(text, &init, 1, nothing, &peers, NULL)
                        : PERI_ENOMEM;
  free(text);
  if (rc < 0) {
    return rc;
  }
  struct peri_proxy_service *service = at_address(proxy, name, peers);
  if (service != NULL) {
    service->references++;
  } else {
    service = make(proxy, name, peers);
  }
  peri_peers_unref(peers);
  if (service == NULL) {
    return PERI_ENOMEM;
  }
  service->placed |= bit;
  *ret_service = service;
  return 0;
}

// Calls under way keep what they have.
static void give_up(struct peri_proxy_service *service, uint8_t bit) {
  service->placed &= (uint8_t)~bit;
  if (service->placed == 0) {
    peri_proxy_service_retire(service);
  }
  peri_proxy_service_unref(service);
}

static void withdraw(struct peri_proxy_service *service) {
  if (service != NULL) {
    peri_list_remove(&service->provide_link);
    give_up(service, PERI_PLACE_APP);
  }
}

// What the configuration names goes as well, until the next one.
static void withdraw_all(struct peri_proxy *proxy, struct peri_slice name) {
  struct peri_proxy_table *table = proxy->table;
  withdraw(given(proxy, name));
  for (size_t i = table->provided_count; i > 0; i--) {
    struct peri_proxy_service *service = table->provided[i - 1];
    if (peri_slice_equal(service->name, name)) {
      table->provided[i - 1] = table->provided[--table->provided_count];
      give_up(service, table->bit);
    }
  }
}

void peri_proxy_provided_drop(struct peri_proxy *proxy) {
  while (!peri_list_empty(&proxy->provided)) {
    withdraw(at_link(proxy->provided.next));
  }
}

int peri_proxy_provide(struct peri_proxy *proxy, struct peri_slice service,
                       struct peri_slice address) {
  struct peri_proxy_service *before = given(proxy, service);
  struct peri_proxy_service *added = NULL;
  if (address.len == 0) {
    withdraw_all(proxy, service);
    return 0;
  }
  int rc =
      peri_proxy_provided_new(proxy, service, address, PERI_PLACE_APP, &added);
  if (rc < 0) {
    return rc;
  }
  if (added == before) {
    peri_proxy_service_unref(added);
    return 0;
  }
  withdraw(before);
  peri_list_push(&proxy->provided, &added->provide_link);
  return 0;
}

void peri_proxy_inbound(struct peri_proxy *proxy,
                        struct peri_h2_stream *stream) {
  struct peri_proxy_head head;
  peri_proxy_head_read(stream, &head);
  if (!peri_call_admit(stream, head.method, head.content_type)) {
    return;
  }
  struct peri_proxy_call *call =
      peri_proxy_call_new(proxy, stream, &head, true);
  if (call == NULL) {
    return;
  }
  struct peri_proxy_service *service = provided(proxy, &head);
  if (service == NULL) {
    struct peri_slice name =
        head.service.len > 0 ? head.service : head.authority;
    if (proxy->not_provided != NULL) {
      peri_metric_add(proxy->not_provided, 1);
    }
    peri_proxy_refuse(call, PERI_STATUS_UNIMPLEMENTED,
                      "%.*s: no such service is provided here",
                      name.len > 100 ? 100 : (int)name.len, name.ptr);
    return;
  }
  service->references++;
  call->service = service;
  peri_proxy_call_begin(call);
}
