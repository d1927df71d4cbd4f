#include <stdlib.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "cache/find.h"
#include "cache/private.h"
#include "cache/wire.h"
#include "h2/call.h"
#include "store/entry.h"

struct batch;

struct item {
  struct batch *batch;
  struct peri_slice key;
  struct peri_cache_wait *wait;  // while its load is under way
  struct peri_entry *entry;      // for OK
  int status;
};

struct batch {
  struct peri_call *call;
  uint32_t message_bytes;
  size_t pending;
  char *message;  // a copy: the keys lie in it
  size_t count;
  struct item items[];
};

static void free_batch(struct batch *batch) {
  for (size_t i = 0; i < batch->count; i++) {
    peri_entry_unref(batch->items[i].entry);
  }
  free(batch->message);
  free(batch);
}

static int build(const struct batch *batch, struct peri_buffer *answer) {
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < batch->count; i++) {
    const struct item *from = &batch->items[i];
    struct peri_pb_item item = {.key = from->key, .code = from->status};
    if (from->entry != NULL) {
      item.value = peri_entry_value(from->entry);
      item.expire_ns = peri_entry_expire_ns(from->entry);
    }
    if (answer->len + item.value.len > batch->message_bytes) {
      return PERI_ELIMIT;
    }
    rc = peri_pb_add_item(answer, &item);
  }
  return rc == 0 && answer->len > batch->message_bytes ? PERI_ELIMIT : rc;
}

static void finish(struct batch *batch) {
  struct peri_buffer answer = {.ptr = NULL};
  int rc = build(batch, &answer);
  if (rc == 0) {
    peri_cache_reply_buffer(batch->call, &answer);
  } else {
    peri_buffer_done(&answer);
    peri_call_finish(batch->call, PERI_STATUS_RESOURCE_EXHAUSTED,
                     rc == PERI_ELIMIT
                         ? "the values are too large for one answer; ask for "
                           "fewer keys"
                         : "out of memory");
  }
  free_batch(batch);
}

static void found(void *ctx, const struct peri_cache_answer *answer) {
  struct item *item = ctx;
  struct batch *batch = item->batch;
  item->wait = NULL;
  item->status = answer->status;
  item->entry = answer->entry != NULL ? peri_entry_ref(answer->entry) : NULL;
  batch->pending--;
  if (batch->pending == 0) {
    finish(batch);
  }
}

static void left(void *ctx, int code) {
  struct batch *batch = ctx;
  (void)code;
  for (size_t i = 0; i < batch->count; i++) {
    if (batch->items[i].wait != NULL) {
      peri_cache_leave(batch->items[i].wait);
    }
  }
  free_batch(batch);
}

static void find(const struct peri_cache_call *call,
                 struct peri_cache_side *side, struct item *item) {
  struct peri_cache_answer answer;
  if (item->key.len == 0 || !peri_slice_is_utf8(item->key)) {
    item->status = PERI_STATUS_INVALID_ARGUMENT;
    return;
  }
  struct peri_cache_query query = {.worker = call->worker,
                                   .side = side,
                                   .key = item->key,
                                   .hop = call->hop,
                                   .done = found,
                                   .ctx = item};
  if (peri_cache_find(&query, &answer, &item->wait)) {
    item->status = answer.status;
    item->entry = answer.entry;
  } else {
    item->batch->pending++;
  }
}

static struct batch *new_batch(const struct peri_cache_call *call,
                               struct peri_slice *keys, size_t count) {
  struct batch *batch = calloc(1, sizeof *batch + count * sizeof *batch->items);
  if (batch == NULL) {
    return NULL;
  }
  batch->message = peri_cache_keep_keys(call, keys, count);
  if (batch->message == NULL) {
    free(batch);
    return NULL;
  }
  batch->call = call->call;
  batch->message_bytes = call->worker->message_bytes;
  batch->count = count;
  for (size_t i = 0; i < count; i++) {
    batch->items[i].batch = batch;
    batch->items[i].key = keys[i];
  }
  return batch;
}

void peri_cache_batch_get(const struct peri_cache_call *call) {
  struct peri_pb_request request;
  struct peri_cache_side *side = NULL;
  struct peri_slice keys[PERI_CACHE_MAX_KEYS];
  if (!peri_cache_check(call, false, &request, &side) ||
      !peri_cache_check_keys(call, &request, keys)) {
    return;
  }
  const struct peri_cache_keys asked = {PERI_CACHE_GET, keys,
                                        request.key_count};
  peri_cache_explain_keys(call, side, &asked);
  struct batch *batch = new_batch(call, keys, request.key_count);
  if (batch == NULL) {
    peri_call_finish(call->call, PERI_STATUS_RESOURCE_EXHAUSTED,
                     "out of memory");
    return;
  }
  for (size_t i = 0; i < batch->count; i++) {
    find(call, side, &batch->items[i]);
  }
  if (batch->pending == 0) {
    finish(batch);
  } else {
    peri_call_on_cancel(call->call, left, batch);
  }
}
