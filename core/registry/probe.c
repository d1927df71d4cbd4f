#include "registry/probe.h"

#include <errno.h>
#include <health.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "base/proto.h"
#include "base/random.h"
#include "base/status.h"
#include "loop/timer.h"
#include "registry/reach_private.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "rpc/client.h"

enum { DEFAULT_MS = 1000, FAILURES = 2 };

enum state { UNKNOWN, HEALTHY, UNHEALTHY };

struct peri_probe {
  int kind;
  uint32_t every_ms;
  uint32_t timeout_ms;
  struct peri_timer *timer;  // of the next look, or of a look's time limit
  struct peri_reach reach;
  struct peri_rpc_client *rpc;
  struct peri_rpc_channel *channel;
  struct peri_rpc_unary *unary;
  struct peri_buffer request;
  bool looking;
  enum state state;
  unsigned failures;  // in a row
  uint64_t random;
  void (*changed)(void *ctx, bool healthy, const char *why);
  void *ctx;
};

// 90 to 110 % of the time, so that probes that began together drift apart.
static uint64_t pause_ms(struct peri_probe *probe) {
  uint32_t spread = probe->every_ms / 5;

  return (uint64_t)probe->every_ms - spread / 2 +
         peri_random_below(&probe->random, spread + 1);
}

// A look is over, with words on what is wrong or NULL. `definite`: one failure
// is enough. `changed` may free the probe, so it comes last.
static void conclude(struct peri_probe *probe, const char *why, bool definite) {
  enum state state = probe->state;

  probe->looking = false;
  if (probe->kind == PERI_PROBE_NONE) {
    peri_timer_stop(probe->timer);
  } else {
    peri_timer_start(probe->timer, pause_ms(probe), 0);
  }
  if (!why) {
    probe->failures = 0;
    state = HEALTHY;
  } else if (probe->failures < FAILURES) {
    probe->failures++;
  }
  if (why && (definite || probe->failures >= FAILURES)) {
    state = UNHEALTHY;
  }
  if (state != probe->state) {
    probe->state = state;
    probe->changed(probe->ctx, state == HEALTHY, why ? why : "");
  }
}

static void on_reached(void *ctx, int error) {
  struct peri_probe *probe = ctx;
  char words[160];

  if (error == 0) {
    conclude(probe, NULL, false);
    return;
  }
  bool refused = error == -ECONNREFUSED || error == -ENOENT;
  snprintf(words, sizeof(words), "no connection: %s",
           error == -ENXIO ? "the name stands for no address"
                           : peri_error_text(error));
  conclude(probe, words, refused);
}

static const char *status_words(int status) {
  switch (status) {
    case GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING:
      return NULL;
    case GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING:
      return "the health check says NOT_SERVING";
    case GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN:
      return "the health check says SERVICE_UNKNOWN";
    default:
      return "the health check says UNKNOWN";
  }
}

static void read_answer(struct peri_probe *probe, struct peri_slice message) {
  Grpc__Health__V1__HealthCheckResponse *response =
      grpc__health__v1__health_check_response__unpack(
          NULL, message.len, (const uint8_t *)message.ptr);

  if (!response) {
    conclude(probe, "the health check's answer cannot be read", false);
    return;
  }
  const char *why = status_words((int)response->status);
  grpc__health__v1__health_check_response__free_unpacked(response, NULL);
  conclude(probe, why, true);
}

static void on_answered(void *ctx, const struct peri_rpc_result *result) {
  struct peri_probe *probe = ctx;
  char words[256];

  probe->unary = NULL;
  if (result->status == PERI_STATUS_OK) {
    read_answer(probe, peri_buffer_slice(&result->message));
    return;
  }
  // C core has no code of its own for this.
  bool refused = result->status == PERI_STATUS_UNAVAILABLE &&
                 strstr(result->text, "onnection refused");
  snprintf(words, sizeof(words), "the health check ends with %s: %.200s",
           peri_status_name(result->status), result->text);
  conclude(probe, words, refused);
}

static void look_grpc(struct peri_probe *probe) {
  struct peri_rpc_request request = {
      .path = "/grpc.health.v1.Health/Check",
      .message = peri_buffer_slice(&probe->request),
      .timeout_ms = probe->timeout_ms,
  };
  int rc = peri_rpc_unary_start(probe->rpc, probe->channel, &request,
                                on_answered, probe, &probe->unary);
  if (rc < 0) {
    conclude(probe, peri_error_text(rc), false);
  }
}

static void on_timer(void *ctx) {
  struct peri_probe *probe = ctx;
  char words[64];

  if (probe->looking) {
    peri_reach_give_up(&probe->reach);
    snprintf(words, sizeof(words), "no connection within %u ms",
             (unsigned)probe->timeout_ms);
    conclude(probe, words, false);
    return;
  }
  probe->looking = true;
  switch (probe->kind) {
    case PERI_PROBE_TCP:
      peri_timer_start(probe->timer, probe->timeout_ms, 0);
      peri_reach_start(&probe->reach);
      break;
    case PERI_PROBE_GRPC:
      look_grpc(probe);
      break;
    default:
      conclude(probe, NULL, false);
      break;
  }
}

static int make_request(struct peri_probe *probe, struct peri_slice service) {
  Grpc__Health__V1__HealthCheckRequest request =
      GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;

  request.service = peri_proto_bytes(service);
  return peri_proto_pack(&request.base, &probe->request);
}

static int open_grpc(struct peri_probe *probe,
                     const struct peri_probe_options *options,
                     struct peri_problem *ret_problem) {
  struct peri_rpc_channel_options channel = {.target = options->address};

  if (make_request(probe, options->service) < 0) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  probe->rpc = options->rpc;
  return peri_rpc_channel_new(&channel, &probe->channel, ret_problem);
}

static int check(const struct peri_probe_options *options,
                 struct peri_address *ret_address,
                 struct peri_problem *ret_problem) {
  if (options->kind != PERI_PROBE_NONE && options->kind != PERI_PROBE_TCP &&
      options->kind != PERI_PROBE_GRPC) {
    return peri_problem_set(ret_problem, PERI_EINVAL, "no such health check");
  }
  if (options->kind == PERI_PROBE_GRPC && !options->rpc) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "a gRPC health check needs gRPC");
  }
  if (peri_address_parse(options->address, ret_address) < 0 ||
      (ret_address->kind != PERI_ADDRESS_UNIX && ret_address->port == 0)) {
    size_t len = options->address.len < 300 ? options->address.len : 300;
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "\"%.*s\" is not an address such as HOST:PORT",
                            (int)len, len > 0 ? options->address.ptr : "");
  }
  return 0;
}

int peri_probe_new(const struct peri_probe_options *options,
                   struct peri_probe **ret_probe,
                   struct peri_problem *ret_problem) {
  struct peri_address address;
  int rc = check(options, &address, ret_problem);

  if (rc < 0) {
    return rc;
  }
  struct peri_probe *probe = calloc(1, sizeof(*probe));
  if (!probe) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  probe->kind = options->kind;
  probe->every_ms = options->every_ms > 0 ? options->every_ms : DEFAULT_MS;
  probe->timeout_ms =
      options->timeout_ms > 0 ? options->timeout_ms : DEFAULT_MS;
  probe->random = peri_hash_random_seed();
  probe->changed = options->changed;
  probe->ctx = options->ctx;
  peri_reach_init(&probe->reach, options->loop, &address, on_reached, probe);
  rc = peri_timer_new(options->loop, on_timer, probe, &probe->timer);
  if (rc < 0) {
    peri_problem_set(ret_problem, rc, "out of memory");
    goto fail_probe;
  }
  if (probe->kind == PERI_PROBE_GRPC) {
    rc = open_grpc(probe, options, ret_problem);
    if (rc < 0) {
      goto fail_probe;
    }
  }
  peri_timer_start(probe->timer, 0, 0);
  *ret_probe = probe;
  return 0;

fail_probe:
  peri_probe_free(probe);
  return rc;
}

void peri_probe_free(struct peri_probe *probe) {
  if (!probe) {
    return;
  }
  if (probe->unary) {
    peri_rpc_unary_cancel(probe->unary);
  }
  peri_rpc_channel_free(probe->channel);
  peri_reach_stop(&probe->reach);
  peri_timer_free(probe->timer);
  peri_buffer_done(&probe->request);
  free(probe);
}
