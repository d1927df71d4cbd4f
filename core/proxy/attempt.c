#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/status.h"
#include "h2/framing.h"
#include "model/load.h"
#include "model/peers.h"
#include "proxy/private.h"

static void forget_body(struct peri_proxy_call *call) {
  peri_buffer_done(&call->kept);
  call->room_used = 0;
}

void peri_proxy_keep(struct peri_proxy_call *call, struct peri_slice bytes) {
  if (call->responded || call->overflowed) {
    return;
  }
  size_t total = call->room_used + call->kept.len + bytes.len;
  // Before the first attempt everything is kept: it is not consumed, so the
  // caller's window bounds it.
  if (call->attempts > 0 && total > PERI_PROXY_KEEP_BYTES) {
    call->overflowed = true;
    forget_body(call);
    return;
  }
  if (call->kept.len == 0 && total <= PERI_PROXY_ROOM_BYTES) {
    memcpy(call->room + call->room_used, bytes.ptr, bytes.len);
    call->room_used = total;
  } else if (peri_buffer_add(&call->kept, bytes.ptr, bytes.len) < 0) {
    call->overflowed = true;
    forget_body(call);
  }
}

// Remembers the endpoint that is about to be tried. @return 0 or PERI_ENOMEM.
static int note(struct peri_proxy_call *call, struct peri_load *load) {
  if (call->tried_count == call->tried_capacity) {
    size_t capacity = call->tried_capacity * 2;
    struct peri_load **tried = malloc(capacity * sizeof(struct peri_load *));
    if (tried == NULL) {
      return PERI_ENOMEM;
    }
    memcpy(tried, call->tried, call->tried_count * sizeof(struct peri_load *));
    if (call->tried != call->tried_room) {
      free(call->tried);
    }
    call->tried = tried;
    call->tried_capacity = capacity;
  }
  load->holders++;
  call->tried[call->tried_count++] = load;
  return 0;
}

// The end of the list: the caller has tried it and may again.
static void unnote(struct peri_proxy_call *call) {
  call->tried[--call->tried_count]->holders--;
}

bool peri_proxy_is_tried(struct peri_load *const *tried, size_t count,
                         const struct peri_load *load) {
  for (size_t i = 0; i < count; i++) {
    if (tried[i] == load) {
      return true;
    }
  }
  return false;
}

void peri_proxy_tried_done(struct peri_proxy_call *call) {
  while (call->tried_count > 0) {
    unnote(call);
  }
  if (call->tried != call->tried_room) {
    free(call->tried);
  }
}

// Gives a new attempt the body so far.
static void replay(struct peri_proxy_call *call) {
  const struct peri_h2_piece pieces[] = {
      {.bytes = {call->room, call->room_used}},
      {.bytes = peri_buffer_slice(&call->kept)}};
  size_t total = call->room_used + call->kept.len;
  call->replayed = total - (call->owed_up < total ? call->owed_up : total);
  if (total > 0) {
    // A stream that is lost already says so in on_close.
    (void)peri_h2_stream_write(call->endpoint, pieces,
                               call->kept.len > 0 ? 2 : 1);
  }
  if (total > PERI_PROXY_KEEP_BYTES) {
    call->overflowed = true;
    forget_body(call);
  }
  if (call->request_over) {
    peri_proxy_call_finish_request(call);
  }
}

static int begin(struct peri_proxy_call *call) {
  struct peri_load *load = call->set->loads[call->index];
  int rc = note(call, load);
  if (rc < 0) {
    peri_proxy_set_unref(call->set);
    call->set = NULL;
    return rc;
  }
  peri_load_begin(load);
  call->placed = true;
  call->attempts++;
  call->attempt_ns = peri_proxy_now(call->proxy);
  rc = peri_proxy_headers_send(call, &peri_proxy_endpoint_events);
  if (rc == 0) {
    replay(call);
  }
  return rc;
}

static const char *address_of(const struct peri_proxy_call *call) {
  return peri_peers_at(call->set->peers, call->index)->address;
}

static void none_left(struct peri_proxy_call *call, int code) {
  const char *name = call->service->text;
  const struct peri_proxy_set *set = call->service->set;
  if (code == PERI_ENOMEM) {
    peri_proxy_refuse(call, PERI_STATUS_RESOURCE_EXHAUSTED, "out of memory");
  } else if (call->last.code != 0) {
    peri_proxy_refuse(call, PERI_STATUS_UNAVAILABLE, "%s: %s", name,
                      call->last.text);
  } else if (set == NULL || set->count == 0) {
    peri_proxy_refuse(call, PERI_STATUS_UNAVAILABLE, "%s: no endpoint is known",
                      name);
  } else {
    peri_proxy_refuse(call, PERI_STATUS_UNAVAILABLE,
                      "%s: the balancer wants none of %zu endpoints", name,
                      set->count);
  }
}

void peri_proxy_attempt(struct peri_proxy_call *call) {
  int rc = peri_proxy_choose(call);
  while (rc == 0) {
    rc = begin(call);
    if (rc == 0) {
      return;
    }
    if (call->set != NULL) {
      (void)peri_problem_set(&call->last, rc, "%s: %s", address_of(call),
                             peri_error_text(rc));
    }
    peri_proxy_attempt_over(call, PERI_STATUS_UNAVAILABLE, true);
    if (rc != PERI_EINVAL) {
      break;
    }
    rc = peri_proxy_choose(call);
  }
  none_left(call, rc);
}

void peri_proxy_attempt_over(struct peri_proxy_call *call, int status,
                             bool failed) {
  if (!call->placed || call->set == NULL) {
    return;
  }
  uint64_t now_ns = peri_proxy_now(call->proxy);
  uint64_t until_ns = call->headed_ns != 0 ? call->headed_ns : now_ns;
  struct peri_outcome outcome = {
      .status = status < 0 ? PERI_STATUS_UNKNOWN : status,
      .failed = failed,
      .latency_ns =
          until_ns > call->attempt_ns ? until_ns - call->attempt_ns : 0,
      .bytes = call->bytes_down};
  struct peri_balancer *balancer = call->service->balancer;
  call->placed = false;
  call->ended_ns = now_ns;
  peri_load_end(call->set->loads[call->index], now_ns, outcome.latency_ns,
                !failed);
  if (call->picked && balancer != NULL && balancer->done != NULL) {
    struct peri_pick_request request;
    peri_proxy_ask(call, &request);
    request.attempt = call->attempts;
    balancer->done(balancer, &request, address_of(call), &outcome);
  }
  call->picked = false;
  peri_proxy_set_unref(call->set);
  call->set = NULL;
}

// Words for how an attempt ended; kept, since it may have been the last.
static void describe(struct peri_proxy_call *call,
                     const struct peri_h2_end *end) {
  int code = end->code != 0 ? end->code : PERI_ECLOSED;
  if (end->reset) {
    (void)peri_problem_set(&call->last, code,
                           "%s reset the stream with HTTP/2 error %u",
                           address_of(call), (unsigned)end->h2_error);
  } else if (end->cause != 0 && code == PERI_ECONNECT) {
    (void)peri_problem_set(&call->last, code, "%s: %s: %s", address_of(call),
                           peri_error_text(code), peri_error_text(end->cause));
  } else {
    (void)peri_problem_set(&call->last, code, "%s: %s", address_of(call),
                           peri_proxy_end_words(end));
  }
}

static enum peri_proxy_reason reason_of(const struct peri_h2_end *end) {
  return end->goaway                  ? PERI_REASON_GOAWAY
         : end->code == PERI_EREFUSED ? PERI_REASON_REFUSED
         : end->code == PERI_ECONNECT ? PERI_REASON_CONNECT
                                      : PERI_REASON_CLOSED;
}

// Whether another attempt may be made. An endpoint that ends a connection may
// be asked once more over another one when it is the last.
static bool may_go_on(struct peri_proxy_call *call,
                      const struct peri_h2_end *end) {
  const struct peri_proxy_set *set = call->service->set;
  if (!end->unprocessed || call->overflowed || set == NULL ||
      (call->deadline_ns != 0 && call->deadline_ns <= peri_clock_mono_ns())) {
    return false;
  }
  if (call->tried_count >= set->count && end->goaway && !call->again) {
    call->again = true;
    unnote(call);
  }
  return call->tried_count < set->count;
}

void peri_proxy_attempt_lost(struct peri_proxy_call *call,
                             const struct peri_h2_end *end) {
  int status = peri_proxy_status_of(end);
  describe(call, end);
  peri_proxy_attempt_over(call, status, true);
  if (may_go_on(call, end)) {
    peri_proxy_count_retry(call->proxy, reason_of(end));
    peri_proxy_attempt(call);
  } else {
    peri_proxy_refuse(call, status, "%s: %s", call->service->text,
                      call->last.text);
  }
}
