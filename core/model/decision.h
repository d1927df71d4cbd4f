#pragma once

#include "base/buffer.h"
#include "base/types.h"

struct peri_arena;
struct peri_peers;

/// What was decided.
enum peri_decision_kind {
  PERI_DECISION_CALL = 1,  // where an attempt of a call goes
  PERI_DECISION_KEY = 2    // who owns a key, and what a Get of it does
};

/// How much of it is kept, and shown.
enum {
  PERI_DECISION_TEXT_BYTES = 256,  // of one text
  PERI_DECISION_MISSES = 8,
  PERI_DECISION_CANDIDATES = 64,
  PERI_DECISION_SHOWN = 16,  // of them, in words
  PERI_DECISION_METADATA_BYTES = 128,
  PERI_DECISION_LINES = 24,       // of an explanation in trailers
  PERI_DECISION_LINE_BYTES = 512  // of one of these
};

/// An endpoint that could be chosen, with what the policy saw of it.
struct peri_decision_candidate {
  size_t index;  // among the endpoints
  const char *address;
  const char *zone;
  const char *metadata;  // a JSON object of what there is room for, or ""
  uint32_t weight;
  uint32_t inflight;
  uint64_t latency_ns;  // average; 0: none is known
  double failures;      // lately, halved every 10 s
  bool self;            // this very sidecar
  bool suspect;
  bool tried;  // by the call, in an attempt before
  bool chosen;
};

/// One decision as plain data. Counted by reference; one thread at a time. Its
/// texts belong to it, are never NULL, can be printed anywhere and have at most
/// PERI_DECISION_TEXT_BYTES bytes.
struct peri_decision {
  struct peri_arena *arena;
  uint32_t references;
  struct peri_decision *before;  // the same call's attempt before, or NULL
  enum peri_decision_kind kind;
  int64_t at_ns;        // Unix
  const char *subject;  // "orders.v1.Orders/Get", or the group
  const char *key;
  uint32_t attempt;   // from 1; 0: there was none
  const char *after;  // how the attempt before failed, unless it is in `before`
  uint32_t route;     // that matched, from 1; 0: none
  const char *found;  // how the service was found, or what is here of the key
  const char *missed[PERI_DECISION_MISSES];  // routes that did not match, why
  size_t missed_count;
  size_t missed_more;
  const char *service;  // that the call goes to, or ""
  uint32_t weight;      // of the service among the route's; 0: the only one
  uint32_t weights;     // of all of them
  bool picked;          // something was asked for a choice
  const char *policy;   // "" for what is built in
  uint32_t version;     // of the policy; 0: unknown
  bool older;           // not its current one
  const char *reason;   // what the policy says why
  const char *trouble;  // why the policy, or its current version, did not say
  uint64_t took_ns;     // 0: not measured
  const char *chosen;   // address, or ""
  struct peri_decision_candidate *candidates;
  size_t candidate_count;
  size_t candidate_more;
  const char *outcome;  // what a Get does, or why a call goes nowhere
  int status;           // of gRPC, once known; -1 before
  uint64_t elapsed_ns;  // from the request to that
};

/// A decision made now, with one reference; NULL when out of memory.
struct peri_decision *peri_decision_new(enum peri_decision_kind kind);
struct peri_decision *peri_decision_ref(struct peri_decision *decision);
/// NULL is fine.
void peri_decision_unref(struct peri_decision *decision);

/// A text for it: copied, cleaned as peri_text_clean() does, cut at a whole
/// character; "" when out of memory.
const char *peri_decision_text(struct peri_decision *decision,
                               struct peri_slice text);
/// The same, formatted.
const char *peri_decision_format(struct peri_decision *decision,
                                 const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/// Room for the candidates of a choice among `count`: the first
/// PERI_DECISION_CANDIDATES are kept and the others counted. Returns how many
/// there is room for; 0 when out of memory.
size_t peri_decision_room(struct peri_decision *decision, size_t count);

/// Takes the endpoints of a choice as its candidates, with what every policy
/// sees of them: the first ones, and in any case the one at `chosen` (SIZE_MAX:
/// none was), which becomes what was chosen. Of their metadata the plain values
/// whose names do not sound secret.
void peri_decision_consider(struct peri_decision *decision,
                            const struct peri_peers *peers, size_t chosen);

/// Appends it in words, a line each and indented, without the attempts before.
/// Shown are at most `most` candidates, the chosen one among them.
/// @return 0 or PERI_ENOMEM.
int peri_decision_words(const struct peri_decision *decision, size_t most,
                        struct peri_buffer *text);

/// The same in one line: no more than who chose what, and how that went.
/// @return 0 or PERI_ENOMEM.
int peri_decision_brief(const struct peri_decision *decision,
                        struct peri_buffer *text);

/// Appends a span of time as people write it: "0.4 us", "1.2 ms", "29 s".
/// @return 0 or PERI_ENOMEM.
int peri_decision_span(uint64_t ns, struct peri_buffer *text);

/// An explanation as fields of trailers can hold it.
struct peri_decision_lines {
  struct peri_slice lines[PERI_DECISION_LINES];
  size_t count;
  struct peri_buffer text;  // of the lines
};

/// Writes a decision as lines, after the last attempts before it, a line each:
/// percent-encoded as grpc-message is, cut at PERI_DECISION_LINE_BYTES.
/// `room_bytes` is counted as HTTP/2 counts header lists for fields named
/// `perigee-explain`; when there is little of it, fewer candidates are shown,
/// and what does not fit even so is left out. Out of memory gives no lines.
void peri_decision_lines_init(struct peri_decision_lines *lines,
                              const struct peri_decision *decision,
                              size_t room_bytes);
/// The same for words that are at hand, and for their first lines.
void peri_decision_lines_of(struct peri_decision_lines *lines,
                            struct peri_slice words, size_t room_bytes);
void peri_decision_lines_done(struct peri_decision_lines *lines);
