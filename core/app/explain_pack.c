#include "app/explain_pack.h"

#include <perigee.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/proto.h"
#include "base/status.h"
#include "model/decision.h"

/// Messages are made of pieces that live until they are packed.
struct making {
  struct peri_arena *arena;
  struct peri_buffer words;
  bool failed;  // out of memory
};

static void *take(struct making *making, size_t bytes) {
  void *memory = making->failed ? NULL : peri_arena_alloc(making->arena, bytes);
  making->failed = memory == NULL;
  return memory;
}

static void put_words(struct making *making, const struct peri_decision *from,
                      Perigee__V1__Decision *to) {
  making->words.len = 0;
  if (making->failed ||
      peri_decision_words(from, PERI_DECISION_SHOWN, &making->words) < 0) {
    making->failed = true;
    return;
  }
  to->text.data = take(making, making->words.len);
  if (to->text.data != NULL) {
    memcpy(to->text.data, making->words.ptr, making->words.len);
    to->text.len = making->words.len;
  }
}

static void put_missed(struct making *making, const struct peri_decision *from,
                       Perigee__V1__Decision *to) {
  to->missed = take(making, (from->missed_count + 1) * sizeof(*to->missed));
  for (size_t i = 0; !making->failed && i < from->missed_count; i++) {
    to->missed[to->n_missed++] = peri_proto_text(from->missed[i]);
  }
  to->missed_more = (uint32_t)from->missed_more;
}

static void put_candidates(struct making *making,
                           const struct peri_decision *from,
                           Perigee__V1__Decision *to) {
  size_t count = from->candidate_count;
  Perigee__V1__Candidate *all = take(making, (count + 1) * sizeof(*all));
  to->candidates = take(making, (count + 1) * sizeof(Perigee__V1__Candidate *));
  for (size_t i = 0; !making->failed && i < count; i++) {
    const struct peri_decision_candidate *candidate = &from->candidates[i];
    perigee__v1__candidate__init(&all[i]);
    all[i].address = peri_proto_text(candidate->address);
    all[i].zone = peri_proto_text(candidate->zone);
    all[i].weight = candidate->weight;
    all[i].inflight = candidate->inflight;
    all[i].latency_ns = candidate->latency_ns;
    all[i].failures = candidate->failures;
    all[i].metadata = peri_proto_text(candidate->metadata);
    all[i].self = candidate->self;
    all[i].suspect = candidate->suspect;
    all[i].tried = candidate->tried;
    all[i].chosen = candidate->chosen;
    to->candidates[to->n_candidates++] = &all[i];
  }
  to->candidates_more = (uint32_t)from->candidate_more;
}

static Perigee__V1__Decision *make(struct making *making,
                                   const struct peri_decision *from,
                                   uint32_t worker) {
  Perigee__V1__Decision *to = take(making, sizeof(*to));
  if (to == NULL) {
    return NULL;
  }
  int64_t now_ns = peri_clock_unix_ns();
  perigee__v1__decision__init(to);
  to->kind = peri_proto_text(from->kind == PERI_DECISION_KEY ? "key" : "call");
  to->worker = worker;
  to->at_ns = from->at_ns;
  to->age_ms = now_ns > from->at_ns
                   ? (uint64_t)(now_ns - from->at_ns) / PERI_NS_PER_MS
                   : 0;
  to->subject = peri_proto_text(from->subject);
  to->key = peri_proto_text(from->key);
  to->attempt = from->attempt;
  to->after = peri_proto_text(from->after);
  to->route = from->route;
  to->found = peri_proto_text(from->found);
  to->service = peri_proto_text(from->service);
  to->weight = from->weight;
  to->weights = from->weights;
  to->policy = peri_proto_text(from->policy);
  to->version = from->version;
  to->older = from->older;
  to->reason = peri_proto_text(from->reason);
  to->trouble = peri_proto_text(from->trouble);
  to->took_ns = from->took_ns;
  to->chosen = peri_proto_text(from->chosen);
  to->outcome = peri_proto_text(from->outcome);
  to->status =
      peri_proto_text(from->status >= 0 ? peri_status_name(from->status) : "");
  to->elapsed_ns = from->elapsed_ns;
  put_missed(making, from, to);
  put_candidates(making, from, to);
  put_words(making, from, to);
  return to;
}

int peri_explain_pack(const struct peri_decision *const *decisions,
                      size_t count, uint32_t worker,
                      struct peri_buffer *bytes) {
  struct making making = {.arena = peri_arena_new(0)};
  Perigee__V1__ExplainResponse response = PERIGEE__V1__EXPLAIN_RESPONSE__INIT;
  making.failed = making.arena == NULL;
  response.decisions =
      take(&making, (count + 1) * sizeof(Perigee__V1__Decision *));
  for (size_t i = 0; !making.failed && i < count; i++) {
    response.decisions[response.n_decisions++] =
        make(&making, decisions[i], worker);
  }
  int rc = making.failed ? PERI_ENOMEM : peri_proto_pack(&response.base, bytes);
  peri_buffer_done(&making.words);
  peri_arena_free(making.arena);
  return rc;
}

static int compare(const void *a, const void *b) {
  const Perigee__V1__Decision *const *one = a, *const *other = b;
  return ((*one)->at_ns > (*other)->at_ns) - ((*one)->at_ns < (*other)->at_ns);
}

int peri_explain_merge(struct peri_buffer *bytes) {
  // Messages one behind the other are one with the fields of all.
  Perigee__V1__ExplainResponse *response =
      perigee__v1__explain_response__unpack(NULL, bytes->len,
                                            (const uint8_t *)bytes->ptr);
  if (response == NULL) {
    return PERI_ENOMEM;
  }
  if (response->n_decisions > 1) {
    qsort(response->decisions, response->n_decisions,
          sizeof(response->decisions[0]), compare);
  }
  bytes->len = 0;
  int rc = peri_proto_pack(&response->base, bytes);
  perigee__v1__explain_response__free_unpacked(response, NULL);
  return rc;
}
