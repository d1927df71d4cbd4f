#include "rpc/rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/slice.h"
#include "rpc/library.h"

enum {
  RECEIVE_BYTES = 64 << 20,
  CONNECT_MS = 5000,
  MAX_METADATA = 32,
  FIXED_OPS = 6
};

struct peri_rpc_channel {
  struct peri_grpc grpc;
  grpc_channel *channel;
};

/// Everything that one call owns while it is under way.
struct exchange {
  const struct peri_grpc *grpc;
  grpc_completion_queue *queue;
  grpc_call *call;
  grpc_metadata metadata[MAX_METADATA];
  size_t metadata_count;
  grpc_byte_buffer *sent;
  grpc_byte_buffer *received;
  grpc_metadata_array initial;
  grpc_metadata_array trailing;
  grpc_status_code status;
  grpc_slice details;
};

static grpc_arg int_arg(const char *key, int value) {
  grpc_arg arg;
  memset(&arg, 0, sizeof(arg));
  arg.type = GRPC_ARG_INTEGER;
  arg.key = (char *)(uintptr_t)key;
  arg.value.integer = value;
  return arg;
}

static grpc_arg text_arg(const char *key, const char *value) {
  grpc_arg arg;
  memset(&arg, 0, sizeof(arg));
  arg.type = GRPC_ARG_STRING;
  arg.key = (char *)(uintptr_t)key;
  arg.value.string = (char *)(uintptr_t)value;
  return arg;
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

static grpc_channel *connect_to(const struct peri_grpc *grpc, const char *uri) {
  grpc_arg list[] = {
      int_arg(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
      int_arg(GRPC_ARG_ENABLE_RETRIES, 0),
      int_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
      int_arg(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
      int_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, RECEIVE_BYTES),
      int_arg(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100),
      // Despite its name: how long an attempt to connect may take.
      int_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_MS),
      int_arg(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500),
      text_arg(GRPC_ARG_PRIMARY_USER_AGENT_STRING, "perigee/" PERI_VERSION),
  };
  grpc_channel_args args = {sizeof(list) / sizeof(list[0]), list};
  grpc_channel_credentials *credentials = grpc->insecure_credentials();
  if (credentials == NULL) {
    return NULL;
  }
  grpc_channel *channel = grpc->channel_create(uri, credentials, &args);
  grpc->credentials_release(credentials);
  return channel;
}

int peri_rpc_channel_new(struct peri_slice target,
                         struct peri_rpc_channel **ret_channel,
                         struct peri_problem *ret_problem) {
  char uri[320];
  int rc = uri_of(target, uri, sizeof(uri));
  if (rc < 0) {
    return peri_problem_set(ret_problem, rc,
                            "\"%.*s\" is no address: write host:port or "
                            "unix:PATH",
                            (int)target.len, target.ptr);
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
  channel->channel = connect_to(&channel->grpc, uri);
  if (channel->channel == NULL) {
    rc = peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
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

static grpc_slice copy(const struct peri_grpc *grpc, struct peri_slice bytes) {
  return grpc->slice_copy(bytes.len > 0 ? bytes.ptr : "", bytes.len);
}

static int add_metadata(struct exchange *exchange,
                        const struct peri_rpc_request *request) {
  const struct peri_grpc *grpc = exchange->grpc;
  if (request->metadata_count > MAX_METADATA) {
    return PERI_EINVAL;
  }
  for (size_t i = 0; i < request->metadata_count; i++) {
    grpc_metadata *entry = &exchange->metadata[i];
    entry->key = copy(grpc, request->metadata[i].name);
    entry->value = copy(grpc, request->metadata[i].value);
    exchange->metadata_count = i + 1;
    if (!grpc->key_is_legal(entry->key) ||
        (!grpc->is_binary(entry->key) && !grpc->value_is_legal(entry->value))) {
      return PERI_EINVAL;
    }
  }
  return 0;
}

static gpr_timespec deadline_of(const struct peri_grpc *grpc,
                                uint64_t timeout_ms) {
  if (timeout_ms == 0 || timeout_ms > INT64_MAX / 2) {
    return grpc->inf_future(GPR_CLOCK_MONOTONIC);
  }
  return grpc->time_add(grpc->now(GPR_CLOCK_MONOTONIC),
                        grpc->from_millis((int64_t)timeout_ms, GPR_TIMESPAN));
}

static grpc_byte_buffer *pack(const struct peri_grpc *grpc,
                              struct peri_slice message) {
  grpc_slice slice = copy(grpc, message);
  grpc_byte_buffer *buffer = grpc->buffer_create(&slice, 1);
  grpc->slice_unref(slice);
  return buffer;
}

static void fill(struct exchange *exchange, grpc_op ops[FIXED_OPS]) {
  memset(ops, 0, FIXED_OPS * sizeof(ops[0]));
  ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
  ops[0].data.send_initial_metadata.count = exchange->metadata_count;
  ops[0].data.send_initial_metadata.metadata = exchange->metadata;
  ops[1].op = GRPC_OP_SEND_MESSAGE;
  ops[1].data.send_message.send_message = exchange->sent;
  ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
  ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
  ops[3].data.recv_initial_metadata.recv_initial_metadata = &exchange->initial;
  ops[4].op = GRPC_OP_RECV_MESSAGE;
  ops[4].data.recv_message.recv_message = &exchange->received;
  ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
  ops[5].data.recv_status_on_client.trailing_metadata = &exchange->trailing;
  ops[5].data.recv_status_on_client.status = &exchange->status;
  ops[5].data.recv_status_on_client.status_details = &exchange->details;
}

/// Sends and waits. The call carries the deadline, so that the queue always
/// answers.
static int run(struct peri_rpc_channel *channel, struct exchange *exchange,
               const struct peri_rpc_request *request) {
  const struct peri_grpc *grpc = exchange->grpc;
  grpc_slice method = copy(grpc, peri_slice_of(request->path));
  exchange->call = grpc->create_call(
      channel->channel, NULL, GRPC_PROPAGATE_DEFAULTS, exchange->queue, method,
      NULL, deadline_of(grpc, request->timeout_ms), NULL);
  grpc->slice_unref(method);
  exchange->sent = pack(grpc, request->message);
  if (exchange->call == NULL || exchange->sent == NULL) {
    return PERI_ENOMEM;
  }
  grpc_op ops[FIXED_OPS];
  fill(exchange, ops);
  if (grpc->start_batch(exchange->call, ops, FIXED_OPS, exchange, NULL) !=
      GRPC_CALL_OK) {
    return PERI_EINVAL;
  }
  grpc->queue_next(exchange->queue, grpc->inf_future(GPR_CLOCK_MONOTONIC),
                   NULL);
  return 0;
}

static int unpack(struct exchange *exchange, struct peri_buffer *message) {
  const struct peri_grpc *grpc = exchange->grpc;
  grpc_byte_buffer_reader reader;
  grpc_slice slice;
  int rc = 0;
  if (exchange->received == NULL ||
      !grpc->reader_init(&reader, exchange->received)) {
    return 0;
  }
  while (rc == 0 && grpc->reader_next(&reader, &slice)) {
    rc = peri_buffer_add(message, GRPC_SLICE_START_PTR(slice),
                         GRPC_SLICE_LENGTH(slice));
    grpc->slice_unref(slice);
  }
  grpc->reader_destroy(&reader);
  return rc;
}

static int conclude(struct exchange *exchange,
                    struct peri_rpc_result *ret_result) {
  struct peri_rpc_result result;
  memset(&result, 0, sizeof(result));
  result.status = (int)exchange->status;
  size_t len = GRPC_SLICE_LENGTH(exchange->details);
  if (len >= sizeof(result.text)) {
    len = sizeof(result.text) - 1;
  }
  memcpy(result.text, GRPC_SLICE_START_PTR(exchange->details), len);
  if (result.status == PERI_STATUS_OK) {
    int rc = unpack(exchange, &result.message);
    if (rc < 0) {
      peri_buffer_done(&result.message);
      return rc;
    }
  }
  *ret_result = result;
  return 0;
}

static void discard(struct exchange *exchange) {
  const struct peri_grpc *grpc = exchange->grpc;
  if (exchange->call != NULL) {
    grpc->call_unref(exchange->call);
  }
  for (size_t i = 0; i < exchange->metadata_count; i++) {
    grpc->slice_unref(exchange->metadata[i].key);
    grpc->slice_unref(exchange->metadata[i].value);
  }
  if (exchange->sent != NULL) {
    grpc->buffer_destroy(exchange->sent);
  }
  if (exchange->received != NULL) {
    grpc->buffer_destroy(exchange->received);
  }
  grpc->metadata_destroy(&exchange->initial);
  grpc->metadata_destroy(&exchange->trailing);
  grpc->slice_unref(exchange->details);
  grpc->queue_shutdown(exchange->queue);
  while (grpc->queue_next(exchange->queue,
                          grpc->inf_future(GPR_CLOCK_MONOTONIC), NULL)
             .type != GRPC_QUEUE_SHUTDOWN) {
  }
  grpc->queue_destroy(exchange->queue);
}

int peri_rpc_call(struct peri_rpc_channel *channel,
                  const struct peri_rpc_request *request,
                  struct peri_rpc_result *ret_result) {
  struct exchange exchange;
  memset(&exchange, 0, sizeof(exchange));
  exchange.grpc = &channel->grpc;
  exchange.queue = channel->grpc.queue_create(NULL);
  if (exchange.queue == NULL) {
    return PERI_ENOMEM;
  }
  channel->grpc.metadata_init(&exchange.initial);
  channel->grpc.metadata_init(&exchange.trailing);
  int rc = add_metadata(&exchange, request);
  if (rc == 0) {
    rc = run(channel, &exchange, request);
  }
  if (rc == 0) {
    rc = conclude(&exchange, ret_result);
  }
  discard(&exchange);
  return rc;
}

void peri_rpc_result_done(struct peri_rpc_result *result) {
  peri_buffer_done(&result->message);
  memset(result, 0, sizeof(*result));
}
