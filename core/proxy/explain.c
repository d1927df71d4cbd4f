#include <stdlib.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/status.h"
#include "model/config.h"
#include "model/route.h"
#include "proxy/private.h"

enum {
  MOST_ATTEMPTS = 16,  // of a call that nobody asks about
  MOST_BEFORE = 8,     // kept of one that is explained
  // Of an explanation in trailers: some clients begin to refuse at 8 KiB.
  MOST_BYTES = 6144,
  OWN_BYTES = 512,  // left for what else the answer has
  FIELD_BYTES = 32
};

void peri_proxy_explain_init(struct peri_proxy *proxy) {
  // Only read: nothing is kept before the end of time.
  static struct peri_decisions none = {.ordinary_ns = UINT64_MAX,
                                       .trouble_ns = UINT64_MAX};
  proxy->decisions =
      proxy->options.decisions != NULL ? proxy->options.decisions : &none;
}

bool peri_proxy_explain_asked(const struct peri_proxy_call *call, bool mesh) {
  const struct peri_config *config = call->table->config;
  return call->head.explain.ptr != NULL &&
         !peri_slice_is(call->head.explain, "0") &&
         (mesh ? config->explain_mesh : config->explain_app);
}

// A decision about the call as far as it has come; NULL when out of memory.
static struct peri_decision *begin(struct peri_proxy_call *call) {
  struct peri_decision *decision = peri_decision_new(PERI_DECISION_CALL);
  if (decision == NULL) {
    return NULL;
  }
  struct peri_route_query query = {.service = call->grpc_service,
                                   .method = call->grpc_method,
                                   .authority = call->head.authority,
                                   .header = peri_proxy_call_header,
                                   .ctx = call,
                                   .pattern = call->proxy->options.pattern};
  struct peri_proxy_subject subject = {.config = call->table->config,
                                       .route = call->route,
                                       .target = call->target,
                                       .query = &query,
                                       .named = call->head.service,
                                       .inbound = call->inbound,
                                       .service = call->service};
  peri_proxy_explain_subject(decision, &subject);
  return decision;
}

// Lets go of attempts that are too long ago to be told of.
static void forget_first(struct peri_decision *decision) {
  for (size_t i = 0; decision != NULL && i < MOST_BEFORE; i++) {
    decision = decision->before;
  }
  if (decision != NULL) {
    peri_decision_unref(decision->before);
    decision->before = NULL;
  }
}

// The call's latest decision from now on, and one of the last ones, if there is
// room.
static void keep(struct peri_proxy_call *call, struct peri_decision *decision,
                 bool trouble) {
  struct peri_decisions *decisions = call->proxy->decisions;
  uint64_t now_ns = peri_proxy_now(call->proxy);
  if (now_ns >= (trouble ? decisions->trouble_ns : decisions->ordinary_ns)) {
    peri_decisions_keep(decisions, decision, trouble, now_ns);
  }
  if (call->explained) {
    decision->before = call->decision;
    forget_first(decision);
  } else {
    peri_decision_unref(call->decision);
  }
  call->decision = decision;
}

// The attempt before went wrong, which is why there is another one.
static void end_before(struct peri_proxy_call *call,
                       struct peri_decision *decision) {
  if (call->last.code == 0) {
    return;
  }
  struct peri_slice words = peri_slice_of(call->last.text);
  if (call->decision != NULL) {
    call->decision->outcome = peri_decision_text(call->decision, words);
  } else {
    decision->after = peri_decision_text(decision, words);
  }
}

void peri_proxy_explain_choice(struct peri_proxy_call *call,
                               const struct peri_proxy_pick *pick, int rc,
                               size_t index) {
  struct peri_proxy_service *service = call->service;
  bool trouble = call->attempts > 0 || rc < 0 || pick->code == PERI_ESCRIPT ||
                 pick->choice.trouble.len > 0;
  if (call->attempts >= MOST_ATTEMPTS && !call->explained) {
    return;
  }
  if (!call->explained && trouble && call->decision == NULL &&
      peri_proxy_now(call->proxy) < call->proxy->decisions->trouble_ns) {
    return;
  }
  struct peri_decision *decision = begin(call);
  if (decision == NULL) {
    return;
  }
  decision->attempt = call->attempts + 1;
  peri_proxy_explain_pick(decision, service, pick);
  peri_proxy_explain_candidates(decision, service->set, call->tried,
                                call->tried_count, rc == 0 ? index : SIZE_MAX);
  end_before(call, decision);
  keep(call, decision, trouble);
}

// Whether the latest decision that is kept is not the call's latest: there were
// too many.
static bool is_old(const struct peri_proxy_call *call) {
  return call->decision->attempt < call->attempts;
}

void peri_proxy_explain_refusal(struct peri_proxy_call *call, int status,
                                const char *words) {
  if (call->decision == NULL || is_old(call)) {
    struct peri_decision *decision =
        call->explained || peri_proxy_now(call->proxy) >=
                               call->proxy->decisions->trouble_ns
            ? begin(call)
            : NULL;
    if (decision == NULL) {
      return;
    }
    decision->attempt = call->attempts;
    keep(call, decision, true);
  }
  call->decision->outcome =
      peri_decision_text(call->decision, peri_slice_of(words));
  peri_proxy_explain_status(call, status);
}

void peri_proxy_explain_status(struct peri_proxy_call *call, int status) {
  if (is_old(call)) {
    return;
  }
  uint64_t now_ns =
      call->ended_ns != 0 ? call->ended_ns : peri_proxy_now(call->proxy);
  call->decision->status = status < 0 ? PERI_STATUS_UNKNOWN : status;
  call->decision->elapsed_ns =
      now_ns > call->begun_ns ? now_ns - call->begun_ns : 0;
}

size_t peri_proxy_explain_fields(struct peri_proxy_call *call,
                                 size_t used_bytes,
                                 struct peri_decision_lines *lines,
                                 struct peri_h2_field *ret_fields) {
  size_t room = peri_h2_stream_list_bytes(call->caller);
  room = room < MOST_BYTES ? room : MOST_BYTES;
  used_bytes += OWN_BYTES;
  peri_decision_lines_init(lines, call->explained ? call->decision : NULL,
                           room > used_bytes ? room - used_bytes : 0);
  for (size_t i = 0; i < lines->count; i++) {
    ret_fields[i] =
        (struct peri_h2_field){{"perigee-explain", 15}, lines->lines[i], false};
  }
  return lines->count;
}

static int send(struct peri_proxy_call *call, bool head,
                const struct peri_h2_field *fields, size_t count) {
  return head ? peri_h2_stream_respond(call->caller, fields, count, true)
              : peri_h2_stream_finish(call->caller, fields, count);
}

int peri_proxy_explain_send(struct peri_proxy_call *call, bool head,
                            const struct peri_h2_field *fields, size_t count) {
  struct peri_decision_lines lines;
  struct peri_h2_field *all =
      call->explained ? malloc((count + PERI_DECISION_LINES) * sizeof(*all))
                      : NULL;
  size_t used = 0;
  if (all == NULL) {
    return send(call, head, fields, count);
  }
  for (size_t i = 0; i < count; i++) {
    all[i] = fields[i];
    used += FIELD_BYTES + fields[i].name.len + fields[i].value.len;
  }
  size_t more = peri_proxy_explain_fields(call, used, &lines, all + count);
  int rc = send(call, head, all, count + more);
  peri_decision_lines_done(&lines);
  free(all);
  return rc;
}
