#include "base/container.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "base/status.h"
#include "model/peers.h"
#include "proxy/private.h"

static struct peri_proxy_service *at_link(struct peri_list *link) {
  return PERI_CONTAINER_OF(link, struct peri_proxy_service, provide_link);
}

static struct peri_proxy_service *by_name(struct peri_proxy *proxy,
                                          struct peri_slice name) {
  for (struct peri_list *at = proxy->provided.next; at != &proxy->provided;
       at = at->next) {
    if (peri_slice_equal(at_link(at)->name, name)) {
      return at_link(at);
    }
  }
  return NULL;
}

static struct peri_proxy_service *provided(struct peri_proxy *proxy,
                                           const struct peri_proxy_head *head) {
  if (head->service.len > 0) {
    return by_name(proxy, head->service);
  }
  struct peri_proxy_service *service = by_name(proxy, head->authority);
  struct peri_list *first = proxy->provided.next;
  if (service == NULL && first != &proxy->provided &&
      first->next == &proxy->provided) {
    service = at_link(first);
  }
  return service;
}

// Calls under way keep what they have.
static void withdraw(struct peri_proxy *proxy, struct peri_slice name) {
  struct peri_proxy_service *service = by_name(proxy, name);
  if (service != NULL) {
    peri_list_remove(&service->provide_link);
    peri_proxy_service_unref(service);
  }
}

int peri_proxy_provide(struct peri_proxy *proxy, struct peri_slice service,
                       struct peri_slice address) {
  struct peri_endpoint_init init = {.address = address, .weight = 1};
  struct peri_slice nothing = {"", 0};
  struct peri_proxy_service *added = NULL;
  struct peri_peers *peers = NULL;
  if (address.len == 0) {
    withdraw(proxy, service);
    return 0;
  }
  int rc = peri_proxy_service_new(proxy, service, NULL, &added);
  if (rc < 0) {
    return rc;
  }
  added->fixed = true;
  added->inbound = true;
  rc = peri_peers_new(added->text, &init, 1, nothing, &peers, NULL);
  if (rc == 0) {
    rc = peri_proxy_service_take(added, peers);
    peri_peers_unref(peers);
  }
  if (rc < 0) {
    peri_proxy_service_free(added);
    return rc;
  }
  withdraw(proxy, service);
  peri_list_push(&proxy->provided, &added->provide_link);
  return 0;
}

void peri_proxy_inbound(struct peri_proxy *proxy,
                        struct peri_h2_stream *stream) {
  struct peri_proxy_head head;
  peri_proxy_head_read(stream, &head);
  if (!peri_proxy_admit(stream, &head)) {
    return;
  }
  struct peri_proxy_call *call = peri_proxy_call_new(proxy, stream, &head);
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
  call->inbound = true;
  peri_proxy_call_begin(call);
}
