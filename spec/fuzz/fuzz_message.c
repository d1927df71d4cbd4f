// The messages: the cache's own reader against protobuf-c. What both accept
// they must understand alike; what is written must be read back.
#include <groupcache.pb-c.h>
#include <health.pb-c.h>
#include <perigee.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "cache/wire.h"

static void insist(bool truth) {
  if (!truth) {
    abort();
  }
}

static bool same(struct peri_slice slice, ProtobufCBinaryData data) {
  return slice.len == data.len &&
         (slice.len == 0 || memcmp(slice.ptr, data.data, slice.len) == 0);
}

static void try_get(struct peri_slice message) {
  struct peri_pb_request request;
  Groupcachepb__SetRequest *other = groupcachepb__set_request__unpack(
      NULL, message.len, (const uint8_t *)message.ptr);
  if (peri_pb_read_request(message, &request) == 0 && other != NULL) {
    insist(same(request.group, other->group));
    insist(same(request.key, other->key));
    insist(same(request.value, other->value));
    insist(request.expire_ns == other->expire);
  }
  if (other != NULL) {
    groupcachepb__set_request__free_unpacked(other, NULL);
  }
}

static void try_keys(struct peri_slice message) {
  struct peri_pb_request request;
  Groupcachepb__RemoveKeysRequest *other =
      groupcachepb__remove_keys_request__unpack(NULL, message.len,
                                                (const uint8_t *)message.ptr);
  if (peri_pb_read_request(message, &request) == 0) {
    struct peri_slice *keys = malloc((request.key_count + 1) * sizeof(*keys));
    insist(keys != NULL);
    peri_pb_read_keys(message, keys);
    if (other != NULL) {
      insist(other->n_keys == request.key_count);
      for (size_t i = 0; i < request.key_count; i++) {
        insist(same(keys[i], other->keys[i]));
      }
    }
    free(keys);
  }
  if (other != NULL) {
    groupcachepb__remove_keys_request__free_unpacked(other, NULL);
  }
}

// protobuf-c takes a bool from any wire type; others, and ours, do not.
static bool is_fair(struct peri_slice message) {
  struct peri_pb_field field;
  while (peri_pb_next(&message, &field) > 0) {
    if (field.number == 1 && field.type != 0) {
      return false;
    }
  }
  return true;
}

static void try_response(struct peri_slice message) {
  struct peri_slice value = {NULL, 0};
  int64_t expire_ns = 0;
  bool removed = false;
  Groupcachepb__GetResponse *other = groupcachepb__get_response__unpack(
      NULL, message.len, (const uint8_t *)message.ptr);
  if (peri_pb_read_value(message, &value, &expire_ns) == 0 && other != NULL) {
    insist(same(value, other->value) && expire_ns == other->expire);
  }
  if (other != NULL) {
    groupcachepb__get_response__free_unpacked(other, NULL);
  }
  Groupcachepb__RemoveResponse *remove = groupcachepb__remove_response__unpack(
      NULL, message.len, (const uint8_t *)message.ptr);
  if (peri_pb_read_removed(message, &removed) == 0 && remove != NULL &&
      is_fair(message)) {
    insist(removed == (remove->removed != 0));
  }
  if (remove != NULL) {
    groupcachepb__remove_response__free_unpacked(remove, NULL);
  }
}

// What the reader took for group and key, written again, is read as the same.
static void try_writer(struct peri_slice message) {
  struct peri_pb_request request;
  struct peri_buffer written = {.ptr = NULL};
  if (peri_pb_read_request(message, &request) < 0) {
    return;
  }
  insist(peri_pb_add_bytes(&written, 1, request.group) == 0);
  insist(peri_pb_add_element(&written, 2, request.key) == 0);
  insist(peri_pb_add_bytes(&written, 3, request.value) == 0);
  insist(peri_pb_add_number(&written, 4, (uint64_t)request.expire_ns) == 0);
  Groupcachepb__SetRequest *again = groupcachepb__set_request__unpack(
      NULL, written.len, (const uint8_t *)written.ptr);
  insist(again != NULL);
  insist(same(request.group, again->group) && same(request.key, again->key) &&
         same(request.value, again->value) &&
         request.expire_ns == again->expire);
  groupcachepb__set_request__free_unpacked(again, NULL);
  peri_buffer_done(&written);
}

static void try_others(const uint8_t *bytes, size_t len) {
  Grpc__Health__V1__HealthCheckRequest *health =
      grpc__health__v1__health_check_request__unpack(NULL, len, bytes);
  Perigee__V1__PeersRequest *peers =
      perigee__v1__peers_request__unpack(NULL, len, bytes);
  Perigee__V1__StatsRequest *stats =
      perigee__v1__stats_request__unpack(NULL, len, bytes);
  if (health != NULL) {
    grpc__health__v1__health_check_request__free_unpacked(health, NULL);
  }
  if (peers != NULL) {
    perigee__v1__peers_request__free_unpacked(peers, NULL);
  }
  if (stats != NULL) {
    perigee__v1__stats_request__free_unpacked(stats, NULL);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  struct peri_slice message = {(const char *)bytes, len};
  try_get(message);
  try_keys(message);
  try_response(message);
  try_writer(message);
  try_others(bytes, len);
  return 0;
}
