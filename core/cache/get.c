#include "cache/find.h"
#include "cache/private.h"
#include "cache/wire.h"
#include "h2/call.h"
#include "store/entry.h"

static void answer_call(struct peri_call *call,
                        const struct peri_cache_answer *answer) {
  if (answer->status == PERI_STATUS_OK) {
    peri_cache_reply_value(call, answer->entry);
  } else {
    peri_call_finish(call, answer->status, answer->text);
  }
}

static void found(void *ctx, const struct peri_cache_answer *answer) {
  if (answer->entry != NULL) {
    peri_entry_ref(answer->entry);
  }
  answer_call(ctx, answer);
}

static void left(void *ctx, int code) {
  (void)code;
  peri_cache_leave(ctx);
}

void peri_cache_get(const struct peri_cache_call *call) {
  struct peri_pb_request request;
  struct peri_cache_side *side = NULL;
  struct peri_cache_answer answer;
  struct peri_cache_wait *wait = NULL;
  if (!peri_cache_check(call, true, &request, &side)) {
    return;
  }
  peri_cache_explain_key(call, side, PERI_CACHE_GET, request.key);
  struct peri_cache_query query = {.worker = call->worker,
                                   .side = side,
                                   .key = request.key,
                                   .hop = call->hop,
                                   .done = found,
                                   .ctx = call->call};
  if (peri_cache_find(&query, &answer, &wait)) {
    answer_call(call->call, &answer);
  } else {
    peri_call_on_cancel(call->call, left, wait);
  }
}
