#include <stdlib.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "cache/private.h"
#include "cache/send.h"
#include "cache/wire.h"
#include "h2/call.h"
#include "h2/unary.h"

enum { HERE = -1 };

// One key of a RemoveKeys, and the sidecar it was sent to.
struct key {
  struct peri_slice text;
  int owner;  // its index among the peers, or HERE
  bool sent;
  bool failed;
};

struct removal {
  struct peri_cache_side *side;
  struct peri_call *call;  // NULL once it left
  size_t pending;          // requests that have no answer yet
  char *message;           // a copy: the keys lie in it
  size_t count;
  struct key keys[];
};

// What one owner was asked to remove.
struct part {
  struct removal *removal;
  int owner;
};

static void finish(struct removal *removal) {
  struct peri_buffer answer = {.ptr = NULL};
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < removal->count; i++) {
    if (removal->keys[i].failed) {
      rc = peri_pb_add_element(&answer, 1, removal->keys[i].text);
    }
  }
  if (removal->call == NULL || rc < 0) {
    peri_buffer_done(&answer);
  }
  if (removal->call != NULL && rc < 0) {
    peri_call_finish(removal->call, PERI_STATUS_RESOURCE_EXHAUSTED,
                     "out of memory");
  } else if (removal->call != NULL) {
    peri_cache_reply_buffer(removal->call, &answer);
  }
  peri_cache_side_unref(removal->side);
  free(removal->message);
  free(removal);
}

static void fail_owner(struct removal *removal, int owner) {
  for (size_t i = 0; i < removal->count; i++) {
    removal->keys[i].failed |= removal->keys[i].owner == owner;
  }
}

static void fail_key(struct removal *removal, int owner,
                     struct peri_slice key) {
  for (size_t i = 0; i < removal->count; i++) {
    removal->keys[i].failed |= removal->keys[i].owner == owner &&
                               peri_slice_equal(removal->keys[i].text, key);
  }
}

// Marks the keys that the owner names in its RemoveKeysResponse. One that names
// more than it was asked to remove is not worth the time to look them all up.
static void read_failed(struct part *part, struct peri_slice message) {
  struct peri_pb_field field;
  size_t named = 0;
  int rc = 0;
  while ((rc = peri_pb_next(&message, &field)) > 0) {
    if (field.number == 1 && field.type == 2) {
      named++;
      if (named > part->removal->count) {
        rc = PERI_EPROTO;
        break;
      }
      fail_key(part->removal, part->owner, field.bytes);
    }
  }
  if (rc < 0) {
    fail_owner(part->removal, part->owner);
  }
}

static void answered(void *ctx, const struct peri_unary_result *result) {
  struct part *part = ctx;
  struct removal *removal = part->removal;
  for (size_t i = 0; i < removal->count; i++) {
    if (removal->keys[i].owner == part->owner) {
      (void)peri_cache_drop(removal->side->group, removal->keys[i].text);
    }
  }
  if (result->status == PERI_STATUS_OK) {
    read_failed(part, result->message);
  } else {
    fail_owner(removal, part->owner);
  }
  free(part);
  removal->pending--;
  if (removal->pending == 0) {
    finish(removal);
  }
}

static void left(void *ctx, int code) {
  struct removal *removal = ctx;
  (void)code;
  removal->call = NULL;
}

// Sends all keys of the owner that has `first`.
static int send_part(const struct peri_cache_call *call,
                     struct removal *removal, size_t first) {
  int owner = removal->keys[first].owner;
  struct peri_buffer message = {.ptr = NULL};
  struct part *part = calloc(1, sizeof *part);
  int rc = part != NULL
               ? peri_pb_add_bytes(&message, 1, removal->side->group->name)
               : PERI_ENOMEM;
  for (size_t i = first; i < removal->count; i++) {
    if (removal->keys[i].owner == owner) {
      removal->keys[i].sent = true;
      rc =
          rc < 0 ? rc : peri_pb_add_element(&message, 2, removal->keys[i].text);
    }
  }
  if (rc >= 0) {
    const struct peri_endpoint *to =
        peri_peers_at(call->worker->peers, (size_t)owner);
    struct peri_cache_request request = {
        .worker = call->worker,
        .side = removal->side,
        .address = peri_slice_of(to->address),
        .path = "/groupcachepb.GroupCache/RemoveKeys",
        .message = peri_buffer_slice(&message)};
    *part = (struct part){removal, owner};
    rc = peri_cache_send(&request, answered, part);
  }
  peri_buffer_done(&message);
  if (rc < 0) {
    free(part);
  }
  return rc;
}

static void route(const struct peri_cache_call *call,
                  struct peri_cache_side *side, struct removal *removal) {
  for (size_t i = 0; i < removal->count; i++) {
    struct key *key = &removal->keys[i];
    const struct peri_endpoint *owner =
        call->hop ? NULL
                  : peri_cache_owner(call->worker, side, PERI_CACHE_REMOVE,
                                     key->text);
    key->owner = HERE;
    if (owner == NULL) {
      (void)peri_cache_drop(side->group, key->text);
      continue;
    }
    for (size_t j = 0; j < peri_peers_count(call->worker->peers); j++) {
      if (peri_peers_at(call->worker->peers, j) == owner) {
        key->owner = (int)j;
      }
    }
  }
  for (size_t i = 0; i < removal->count; i++) {
    struct key *key = &removal->keys[i];
    if (key->owner == HERE || key->sent) {
      continue;
    }
    if (send_part(call, removal, i) == 0) {
      removal->pending++;
    } else {
      fail_owner(removal, key->owner);
    }
  }
}

// Copies the request's keys. Returns NULL when out of memory.
static struct removal *new_removal(const struct peri_cache_call *call,
                                   struct peri_cache_side *side,
                                   struct peri_slice *keys, size_t count) {
  struct removal *removal =
      calloc(1, sizeof *removal + count * sizeof *removal->keys);
  if (removal == NULL) {
    return NULL;
  }
  removal->message = peri_cache_keep_keys(call, keys, count);
  if (removal->message == NULL) {
    free(removal);
    return NULL;
  }
  removal->side = peri_cache_side_ref(side);
  removal->call = call->call;
  removal->count = count;
  for (size_t i = 0; i < count; i++) {
    removal->keys[i].text = keys[i];
  }
  return removal;
}

void peri_cache_remove_keys(const struct peri_cache_call *call) {
  struct peri_pb_request request;
  struct peri_cache_side *side = NULL;
  struct peri_slice keys[PERI_CACHE_MAX_KEYS];
  if (!peri_cache_check(call, false, &request, &side) ||
      !peri_cache_check_keys(call, &request, keys)) {
    return;
  }
  for (size_t i = 0; i < request.key_count; i++) {
    if (keys[i].len == 0 || !peri_slice_is_utf8(keys[i])) {
      peri_call_finish(call->call, PERI_STATUS_INVALID_ARGUMENT,
                       "keys must be UTF-8 and not empty");
      return;
    }
  }
  const struct peri_cache_keys asked = {PERI_CACHE_REMOVE, keys,
                                        request.key_count};
  peri_cache_explain_keys(call, side, &asked);
  struct removal *removal = new_removal(call, side, keys, request.key_count);
  if (removal == NULL) {
    peri_call_finish(call->call, PERI_STATUS_RESOURCE_EXHAUSTED,
                     "out of memory");
    return;
  }
  route(call, side, removal);
  if (removal->pending == 0) {
    finish(removal);
  } else {
    peri_call_on_cancel(call->call, left, removal);
  }
}
