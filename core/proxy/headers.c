#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "h2/client.h"
#include "h2/framing.h"
#include "model/peers.h"
#include "proxy/private.h"

enum { STACK_FIELDS = 48, OWN_FIELDS = 3 };

static bool is(struct peri_slice name, const char *text, size_t len) {
  return memcmp(name.ptr, text, len) == 0;
}

// Where a field's value goes; NULL when it is nobody's business here. By
// length first: this runs for every header of every call.
static struct peri_slice *place_of(struct peri_proxy_head *head,
                                   struct peri_slice name) {
  switch (name.len) {
    case 5:
      return is(name, ":path", 5) ? &head->path : NULL;
    case 7:
      return is(name, ":method", 7) ? &head->method : NULL;
    case 10:
      return is(name, ":authority", 10) ? &head->authority : NULL;
    case 11:
      head->marked = head->marked || is(name, "perigee-hop", 11);
      return NULL;
    case 12:
      return is(name, "content-type", 12)   ? &head->content_type
             : is(name, "grpc-timeout", 12) ? &head->timeout
                                            : NULL;
    case 15:
      return is(name, "perigee-service", 15)   ? &head->service
             : is(name, "perigee-explain", 15) ? &head->explain
                                               : NULL;
    default:
      return NULL;
  }
}

void peri_proxy_head_read(const struct peri_h2_stream *stream,
                          struct peri_proxy_head *ret_head) {
  const struct peri_h2_field *fields = NULL;
  size_t count = peri_h2_stream_fields(stream, &fields);
  *ret_head = (struct peri_proxy_head){.marked = false};
  for (size_t i = 0; i < count; i++) {
    struct peri_slice *place = place_of(ret_head, fields[i].name);
    if (place != NULL && place->ptr == NULL) {
      *place = fields[i].value;
    }
  }
  ret_head->marked = ret_head->marked || ret_head->service.ptr != NULL ||
                     ret_head->explain.ptr != NULL;
}

static bool is_mark(struct peri_slice name) {
  return (name.len == 11 && is(name, "perigee-hop", 11)) ||
         (name.len == 15 &&
          (is(name, "perigee-service", 15) || is(name, "perigee-explain", 15)));
}

// The caller's fields in their order without ours, with `timeout` in the place
// of grpc-timeout (or at the end) unless that is empty.
static size_t copy(const struct peri_proxy_call *call,
                   const struct peri_h2_field *fields, size_t count,
                   struct peri_slice timeout, struct peri_h2_field *ret_to) {
  size_t used = 0;
  bool timed = timeout.len == 0;
  for (size_t i = 0; i < count; i++) {
    struct peri_slice name = fields[i].name;
    if (call->head.marked && is_mark(name)) {
      continue;
    }
    ret_to[used] = fields[i];
    if (timeout.len > 0 && name.len == 12 && is(name, "grpc-timeout", 12)) {
      if (timed) {
        continue;
      }
      ret_to[used].value = timeout;
      timed = true;
    }
    used++;
  }
  if (!timed) {
    ret_to[used++] =
        (struct peri_h2_field){{"grpc-timeout", 12}, timeout, false};
  }
  return used;
}

static int begin(struct peri_proxy_call *call,
                 const struct peri_h2_stream_events *events,
                 const struct peri_h2_field *fields, size_t count) {
  return peri_h2_client_open_at(call->proxy->options.client,
                                &call->set->addresses[call->index], fields,
                                count, false, events, call, &call->endpoint);
}

int peri_proxy_headers_send(struct peri_proxy_call *call,
                            const struct peri_h2_stream_events *events) {
  const struct peri_h2_field *fields = NULL;
  size_t count = peri_h2_stream_fields(call->caller, &fields);
  bool sidecar =
      !call->inbound && peri_peers_at(call->set->peers, call->index)->sidecar;
  if (!sidecar && !call->head.marked && call->deadline_ns == 0) {
    return begin(call, events, fields, count);
  }
  char text[PERI_FRAMING_TIMEOUT_BYTES] = "";
  if (call->deadline_ns != 0) {
    uint64_t now_ns = peri_proxy_now(call->proxy);
    peri_framing_timeout_format(
        call->deadline_ns > now_ns ? call->deadline_ns - now_ns : 1, text);
  }
  struct peri_h2_field some[STACK_FIELDS];
  struct peri_h2_field *to = some;
  if (count + OWN_FIELDS > STACK_FIELDS) {
    to = malloc((count + OWN_FIELDS) * sizeof(*to));
    if (to == NULL) {
      return PERI_ENOMEM;
    }
  }
  size_t used = copy(call, fields, count, peri_slice_of(text), to);
  if (sidecar) {
    to[used++] = (struct peri_h2_field){{"perigee-hop", 11}, {"1", 1}, false};
    to[used++] = (struct peri_h2_field){
        {"perigee-service", 15}, call->service->name, false};
  }
  int rc = begin(call, events, to, used);
  if (to != some) {
    free(to);
  }
  return rc;
}

int peri_proxy_status_read(const struct peri_h2_stream *stream) {
  struct peri_slice value;
  if (peri_h2_stream_trailer(stream, "grpc-status", &value) ||
      peri_h2_stream_header(stream, "grpc-status", &value)) {
    return peri_framing_status_read(value);
  }
  return -1;
}

bool peri_proxy_call_header(void *ctx, const char *name,
                            struct peri_slice *ret_value) {
  const struct peri_proxy_call *call = ctx;
  return call->caller != NULL &&
         peri_h2_stream_header(call->caller, name, ret_value);
}
