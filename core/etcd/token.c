#include <etcd.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "etcd/private.h"
#include "loop/timer.h"
#include "rpc/call.h"

/// At most one Authenticate in this time: each costs the server a bcrypt.
enum { LOGIN_PAUSE_MS = 1000 };

static void login(void *ctx);

int peri_etcd_token_init(struct peri_etcd *etcd,
                         const struct peri_etcd_options *options) {
  peri_list_init(&etcd->waiters);
  if (options->user.len == 0) {
    return 0;
  }
  etcd->user = peri_slice_dup(options->user);
  etcd->password = peri_slice_dup(options->password);
  if (etcd->user == NULL || etcd->password == NULL) {
    return PERI_ENOMEM;
  }
  etcd->user_len = options->user.len;
  etcd->password_len = options->password.len;
  return peri_timer_new(etcd->loop, login, etcd, &etcd->login_timer);
}

static void wipe(char **secret, size_t len) {
  if (*secret != NULL) {
    explicit_bzero(*secret, len);
    free(*secret);
    *secret = NULL;
  }
}

static void wipe_token(struct peri_etcd *etcd) {
  wipe(&etcd->token, etcd->token != NULL ? strlen(etcd->token) : 0);
}

void peri_etcd_token_free(struct peri_etcd *etcd) {
  if (etcd->login != NULL) {
    peri_etcd_call_cancel(etcd->login);
    etcd->login = NULL;
  }
  peri_timer_free(etcd->login_timer);
  etcd->login_timer = NULL;
  wipe_token(etcd);
  wipe(&etcd->password, etcd->password_len);
  free(etcd->user);
  etcd->user = NULL;
}

/// Lets everybody go on who waited until now; who begins to wait meanwhile
/// waits for the next one.
static void release(struct peri_etcd *etcd,
                    const struct peri_etcd_error *error) {
  struct peri_list now, *link;
  peri_list_init(&now);
  peri_list_splice(&now, &etcd->waiters);
  while ((link = peri_list_pop(&now)) != NULL) {
    struct peri_etcd_waiter *waiter =
        PERI_CONTAINER_OF(link, struct peri_etcd_waiter, link);
    waiter->ready(waiter, error);
  }
}

static void fail(struct peri_etcd *etcd, const struct peri_etcd_error *error) {
  struct peri_etcd_error copy_of = *error;
  etcd->login_error = copy_of;
  release(etcd, &copy_of);
}

/// Takes over a token, which must be fit to travel as metadata.
static bool take(struct peri_etcd *etcd, struct peri_slice token) {
  for (size_t i = 0; i < token.len; i++) {
    if (token.ptr[i] < 0x21 || token.ptr[i] > 0x7e) {
      return false;
    }
  }
  char *kept = token.len > 0 ? peri_slice_dup(token) : NULL;
  if (kept == NULL) {
    return false;
  }
  wipe_token(etcd);
  etcd->token = kept;
  etcd->token_version++;
  etcd->token_ns = peri_clock_mono_ns();
  etcd->login_error.kind = PERI_ETCD_OK;
  return true;
}

static void login_done(void *ctx, const struct peri_etcd_error *error,
                       struct peri_slice message) {
  struct peri_etcd *etcd = ctx;
  struct peri_etcd_error garbage;
  etcd->login = NULL;
  etcd->login_asked = false;
  if (error != NULL) {
    if (strstr(error->text, "authentication is not enabled") != NULL) {
      etcd->open_door = true;
      release(etcd, NULL);
      return;
    }
    fail(etcd, error);
    return;
  }
  struct ProtobufCMessage *unpacked = peri_etcd_unpack(
      &etcdpb__authenticate_response__descriptor, message, &garbage);
  if (unpacked == NULL) {
    fail(etcd, &garbage);
    return;
  }
  Etcdpb__AuthenticateResponse *response =
      (Etcdpb__AuthenticateResponse *)unpacked;
  bool taken = take(etcd, peri_proto_slice(response->token));
  if (response->token.len > 0) {
    explicit_bzero(response->token.data, response->token.len);
  }
  protobuf_c_message_free_unpacked(unpacked, NULL);
  if (!taken) {
    peri_etcd_error_set(&garbage, PERI_ETCD_GARBAGE,
                        "etcd answered with what can be no token");
    fail(etcd, &garbage);
    return;
  }
  release(etcd, NULL);
}

static int authenticate(struct peri_etcd *etcd) {
  Etcdpb__AuthenticateRequest message = ETCDPB__AUTHENTICATE_REQUEST__INIT;
  struct peri_slice user = {etcd->user, etcd->user_len};
  struct peri_slice password = {etcd->password, etcd->password_len};
  struct peri_buffer packed = {NULL, 0, 0};
  message.name = peri_proto_bytes(user);
  message.password = peri_proto_bytes(password);
  int rc = peri_proto_pack(&message.base, &packed);
  if (rc == 0) {
    // A little less than those have who wait for it, so that they learn why.
    struct peri_etcd_request request = {
        .path = "/etcdserverpb.Auth/Authenticate",
        .message = peri_buffer_slice(&packed),
        .replay = true,
        .timeout_ms = etcd->timeout_ms - etcd->timeout_ms / 4,
        .endpoint = -1};
    rc = peri_etcd_call_bare(etcd, &request, login_done, etcd, &etcd->login);
  }
  if (packed.ptr != NULL) {
    explicit_bzero(packed.ptr, packed.len);
  }
  peri_buffer_done(&packed);
  return rc;
}

static void login(void *ctx) {
  struct peri_etcd *etcd = ctx;
  etcd->login_ns = peri_clock_mono_ns();
  if (etcd->metrics != NULL) {
    peri_metric_add(peri_metrics_counter(
                        etcd->metrics, "perigee_etcd_authentications_total",
                        "Tokens that were asked of etcd.", NULL),
                    1);
  }
  if (authenticate(etcd) < 0) {
    struct peri_etcd_error error;
    etcd->login_asked = false;
    peri_etcd_error_set(&error, PERI_ETCD_BUSY, "out of memory");
    fail(etcd, &error);
  }
}

bool peri_etcd_token_ready(struct peri_etcd *etcd,
                           struct peri_etcd_waiter *waiter) {
  if (etcd->user == NULL || etcd->token != NULL || etcd->open_door) {
    return true;
  }
  peri_list_push(&etcd->waiters, &waiter->link);
  if (!etcd->login_asked) {
    uint64_t passed_ms = (peri_clock_mono_ns() - etcd->login_ns) / 1000000;
    bool wait = etcd->login_ns != 0 && passed_ms < LOGIN_PAUSE_MS;
    etcd->login_asked = true;
    peri_timer_start(etcd->login_timer, wait ? LOGIN_PAUSE_MS - passed_ms : 0,
                     0);
  }
  return false;
}

void peri_etcd_token_forget(struct peri_etcd *etcd, uint64_t version) {
  if (etcd->token_version == version) {
    wipe_token(etcd);
    etcd->open_door = false;
  }
}

size_t peri_etcd_fields(const struct peri_etcd *etcd, bool leaderless,
                        bool bare, struct peri_rpc_field *fields) {
  size_t count = 0;
  if (!leaderless) {
    fields[count].name = peri_slice_of("hasleader");
    fields[count++].value = peri_slice_of("true");
  }
  if (!bare && etcd->token != NULL) {
    fields[count].name = peri_slice_of("token");
    fields[count++].value = peri_slice_of(etcd->token);
  }
  return count;
}
