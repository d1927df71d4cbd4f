#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/slice.h"
#include "cache/private.h"
#include "cache/send.h"
#include "cache/wire.h"
#include "h2/call.h"
#include "h2/unary.h"
#include "store/entry.h"

static const char set_path[] = "/groupcachepb.GroupCache/Set";
static const char remove_path[] = "/groupcachepb.GroupCache/Remove";

// A Set or Remove on its way to the owner. It goes on when its caller leaves.
struct write {
  struct peri_cache_side *side;
  struct peri_call *call;  // NULL once it left
  bool removes;
  struct peri_slice key;
  struct peri_slice owner;
  char text[];
};

static void reply_removed(struct peri_call *call, bool removed) {
  char text[PERI_PB_FIELD_BYTES];
  size_t len = peri_pb_put_number(text, 1, removed ? 1 : 0);
  peri_cache_reply_bytes(call, (struct peri_slice){text, len});
}

bool peri_cache_drop(struct peri_cache_group *group, struct peri_slice key) {
  int64_t now_ns = peri_clock_unix_ns();
  (void)peri_store_remove(group->forwards, key, now_ns);
  return peri_store_remove(group->values, key, now_ns);
}

static void release(struct write *write) {
  peri_cache_side_unref(write->side);
  free(write);
}

static void answered(void *ctx, const struct peri_unary_result *result) {
  struct write *write = ctx;
  struct peri_call *call = write->call;
  bool removed = false;
  // What this sidecar still has of the key, or is just asking for, is older.
  (void)peri_cache_drop(write->side->group, write->key);
  if (call == NULL) {
    release(write);
    return;
  }
  if (result->status != PERI_STATUS_OK) {
    peri_cache_reply_failure(call, write->owner, result);
  } else if (!write->removes) {
    peri_cache_reply_bytes(call, (struct peri_slice){NULL, 0});
  } else if (peri_pb_read_removed(result->message, &removed) == 0) {
    reply_removed(call, removed);
  } else {
    peri_call_finish(call, PERI_STATUS_INTERNAL,
                     "the owner's answer could not be parsed");
  }
  release(write);
}

static void left(void *ctx, int code) {
  struct write *write = ctx;
  (void)code;
  write->call = NULL;
}

// Sends the request as it came to the key's owner.
static void forward(const struct peri_cache_call *call,
                    struct peri_cache_side *side, struct peri_slice key,
                    const char *path, const char *owner) {
  struct peri_slice address = peri_slice_of(owner);
  struct write *write = calloc(1, sizeof *write + key.len + address.len);
  if (write == NULL) {
    peri_call_finish(call->call, PERI_STATUS_RESOURCE_EXHAUSTED,
                     "out of memory");
    return;
  }
  write->side = peri_cache_side_ref(side);
  write->call = call->call;
  write->removes = path == remove_path;
  write->key = (struct peri_slice){write->text, key.len};
  write->owner = (struct peri_slice){write->text + key.len, address.len};
  memcpy(write->text, key.ptr, key.len);
  memcpy(write->text + key.len, address.ptr, address.len);
  struct peri_cache_request request = {.worker = call->worker,
                                       .side = side,
                                       .address = write->owner,
                                       .path = path,
                                       .message = call->message};
  int rc = peri_cache_send(&request, answered, write);
  if (rc < 0) {
    release(write);
    peri_call_finish(call->call, PERI_STATUS_UNAVAILABLE, peri_error_text(rc));
    return;
  }
  peri_call_on_cancel(call->call, left, write);
}

static void set_here(const struct peri_cache_call *call,
                     struct peri_cache_side *side,
                     const struct peri_pb_request *request) {
  struct peri_entry *entry = NULL;
  int64_t expire_ns = request->expire_ns;
  if (expire_ns == 0) {
    expire_ns = peri_cache_expire_ns(side->config->ttl_ns);
  }
  int rc = 0;
  (void)peri_store_remove(side->group->forwards, request->key,
                          peri_clock_unix_ns());
  if (expire_ns < 0) {
    // An instant before 1970 is one that has passed.
    (void)peri_cache_drop(side->group, request->key);
  } else {
    rc = peri_entry_new(request->key, request->value, expire_ns, false, &entry);
  }
  if (entry != NULL) {
    rc = peri_store_set(side->group->values, entry, peri_clock_unix_ns());
    peri_entry_unref(entry);
  }
  if (rc == 0) {
    peri_cache_reply_bytes(call->call, (struct peri_slice){NULL, 0});
    return;
  }
  peri_call_finish(call->call, PERI_STATUS_RESOURCE_EXHAUSTED,
                   rc == PERI_ELIMIT ? "the value is too large to be cached"
                                     : "out of memory");
}

void peri_cache_set(const struct peri_cache_call *call) {
  struct peri_pb_request request;
  struct peri_cache_side *side = NULL;
  if (!peri_cache_check(call, true, &request, &side)) {
    return;
  }
  peri_cache_explain_key(call, side, PERI_CACHE_SET, request.key);
  const struct peri_endpoint *owner =
      call->hop
          ? NULL
          : peri_cache_owner(call->worker, side, PERI_CACHE_SET, request.key);
  if (owner != NULL) {
    forward(call, side, request.key, set_path, owner->address);
  } else {
    set_here(call, side, &request);
  }
}

void peri_cache_remove(const struct peri_cache_call *call) {
  struct peri_pb_request request;
  struct peri_cache_side *side = NULL;
  if (!peri_cache_check(call, true, &request, &side)) {
    return;
  }
  peri_cache_explain_key(call, side, PERI_CACHE_REMOVE, request.key);
  const struct peri_endpoint *owner =
      call->hop ? NULL
                : peri_cache_owner(call->worker, side, PERI_CACHE_REMOVE,
                                   request.key);
  if (owner != NULL) {
    forward(call, side, request.key, remove_path, owner->address);
  } else {
    reply_removed(call->call, peri_cache_drop(side->group, request.key));
  }
}
