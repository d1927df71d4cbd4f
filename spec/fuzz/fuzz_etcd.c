// What an etcd may answer: every response that is read, the events of watches
// in several messages, and why a watch was ended.
#include <etcd.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "etcd/kv_private.h"
#include "etcd/watch_private.h"

enum { MOST_MESSAGES = 8 };

static void insist(bool truth) {
  if (!truth) {
    abort();
  }
}

static void try_answers(struct peri_slice bytes) {
  static const ProtobufCMessageDescriptor *const types[] = {
      &etcdpb__range_response__descriptor,
      &etcdpb__put_response__descriptor,
      &etcdpb__delete_range_response__descriptor,
      &etcdpb__txn_response__descriptor,
      &etcdpb__lease_grant_response__descriptor,
      &etcdpb__lease_keep_alive_response__descriptor,
      &etcdpb__lease_time_to_live_response__descriptor,
      &etcdpb__authenticate_response__descriptor,
      &etcdpb__status_response__descriptor,
      &etcdpb__campaign_response__descriptor,
      &etcdpb__leader_response__descriptor,
      &etcdpb__lock_response__descriptor,
  };
  struct peri_etcd_error error;
  for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
    struct ProtobufCMessage *message =
        peri_etcd_unpack(types[i], bytes, &error);
    if (message != NULL) {
      protobuf_c_message_free_unpacked(message, NULL);
    } else {
      insist(error.kind == PERI_ETCD_GARBAGE);
    }
  }
}

// Each event once, in order, none from before.
static void check_events(const struct peri_etcd_event *events, size_t count,
                         int64_t next) {
  for (size_t i = 0; i < count; i++) {
    const struct peri_etcd_kv *kv = &events[i].kv;
    insist(kv->mod_revision >= next && kv->mod_revision > 0);
    if (i > 0) {
      const struct peri_etcd_kv *before = &events[i - 1].kv;
      insist(before->mod_revision < kv->mod_revision ||
             (before->mod_revision == kv->mod_revision &&
              peri_slice_compare(before->key, kv->key) != 0));
    }
  }
}

// A byte for each message says how long it is.
static void try_watch(struct peri_slice bytes, int64_t next) {
  struct peri_watch_parts parts = {0};
  struct peri_etcd_event *events = NULL;
  struct peri_etcd_error error;
  size_t count = 0;
  int rc = 0;
  for (int i = 0; i < MOST_MESSAGES && rc == 0 && bytes.len > 0; i++) {
    size_t len = (unsigned char)bytes.ptr[0];
    len = len < bytes.len - 1 ? len : bytes.len - 1;
    struct peri_slice one = {bytes.ptr + 1, len};
    bytes.ptr += 1 + len;
    bytes.len -= 1 + len;
    Etcdpb__WatchResponse *message = (Etcdpb__WatchResponse *)peri_etcd_unpack(
        &etcdpb__watch_response__descriptor, one, &error);
    if (message == NULL) {
      continue;
    }
    peri_watch_reason(peri_proto_slice(message->cancel_reason), &error);
    insist(error.kind > PERI_ETCD_OK && error.kind < PERI_ETCD_KINDS);
    rc = peri_watch_parts_add(&parts, message, one.len);
  }
  if (rc == 0 && peri_watch_parts_join(&parts, next, &events, &count) == 0) {
    check_events(events, count, next);
    free(events);
  }
  peri_watch_parts_clear(&parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct peri_slice bytes = {(const char *)data, size};
  struct peri_etcd_error error;
  if (size == 0) {
    return 0;
  }
  try_answers(bytes);
  peri_watch_reason(bytes, &error);
  bytes.ptr++;
  bytes.len--;
  try_watch(bytes, data[0]);
  return 0;
}
