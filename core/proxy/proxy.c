#include "proxy/proxy.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/error.h"
#include "base/hash.h"
#include "h2/call.h"
#include "model/load.h"
#include "model/snapshot.h"
#include "proxy/private.h"

int peri_proxy_new(const struct peri_proxy_options *options,
                   struct peri_proxy **ret_proxy,
                   struct peri_problem *ret_problem) {
  struct peri_proxy *proxy = calloc(1, sizeof(*proxy));
  if (proxy == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  proxy->options = *options;
  proxy->seed = peri_hash_random_seed();
  proxy->random = peri_hash_random_seed();
  peri_list_init(&proxy->services);
  peri_list_init(&proxy->provided);
  peri_list_init(&proxy->calls);
  peri_list_init(&proxy->fresh);
  peri_list_init(&proxy->waiting);
  peri_list_init(&proxy->free_calls);
  peri_turn_init(&proxy->turn, options->loop, peri_proxy_take_turn);
  peri_proxy_count_init(proxy);
  peri_proxy_explain_init(proxy);
  proxy->loads = peri_loads_new();
  int rc = proxy->loads != NULL ? 0 : PERI_ENOMEM;
  if (rc == 0) {
    rc = peri_proxy_alarms_init(&proxy->alarms, options->loop,
                                peri_proxy_call_due);
  }
  if (rc < 0) {
    (void)peri_problem_set(ret_problem, rc, "out of memory");
  } else {
    rc = peri_proxy_table_new(proxy, options->config, &proxy->table,
                              ret_problem);
  }
  if (rc < 0) {
    peri_proxy_free(proxy);
    return rc;
  }
  *ret_proxy = proxy;
  return 0;
}

void peri_proxy_adopt(struct peri_proxy *proxy,
                      struct peri_snapshot *snapshot) {
  struct peri_snapshot *before = proxy->snapshot;
  struct peri_list waiting;
  proxy->snapshot = peri_snapshot_ref(snapshot);
  peri_proxy_services_adopt(proxy);
  peri_snapshot_unref(before);
  peri_loads_prune(proxy->loads, snapshot, peri_clock_mono_ns());
  // Those that find nothing still put themselves back.
  peri_list_init(&waiting);
  peri_list_splice(&waiting, &proxy->waiting);
  while (!peri_list_empty(&waiting)) {
    peri_proxy_find(
        PERI_CONTAINER_OF(waiting.next, struct peri_proxy_call, wait));
  }
}

bool peri_proxy_is_addressed(const struct peri_h2_stream *stream) {
  struct peri_slice name;
  return peri_h2_stream_header(stream, "perigee-service", &name) &&
         name.len > 0;
}

void peri_proxy_outbound(struct peri_proxy *proxy,
                         struct peri_h2_stream *stream) {
  struct peri_proxy_head head;
  peri_proxy_head_read(stream, &head);
  if (!peri_call_admit(stream, head.method, head.content_type)) {
    return;
  }
  struct peri_proxy_call *call =
      peri_proxy_call_new(proxy, stream, &head, false);
  if (call != NULL) {
    peri_proxy_call_begin(call);
  }
}

void peri_proxy_free(struct peri_proxy *proxy) {
  if (proxy == NULL) {
    return;
  }
  peri_turn_cancel(&proxy->turn);
  proxy->closing = true;
  peri_proxy_abort(proxy);
  if (proxy->table != NULL) {
    peri_proxy_table_leave(proxy->table);
    peri_proxy_table_unref(proxy->table);
  }
  peri_proxy_provided_drop(proxy);
  peri_proxy_alarms_done(&proxy->alarms);
  peri_loads_free(proxy->loads);
  while (!peri_list_empty(&proxy->free_calls)) {
    free(PERI_CONTAINER_OF(peri_list_pop(&proxy->free_calls),
                           struct peri_proxy_call, link));
  }
  free(proxy->open);
  peri_snapshot_unref(proxy->snapshot);
  free(proxy);
}
