#include "base/metrics.h"
#include "base/slice.h"
#include "base/status.h"
#include "model/config.h"
#include "proxy/private.h"

static struct peri_proxy_service *by_name(const struct peri_proxy *proxy,
                                          struct peri_slice name) {
  for (size_t i = 0; i < proxy->options.config->provide_count; i++) {
    if (peri_slice_equal(proxy->provided[i]->name, name)) {
      return proxy->provided[i];
    }
  }
  return NULL;
}

static struct peri_proxy_service *provided(const struct peri_proxy *proxy,
                                           const struct peri_proxy_head *head) {
  if (head->service.len > 0) {
    return by_name(proxy, head->service);
  }
  struct peri_proxy_service *service = by_name(proxy, head->authority);
  if (service == NULL && proxy->options.config->provide_count == 1) {
    service = proxy->provided[0];
  }
  return service;
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
