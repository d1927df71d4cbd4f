#include "base/clock.h"
#include "cache/private.h"
#include "cache/wire.h"
#include "h2/call.h"
#include "store/entry.h"

// Only what is here counts: nothing is loaded, asked for, or marked as used.
void peri_cache_peek(const struct peri_cache_call *call) {
  struct peri_pb_request request;
  struct peri_cache_side *side = NULL;
  struct peri_entry *entry = NULL;
  if (!peri_cache_check(call, true, &request, &side)) {
    return;
  }
  peri_cache_explain_key(call, side, PERI_CACHE_PEEK, request.key);
  int rc = peri_store_peek(side->group->values, request.key,
                           peri_clock_unix_ns(), &entry);
  if (rc == 0 && !peri_entry_absent(entry)) {
    peri_cache_reply_value(call->call, entry);
    return;
  }
  peri_entry_unref(entry);
  peri_call_finish(call->call, PERI_STATUS_NOT_FOUND, "not in this sidecar");
}
