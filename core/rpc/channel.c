#include "rpc/channel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/slice.h"
#include "rpc/private.h"

enum {
  RECEIVE_BYTES = 64 << 20,
  CONNECT_MS = 5000,
  KEEPALIVE_LEAST_MS = 6000,
  KEEPALIVE_TIMEOUT_MS = 2000,
  ARGS = 16
};

struct args {
  grpc_arg list[ARGS];
  size_t count;
};

static void add_int(struct args *args, const char *key, int value) {
  grpc_arg *arg = &args->list[args->count++];
  memset(arg, 0, sizeof(*arg));
  arg->type = GRPC_ARG_INTEGER;
  arg->key = (char *)(uintptr_t)key;
  arg->value.integer = value;
}

static void add_text(struct args *args, const char *key, const char *value) {
  grpc_arg *arg = &args->list[args->count++];
  memset(arg, 0, sizeof(*arg));
  arg->type = GRPC_ARG_STRING;
  arg->key = (char *)(uintptr_t)key;
  arg->value.string = (char *)(uintptr_t)value;
}

/// Names the resolver, so that an address is never looked up as a name.
static int uri_of(struct peri_slice target, char *ret_uri, size_t capacity) {
  struct peri_address address;
  char text[300];
  int rc = peri_address_parse(target, &address);
  if (rc < 0) {
    return rc;
  }
  peri_address_format(&address, text, sizeof(text));
  const char *scheme = "dns:///";
  if (address.kind == PERI_ADDRESS_IPV4) {
    scheme = "ipv4:";
  } else if (address.kind == PERI_ADDRESS_IPV6) {
    scheme = "ipv6:";
  } else if (address.kind == PERI_ADDRESS_UNIX) {
    scheme = "";  // "unix:PATH" is one already.
  }
  snprintf(ret_uri, capacity, "%s%s", scheme, text);
  return 0;
}

static void fill(struct args *args,
                 const struct peri_rpc_channel_options *options) {
  int connect = options->connect_ms > 0 ? (int)options->connect_ms : CONNECT_MS;
  add_int(args, GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  add_int(args, GRPC_ARG_ENABLE_RETRIES, 0);
  add_int(args, GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  add_int(args, GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  add_int(args, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, RECEIVE_BYTES);
  add_int(args, GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // Despite its name: how long an attempt to connect may take.
  add_int(args, GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, connect);
  add_int(args, GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  add_text(args, GRPC_ARG_PRIMARY_USER_AGENT_STRING, "perigee/" PERI_VERSION);
  if (options->keepalive_ms > 0) {
    int timeout = options->keepalive_timeout_ms > 0
                      ? (int)options->keepalive_timeout_ms
                      : KEEPALIVE_TIMEOUT_MS;
    add_int(args, GRPC_ARG_KEEPALIVE_TIME_MS, (int)options->keepalive_ms);
    add_int(args, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, timeout);
    add_int(args, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);
    // By default only two pings go out on an idle watch, and a dead server is
    // never noticed.
    add_int(args, GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  }
}

/// NULL when out of memory.
static char *dup_or_null(struct peri_slice text, bool *ret_failed) {
  char *copied = text.len > 0 ? peri_slice_dup(text) : NULL;
  *ret_failed = *ret_failed || (text.len > 0 && copied == NULL);
  return copied;
}

static grpc_channel_credentials *make_credentials(
    const struct peri_grpc *grpc, const struct peri_rpc_tls *tls) {
  grpc_channel_credentials *credentials = NULL;
  bool failed = false;
  if (tls == NULL) {
    return grpc->insecure_credentials();
  }
  char *roots = dup_or_null(tls->roots, &failed);
  char *certificate = dup_or_null(tls->certificate, &failed);
  char *key = dup_or_null(tls->key, &failed);
  grpc_ssl_pem_key_cert_pair pair = {key, certificate};
  if (!failed) {
    credentials = grpc->ssl_credentials(
        roots, certificate != NULL ? &pair : NULL, NULL, NULL);
  }
  free(roots);
  free(certificate);
  free(key);
  return credentials;
}

static grpc_channel *open_channel(
    const struct peri_grpc *grpc, const char *uri,
    const struct peri_rpc_channel_options *options) {
  struct args args = {.count = 0};
  bool failed = false;
  char *name = options->tls != NULL
                   ? dup_or_null(options->tls->server_name, &failed)
                   : NULL;
  grpc_channel *channel = NULL;
  fill(&args, options);
  if (name != NULL) {
    add_text(&args, GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, name);
  }
  grpc_channel_credentials *credentials =
      failed ? NULL : make_credentials(grpc, options->tls);
  if (credentials != NULL) {
    grpc_channel_args list = {args.count, args.list};
    channel = grpc->channel_create(uri, credentials, &list);
    grpc->credentials_release(credentials);
  }
  free(name);
  return channel;
}

static int check(const struct peri_rpc_channel_options *options, char *ret_uri,
                 size_t capacity, struct peri_problem *ret_problem) {
  const struct peri_rpc_tls *tls = options->tls;
  int rc = uri_of(options->target, ret_uri, capacity);
  if (rc < 0) {
    return peri_problem_set(ret_problem, rc,
                            "\"%.*s\" is no address: write host:port or "
                            "unix:PATH",
                            (int)options->target.len, options->target.ptr);
  }
  if (options->keepalive_ms > 0 && options->keepalive_ms < KEEPALIVE_LEAST_MS) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "keepalive must be at least %d ms",
                            KEEPALIVE_LEAST_MS);
  }
  if (tls != NULL && (tls->certificate.len > 0) != (tls->key.len > 0)) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "a certificate and its key come together");
  }
  return 0;
}

int peri_rpc_channel_new(const struct peri_rpc_channel_options *options,
                         struct peri_rpc_channel **ret_channel,
                         struct peri_problem *ret_problem) {
  char uri[320];
  int rc = check(options, uri, sizeof(uri), ret_problem);
  if (rc < 0) {
    return rc;
  }
  struct peri_rpc_channel *channel = calloc(1, sizeof(*channel));
  if (channel == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  rc = peri_grpc_load(&channel->grpc, ret_problem);
  if (rc < 0) {
    goto fail_load;
  }
  channel->grpc.init();
  channel->channel = open_channel(&channel->grpc, uri, options);
  if (channel->channel == NULL) {
    // C core only says why in a log of its own; PEM texts are checked here.
    rc = options->tls != NULL
             ? peri_problem_set(ret_problem, PERI_EINVAL,
                                "gRPC does not take the certificates")
             : peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
    goto fail_init;
  }
  *ret_channel = channel;
  return 0;

fail_init:
  channel->grpc.shutdown();
fail_load:
  free(channel);
  return rc;
}

void peri_rpc_channel_free(struct peri_rpc_channel *channel) {
  if (channel == NULL) {
    return;
  }
  channel->grpc.channel_destroy(channel->channel);
  channel->grpc.shutdown();
  free(channel);
}

bool peri_rpc_channel_settle(struct peri_rpc_channel *channel,
                             uint64_t limit_ms) {
  static const struct timespec pause = {.tv_nsec = 1000000};
  if (channel == NULL) {
    return true;
  }
  uint64_t until_ns = peri_clock_mono_ns() + limit_ms * 1000000;
  __typeof__(&grpc_is_initialized) is_initialized =
      channel->grpc.is_initialized;
  peri_rpc_channel_free(channel);
  while (is_initialized()) {
    if (peri_clock_mono_ns() >= until_ns) {
      return false;
    }
    nanosleep(&pause, NULL);
  }
  return true;
}
