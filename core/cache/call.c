#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "cache/private.h"
#include "cache/wire.h"
#include "h2/call.h"
#include "h2/unary.h"
#include "store/entry.h"

// What the methods share: checking what was asked, and answering.

enum { COPIED_BYTES = 256, MAX_NAME = 256, MAX_TEXT = 512 };

static void release_entry(void *owner) {
  peri_entry_unref(owner);
}

void peri_cache_reply_value(struct peri_call *call, struct peri_entry *entry) {
  char text[COPIED_BYTES + 2 * PERI_PB_FIELD_BYTES];
  char tail[PERI_PB_FIELD_BYTES];
  struct peri_slice value = peri_entry_value(entry);
  size_t head_len = peri_pb_put_length(text, 1, value.len);
  size_t tail_len =
      peri_pb_put_number(tail, 3, (uint64_t)peri_entry_expire_ns(entry));
  if (value.len <= COPIED_BYTES) {
    // A short value is cheaper copied than tracked.
    if (value.len > 0) {
      memcpy(text + head_len, value.ptr, value.len);
    }
    memcpy(text + head_len + value.len, tail, tail_len);
    struct peri_h2_piece piece = {
        .bytes = {text, head_len + value.len + tail_len}};
    peri_entry_unref(entry);
    peri_call_reply(call, &piece, 1);
    return;
  }
  struct peri_h2_piece pieces[] = {
      {.bytes = {text, head_len}},
      {.bytes = value, .release = release_entry, .owner = entry},
      {.bytes = {tail, tail_len}}};
  peri_call_reply(call, pieces, tail_len > 0 ? 3 : 2);
}

void peri_cache_reply_buffer(struct peri_call *call,
                             struct peri_buffer *buffer) {
  struct peri_h2_piece piece = {.bytes = peri_buffer_slice(buffer),
                                .release = free,
                                .owner = buffer->ptr};
  if (buffer->len == 0) {
    free(buffer->ptr);
    piece.release = NULL;
  }
  *buffer = (struct peri_buffer){.ptr = NULL};
  peri_call_reply(call, &piece, piece.bytes.len > 0 ? 1 : 0);
}

bool peri_cache_check(const struct peri_cache_call *call, bool one_key,
                      struct peri_pb_request *ret_request,
                      struct peri_cache_side **ret_side) {
  char words[MAX_NAME + 32];
  if (peri_pb_read_request(call->message, ret_request) < 0) {
    peri_call_finish(call->call, PERI_STATUS_INTERNAL,
                     "the request message could not be parsed");
    return false;
  }
  struct peri_slice group = ret_request->group;
  if (group.len == 0 || (one_key && ret_request->key.len == 0)) {
    peri_call_finish(call->call, PERI_STATUS_INVALID_ARGUMENT,
                     "key and group are required");
    return false;
  }
  *ret_side = peri_cache_side(call->worker, group);
  if ((*ret_side == NULL && !peri_slice_is_utf8(group)) ||
      (one_key && !peri_slice_is_utf8(ret_request->key))) {
    peri_call_finish(call->call, PERI_STATUS_INVALID_ARGUMENT,
                     "key and group must be UTF-8");
    return false;
  }
  if (*ret_side == NULL) {
    peri_cache_explain_absent(call, group);
    (void)snprintf(words, sizeof words, "group %.*s not found",
                   group.len < MAX_NAME ? (int)group.len : MAX_NAME, group.ptr);
    peri_call_finish(call->call, PERI_STATUS_NOT_FOUND, words);
    return false;
  }
  return true;
}

bool peri_cache_check_keys(const struct peri_cache_call *call,
                           const struct peri_pb_request *request,
                           struct peri_slice *ret_keys) {
  if (request->key_count > PERI_CACHE_MAX_KEYS) {
    peri_call_finish(call->call, PERI_STATUS_INVALID_ARGUMENT,
                     "too many keys in one call; the most is 1000");
    return false;
  }
  peri_pb_read_keys(call->message, ret_keys);
  return true;
}

char *peri_cache_keep_keys(const struct peri_cache_call *call,
                           struct peri_slice *keys, size_t count) {
  char *message = malloc(call->message.len);
  if (message == NULL) {
    return NULL;
  }
  memcpy(message, call->message.ptr, call->message.len);
  for (size_t i = 0; i < count; i++) {
    keys[i].ptr = message + (keys[i].ptr - call->message.ptr);
  }
  return message;
}

void peri_cache_reply_bytes(struct peri_call *call, struct peri_slice message) {
  struct peri_h2_piece piece = {.bytes = message};
  peri_call_reply(call, &piece, message.len > 0 ? 1 : 0);
}

void peri_cache_reply_failure(struct peri_call *call, struct peri_slice owner,
                              const struct peri_unary_result *result) {
  char words[MAX_TEXT];
  struct peri_slice text =
      result->text.len > 0 ? result->text : peri_slice_of("it did not say why");
  (void)snprintf(words, sizeof words, "owner %.*s: %.*s",
                 owner.len < 128 ? (int)owner.len : 128, owner.ptr,
                 text.len < 256 ? (int)text.len : 256, text.ptr);
  peri_call_finish(call, result->status, words);
}
