#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/hash.h"
#include "base/slice.h"
#include "base/status.h"
#include "etcd/call_private.h"
#include "loop/timer.h"
#include "rpc/call.h"
#include "rpc/client.h"

enum { PAUSE_MIN_MS = 25, PAUSE_MAX_MS = 250, TOKEN_YOUNG_NS = 1000000000 };

/// What the attempts together say: the last word that tells more than that
/// nobody answered, unless a whole round brought nothing like it again; else
/// that, else that nobody could be reached.
static void note(struct peri_etcd_call *call,
                 const struct peri_etcd_error *error) {
  int kind = call->last.kind;
  bool weak =
      error->kind == PERI_ETCD_UNREACHABLE ||
      (error->kind == PERI_ETCD_TIMEOUT && kind != PERI_ETCD_UNREACHABLE);
  bool known = kind != PERI_ETCD_OK && kind != PERI_ETCD_UNREACHABLE;
  if (!weak || !known || call->last_round + 1 < call->rounds) {
    call->last = *error;
    call->last_round = call->rounds;
  }
}

static uint64_t left_ms(const struct peri_etcd_call *call) {
  uint64_t now = peri_clock_mono_ns();
  return now < call->deadline_ns ? (call->deadline_ns - now + 999999) / 1000000
                                 : 0;
}

static void arm_deadline(struct peri_etcd_call *call) {
  call->pausing = false;
  if (call->limited) {
    peri_timer_start(call->timer, left_ms(call), 0);
  } else {
    peri_timer_stop(call->timer);
  }
}

/// Waits 25 ms, doubled with every round up to 250 ms; all of it but the half
/// is left to chance.
static void pause_round(struct peri_etcd_call *call) {
  uint32_t shift = call->rounds < 4 ? call->rounds : 4;
  uint64_t wait_ms = (uint64_t)PAUSE_MIN_MS << shift;
  if (wait_ms > PAUSE_MAX_MS) {
    wait_ms = PAUSE_MAX_MS;
  }
  wait_ms = wait_ms / 2 + peri_hash_random_seed() % (wait_ms / 2 + 1);
  if (wait_ms < PAUSE_MIN_MS) {
    wait_ms = PAUSE_MIN_MS;
  }
  call->rounds++;
  call->tried = 0;
  call->round_tls = true;
  if (call->limited && wait_ms >= left_ms(call)) {
    arm_deadline(call);
    return;
  }
  call->pausing = true;
  peri_timer_start(call->timer, wait_ms, 0);
}

static void give_up(struct peri_etcd_call *call, int rc) {
  struct peri_etcd_error error;
  struct peri_slice none = {NULL, 0};
  peri_etcd_error_set(
      &error, rc == PERI_ENOMEM ? PERI_ETCD_BUSY : PERI_ETCD_INVALID,
      rc == PERI_ENOMEM ? "out of memory" : "gRPC refuses the request");
  peri_etcd_call_finish(call, &error, none);
}

static void go_on(struct peri_etcd_call *call) {
  int rc = peri_etcd_attempt(call);
  if (rc < 0) {
    give_up(call, rc);
  }
}

/// The token was refused: another is got, once; one that just came may only not
/// be known to all members yet.
static void retry_login(struct peri_etcd_call *call,
                        const struct peri_etcd_error *error) {
  struct peri_etcd *etcd = call->etcd;
  struct peri_slice none = {NULL, 0};
  if (call->token_version != etcd->token_version) {
    go_on(call);
    return;
  }
  if (etcd->token != NULL &&
      peri_clock_mono_ns() - etcd->token_ns < TOKEN_YOUNG_NS) {
    pause_round(call);
    return;
  }
  if (call->renewed) {
    peri_etcd_call_finish(call, error, none);
    return;
  }
  call->renewed = true;
  call->tried = 0;
  peri_etcd_token_forget(etcd, call->token_version);
  go_on(call);
}

static void attempt_failed(struct peri_etcd_call *call,
                           const struct peri_etcd_error *error) {
  struct peri_slice none = {NULL, 0};
  struct peri_etcd *etcd = call->etcd;
  note(call, error);
  if (error->kind == PERI_ETCD_TOKEN) {
    retry_login(call, error);
    return;
  }
  bool tls = error->kind == PERI_ETCD_TLS;
  if (peri_etcd_kind_class(error->kind) == PERI_ETCD_PERMANENT && !tls) {
    peri_etcd_endpoint_well(etcd, call->endpoint);
    peri_etcd_call_finish(call, error, none);
    return;
  }
  peri_etcd_endpoint_suspect(etcd, call->endpoint);
  call->round_tls = call->round_tls && tls;
  bool last_of_round =
      call->only >= 0 || peri_etcd_endpoint_pick(etcd, call->tried) < 0;
  if ((!call->replay && !peri_etcd_error_undone(error)) ||
      (call->round_tls && last_of_round)) {
    peri_etcd_call_finish(call, error, none);
    return;
  }
  go_on(call);
}

static void attempt_done(void *ctx, const struct peri_rpc_result *result) {
  struct peri_etcd_call *call = ctx;
  call->unary = NULL;
  if (result->status == PERI_STATUS_OK) {
    peri_etcd_endpoint_well(call->etcd, call->endpoint);
    peri_etcd_call_finish(call, NULL, peri_buffer_slice(&result->message));
    return;
  }
  struct peri_etcd_error error;
  peri_etcd_error_of(result->status, result->text, &error);
  peri_etcd_error_judge(call->etcd, &error);
  if (error.kind == PERI_ETCD_TIMEOUT) {
    peri_etcd_error_set(&error, PERI_ETCD_TIMEOUT, "no answer from %s in time",
                        peri_etcd_endpoint_name(call->etcd, call->endpoint));
    error.status = result->status;
  }
  attempt_failed(call, &error);
}

static void token_came(struct peri_etcd_waiter *waiter,
                       const struct peri_etcd_error *error) {
  struct peri_etcd_call *call =
      PERI_CONTAINER_OF(waiter, struct peri_etcd_call, waiter);
  struct peri_slice none = {NULL, 0};
  if (error != NULL) {
    peri_etcd_call_finish(call, error, none);
    return;
  }
  go_on(call);
}

/// How long the attempt may take, for gRPC; 0 for no limit. What cannot be
/// sent twice gets all the time there is.
static uint64_t attempt_ms(const struct peri_etcd_call *call) {
  if (!call->limited) {
    return 0;
  }
  uint64_t left = left_ms(call);
  uint64_t most = call->etcd->attempt_ms;
  return call->replay && left > most ? most : left;
}

int peri_etcd_attempt(struct peri_etcd_call *call) {
  struct peri_etcd *etcd = call->etcd;
  arm_deadline(call);
  if (call->limited && left_ms(call) == 0) {
    return 0;  // The timer, just started, says so.
  }
  call->waiter.ready = token_came;
  if (!call->bare && !peri_etcd_token_ready(etcd, &call->waiter)) {
    return 0;
  }
  uint32_t allowed = call->only >= 0 ? ~(UINT32_C(1) << call->only) : 0;
  call->endpoint = peri_etcd_endpoint_pick(etcd, call->tried | allowed);
  if (call->endpoint < 0) {
    pause_round(call);
    return 0;
  }
  call->tried |= UINT32_C(1) << call->endpoint;
  call->token_version = etcd->token_version;
  struct peri_rpc_field fields[PERI_ETCD_MAX_FIELDS];
  struct peri_rpc_request request = {
      .path = call->bytes.ptr,
      .metadata = fields,
      .metadata_count =
          peri_etcd_fields(etcd, call->leaderless, call->bare, fields),
      .message = {call->bytes.ptr + call->path_bytes,
                  call->bytes.len - call->path_bytes},
      .timeout_ms = attempt_ms(call)};
  return peri_rpc_unary_start(etcd->client,
                              etcd->endpoints[call->endpoint].channel, &request,
                              attempt_done, call, &call->unary);
}
