#include "app/explain.h"

#include <perigee.pb-c.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/ask.h"
#include "app/control.h"
#include "app/dispatch.h"
#include "app/explain_pack.h"
#include "app/stage.h"
#include "app/worker.h"
#include "base/error.h"
#include "base/proto.h"
#include "base/slice.h"
#include "base/status.h"
#include "cache/cache.h"
#include "h2/call.h"
#include "loop/mailbox.h"
#include "model/decisions.h"
#include "proxy/proxy.h"

enum { MOST_PATH = 512 };

struct peri_explain {
  struct peri_mailbox *control;
  size_t count;
  struct peri_round_place places[];
};

// The first header of that name, as a call has it.
static bool header(void *ctx, const char *name, struct peri_slice *ret_value) {
  const Perigee__V1__ExplainRequest *request = ctx;
  for (size_t i = 0; i < request->n_headers; i++) {
    if (peri_slice_is(peri_proto_slice(request->headers[i]->name), name)) {
      *ret_value = peri_proto_slice(request->headers[i]->value);
      return true;
    }
  }
  return false;
}

static void answer(struct peri_call *call, struct peri_decision *decision,
                   uint32_t worker) {
  const struct peri_decision *const list[] = {decision};
  struct peri_buffer bytes = {0};
  int rc = peri_explain_pack(list, 1, worker, &bytes);
  struct peri_h2_piece piece = {.bytes = peri_buffer_slice(&bytes)};
  if (rc == 0) {
    peri_call_reply(call, &piece, 1);
  } else {
    peri_call_finish(call, peri_status_of(rc), peri_error_text(rc));
  }
  peri_buffer_done(&bytes);
  peri_decision_unref(decision);
}

// What this sidecar answers itself; NULL when it forwards such a call.
static const char *own_words(const Perigee__V1__ExplainRequest *request,
                             struct peri_slice named) {
  char path[MOST_PATH];
  int len =
      snprintf(path, sizeof(path), "/%.*s/%.*s", (int)request->service.len,
               peri_proto_slice(request->service).ptr, (int)request->method.len,
               peri_proto_slice(request->method).ptr);
  struct peri_slice text = {path, (size_t)len};
  if (named.len > 0 || len < 0 || text.len >= sizeof(path)) {
    return NULL;
  }
  switch (peri_dispatch_choose(text, false)) {
    case PERI_DISPATCH_PROXY:
      return NULL;
    case PERI_DISPATCH_CACHE:
      return "this sidecar's cache answers it: explain a group and a key";
    default:
      return "this sidecar answers it itself";
  }
}

static int explain_own(const Perigee__V1__ExplainRequest *request,
                       const char *words, struct peri_decision **ret_decision) {
  struct peri_decision *decision = peri_decision_new(PERI_DECISION_CALL);
  if (decision == NULL) {
    return PERI_ENOMEM;
  }
  struct peri_slice method = peri_proto_slice(request->method);
  decision->subject = peri_decision_format(
      decision, "%s/%.*s",
      peri_decision_text(decision, peri_proto_slice(request->service)),
      method.len < PERI_DECISION_TEXT_BYTES ? (int)method.len
                                            : PERI_DECISION_TEXT_BYTES,
      method.ptr);
  decision->outcome = words;
  *ret_decision = decision;
  return 0;
}

static void explain_call(const struct peri_control *control,
                         struct peri_call *call,
                         Perigee__V1__ExplainRequest *request) {
  struct peri_decision *decision = NULL;
  struct peri_proxy_question question = {
      .service = peri_proto_slice(request->service),
      .method = peri_proto_slice(request->method),
      .authority = peri_proto_slice(request->authority),
      .named = {"", 0},
      .header = header,
      .ctx = request};
  (void)header(request, "perigee-service", &question.named);
  const char *words = own_words(request, question.named);
  int rc = words != NULL
               ? explain_own(request, words, &decision)
               : peri_proxy_explain(control->proxy, &question, &decision);
  if (rc < 0) {
    peri_call_finish(call, peri_status_of(rc), peri_error_text(rc));
  } else {
    answer(call, decision, control->worker);
  }
}

static void explain_key(const struct peri_control *control,
                        struct peri_call *call,
                        const Perigee__V1__ExplainRequest *request) {
  char words[320];
  struct peri_decision *decision = NULL;
  struct peri_slice group = peri_proto_slice(request->group);
  int rc = peri_cache_explain(control->cache, group,
                              peri_proto_slice(request->key), &decision);
  if (rc == 0) {
    answer(call, decision, control->worker);
    return;
  }
  (void)snprintf(words, sizeof(words), "group %.*s not found",
                 group.len < 256 ? (int)group.len : 256, group.ptr);
  peri_call_finish(call, peri_status_of(rc),
                   rc == PERI_ENOTFOUND ? words : peri_error_text(rc));
}

// What is asked about, when it is not complete; NULL when it is.
static const char *missing(const Perigee__V1__ExplainRequest *request) {
  if ((request->service.len > 0) != (request->method.len > 0)) {
    return "service and method are required";
  }
  if ((request->group.len > 0) != (request->key.len > 0)) {
    return "group and key are required";
  }
  return request->service.len > 0 && request->group.len > 0
             ? "a call or a key, not both"
             : NULL;
}

void peri_control_explain(void *ctx, struct peri_call *call,
                          struct peri_slice message) {
  struct peri_control *control = ctx;
  Perigee__V1__ExplainRequest *request = perigee__v1__explain_request__unpack(
      NULL, message.len, (const uint8_t *)message.ptr);
  const char *wrong =
      request != NULL ? missing(request) : "the message is no ExplainRequest";
  if (wrong != NULL) {
    peri_call_finish(call, PERI_STATUS_INVALID_ARGUMENT, wrong);
  } else if (request->service.len > 0) {
    explain_call(control, call, request);
  } else if (request->group.len > 0) {
    explain_key(control, call, request);
  } else {
    peri_ask_call(control->ask, PERI_ASK_EXPLAIN, control->mailbox, call,
                  message);
  }
  if (request != NULL) {
    perigee__v1__explain_request__free_unpacked(request, NULL);
  }
}

// On each worker's thread.
static void run(struct peri_part *part) {
  const struct peri_stage *stage = part->place;
  const struct peri_decision *list[PERI_DECISIONS_ALL];
  struct peri_buffer *bytes = calloc(1, sizeof(*bytes));
  if (stage->decisions == NULL) {
    part->code = PERI_ECLOSED;
  } else if (bytes == NULL) {
    part->code = PERI_ENOMEM;
  } else {
    size_t count = peri_decisions_list(stage->decisions, list);
    part->code = peri_explain_pack(list, count, stage->worker, bytes);
  }
  part->result = bytes;
  peri_part_end(part);
}

static void done(void *ctx, struct peri_part *parts, size_t count) {
  struct peri_question *question = ctx;
  struct peri_problem problem = {0, ""};
  struct peri_buffer all = {0};
  int rc = peri_round_problem(parts, count, &problem);
  for (size_t i = 0; i < count; i++) {
    struct peri_buffer *bytes = parts[i].result;
    if (bytes != NULL && rc == 0) {
      rc = peri_buffer_add(&all, bytes->ptr, bytes->len);
    }
    if (bytes != NULL) {
      peri_buffer_done(bytes);
    }
    free(bytes);
  }
  if (rc == 0) {
    rc = peri_explain_merge(&all);
  }
  if (rc == 0) {
    peri_question_answer(question, &all);
  } else {
    peri_question_refuse(question, rc, problem.text);
    peri_buffer_done(&all);
  }
}

static void serve(void *ctx, struct peri_question *question,
                  struct peri_slice request) {
  struct peri_explain *explain = ctx;
  (void)request;
  struct peri_round_options round = {.control = explain->control,
                                     .places = explain->places,
                                     .count = explain->count,
                                     .run = run,
                                     .done = done,
                                     .ctx = question};
  int rc = peri_round_start(&round);
  if (rc < 0) {
    peri_question_refuse(question, rc, NULL);
  }
}

int peri_explain_new(const struct peri_explain_options *options,
                     struct peri_explain **ret_explain) {
  struct peri_explain *explain = calloc(
      1, sizeof(*explain) + options->count * sizeof(struct peri_round_place));
  if (explain == NULL) {
    return PERI_ENOMEM;
  }
  explain->control = options->control;
  explain->count = options->count;
  for (size_t i = 0; i < options->count; i++) {
    explain->places[i] = peri_worker_place(options->workers[i]);
  }
  peri_ask_serve(options->ask, PERI_ASK_EXPLAIN, serve, explain);
  *ret_explain = explain;
  return 0;
}

void peri_explain_free(struct peri_explain *explain) {
  if (explain == NULL) {
    return;
  }
  for (size_t i = 0; i < explain->count; i++) {
    peri_mailbox_unref(explain->places[i].mailbox);
  }
  free(explain);
}
