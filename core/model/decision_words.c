#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/status.h"
#include "model/decision.h"

enum { SPAN_BYTES = 24 };

static const char *span(uint64_t ns, char text[SPAN_BYTES]) {
  static const struct unit {
    double ns;
    const char *name;
  } units[] = {
      {1e3, "us"}, {1e6, "ms"}, {1e9, "s"}, {60e9, "min"}, {3600e9, "h"}};
  enum { COUNT = sizeof(units) / sizeof(units[0]) };
  size_t at = 0;
  while (at + 1 < COUNT && (double)ns >= units[at + 1].ns) {
    at++;
  }
  double value = (double)ns / units[at].ns;
  (void)snprintf(text, SPAN_BYTES, value < 10 ? "%.1f %s" : "%.0f %s", value,
                 units[at].name);
  return text;
}

int peri_decision_span(uint64_t ns, struct peri_buffer *text) {
  char words[SPAN_BYTES];
  return peri_buffer_printf(text, "%s", span(ns, words));
}

static int put_subject(const struct peri_decision *decision,
                       struct peri_buffer *text) {
  if (decision->kind == PERI_DECISION_KEY) {
    // A key cannot be empty; a group alone may be all that is to tell.
    return decision->key[0] != '\0'
               ? peri_buffer_printf(text, "group %s, key \"%s\"\n",
                                    decision->subject, decision->key)
               : peri_buffer_printf(text, "group %s\n", decision->subject);
  }
  int rc = peri_buffer_printf(text, "%s", decision->subject);
  if (rc == 0 && decision->attempt > 0) {
    rc = peri_buffer_printf(text, "  attempt %u", (unsigned)decision->attempt);
  }
  if (rc == 0 && decision->after[0] != '\0') {
    rc = peri_buffer_printf(text, " (before: %s)", decision->after);
  }
  return rc < 0 ? rc : peri_buffer_add(text, "\n", 1);
}

static int put_found(const struct peri_decision *decision,
                     struct peri_buffer *text) {
  int rc = 0;
  if (decision->found[0] != '\0') {
    rc = peri_buffer_printf(text, "  %s\n", decision->found);
  }
  for (size_t i = 0; rc == 0 && i < decision->missed_count; i++) {
    rc = peri_buffer_printf(text, "    %s\n", decision->missed[i]);
  }
  if (rc == 0 && decision->missed_more > 0) {
    rc = peri_buffer_printf(text, "    nor did %zu more routes\n",
                            decision->missed_more);
  }
  if (rc < 0 || decision->service[0] == '\0') {
    return rc;
  }
  return decision->weight > 0
             ? peri_buffer_printf(text, "  -> service %s (weight %u of %u)\n",
                                  decision->service, (unsigned)decision->weight,
                                  (unsigned)decision->weights)
             : peri_buffer_printf(text, "  -> service %s\n", decision->service);
}

// Who chose: "balancer p2c_ewma version 3", or what is built in.
static int put_policy(const struct peri_decision *decision,
                      struct peri_buffer *text) {
  bool key = decision->kind == PERI_DECISION_KEY;
  if (decision->policy[0] == '\0') {
    return peri_buffer_printf(
        text, key ? "  the built-in ring" : "  the built-in round robin");
  }
  int rc = peri_buffer_printf(text, "  %s %s", key ? "picker" : "balancer",
                              decision->policy);
  if (rc == 0 && decision->version > 0) {
    rc = peri_buffer_printf(text, " version %u", (unsigned)decision->version);
  }
  if (rc == 0 && decision->older) {
    rc = peri_buffer_printf(text, " (not the current one)");
  }
  return rc;
}

static int put_choice(const struct peri_decision *decision,
                      struct peri_buffer *text) {
  char took[SPAN_BYTES];
  int rc = put_policy(decision, text);
  if (rc == 0) {
    rc = decision->chosen[0] != '\0'
             ? peri_buffer_printf(text, " chose %s", decision->chosen)
             : peri_buffer_printf(text, " wants none");
  }
  if (rc == 0 && decision->took_ns > 0) {
    rc = peri_buffer_printf(text, " in %s", span(decision->took_ns, took));
  }
  if (rc == 0 && decision->reason[0] != '\0') {
    rc = peri_buffer_printf(text, ": \"%s\"", decision->reason);
  }
  if (rc == 0) {
    rc = peri_buffer_add(text, "\n", 1);
  }
  if (rc == 0 && decision->trouble[0] != '\0') {
    rc = peri_buffer_printf(
        text, "  %s did not say: %s\n",
        decision->policy[0] != '\0' ? "its current version" : "the policy",
        decision->trouble);
  }
  return rc;
}

static int put_failures(double failures, struct peri_buffer *text) {
  if (failures < 0.05) {
    return peri_buffer_printf(text, "0 failures");
  }
  if (failures > 0.95 && failures < 1.05) {
    return peri_buffer_printf(text, "1 failure ");
  }
  return peri_buffer_printf(text, "%.1f failures", failures);
}

// What a balancer knows of an endpoint's load.
static int put_load(const struct peri_decision_candidate *candidate,
                    struct peri_buffer *text) {
  char latency[SPAN_BYTES] = "-";
  if (candidate->latency_ns > 0) {
    (void)span(candidate->latency_ns, latency);
  }
  int rc = peri_buffer_printf(text, "  %u in flight  %-6s  ",
                              (unsigned)candidate->inflight, latency);
  return rc < 0 ? rc : put_failures(candidate->failures, text);
}

static int put_candidate(const struct peri_decision *decision,
                         const struct peri_decision_candidate *candidate,
                         int widths[2], struct peri_buffer *text) {
  int rc =
      peri_buffer_printf(text, "    %-*s  ", widths[0], candidate->address);
  if (rc == 0 && widths[1] > 0) {
    rc = peri_buffer_printf(text, "zone %-*s  ", widths[1],
                            candidate->zone[0] != '\0' ? candidate->zone : "-");
  }
  if (rc == 0) {
    rc = peri_buffer_printf(text, "weight %u", (unsigned)candidate->weight);
  }
  if (rc == 0 && decision->kind == PERI_DECISION_CALL) {
    rc = put_load(candidate, text);
  }
  if (rc == 0 && candidate->metadata[0] != '\0') {
    rc = peri_buffer_printf(text, "  %s", candidate->metadata);
  }
  if (rc == 0) {
    rc = peri_buffer_printf(text, "%s%s%s%s\n",
                            candidate->self ? "  this sidecar" : "",
                            candidate->suspect ? "  suspect" : "",
                            candidate->tried ? "  tried before" : "",
                            candidate->chosen ? "  chosen" : "");
  }
  return rc;
}

// The how many-th candidate stands at place `i` of `shown`.
static const struct peri_decision_candidate *candidate_at(
    const struct peri_decision *decision, size_t i, size_t shown) {
  for (size_t j = shown; i + 1 == shown && j < decision->candidate_count; j++) {
    if (decision->candidates[j].chosen) {
      return &decision->candidates[j];
    }
  }
  return &decision->candidates[i];
}

static int put_candidates(const struct peri_decision *decision, size_t most,
                          struct peri_buffer *text) {
  size_t count = decision->candidate_count;
  size_t shown = count < most ? count : most;
  size_t more = count - shown + decision->candidate_more;
  int widths[2] = {0, 0};
  int rc = 0;
  for (size_t i = 0; i < shown; i++) {
    const struct peri_decision_candidate *at = candidate_at(decision, i, shown);
    int address = (int)strlen(at->address);
    int zone = (int)strlen(at->zone);
    widths[0] = address > widths[0] ? address : widths[0];
    widths[1] = zone > widths[1] ? zone : widths[1];
  }
  for (size_t i = 0; rc == 0 && i < shown; i++) {
    rc =
        put_candidate(decision, candidate_at(decision, i, shown), widths, text);
  }
  if (rc == 0 && more > 0) {
    rc = peri_buffer_printf(text, "    and %zu more\n", more);
  }
  return rc;
}

static int put_end(const struct peri_decision *decision,
                   struct peri_buffer *text) {
  char elapsed[SPAN_BYTES];
  int rc = 0;
  if (decision->outcome[0] != '\0') {
    rc = peri_buffer_printf(text, "  %s\n", decision->outcome);
  }
  if (rc == 0 && decision->status >= 0) {
    rc = decision->elapsed_ns > 0
             ? peri_buffer_printf(text, "  %s after %s\n",
                                  peri_status_name(decision->status),
                                  span(decision->elapsed_ns, elapsed))
             : peri_buffer_printf(text, "  %s\n",
                                  peri_status_name(decision->status));
  }
  return rc;
}

int peri_decision_words(const struct peri_decision *decision, size_t most,
                        struct peri_buffer *text) {
  int rc = put_subject(decision, text);
  if (rc == 0) {
    rc = put_found(decision, text);
  }
  if (rc == 0 && decision->picked) {
    rc = put_choice(decision, text);
  } else if (rc == 0 && decision->trouble[0] != '\0') {
    rc = peri_buffer_printf(text, "  %s\n", decision->trouble);
  }
  if (rc == 0) {
    rc = put_candidates(decision, most, text);
  }
  return rc < 0 ? rc : put_end(decision, text);
}

// Makes one line of the indented ones from `begin` on, which is shorter.
static void join(struct peri_buffer *text, size_t begin) {
  size_t used = begin;
  size_t at = begin;
  while (at < text->len) {
    const char *end = memchr(text->ptr + at, '\n', text->len - at);
    size_t stop = end != NULL ? (size_t)(end - text->ptr) : text->len;
    while (at < stop && text->ptr[at] == ' ') {
      at++;
    }
    if (used > begin) {
      text->ptr[used++] = ';';
    }
    text->ptr[used++] = ' ';
    memmove(text->ptr + used, text->ptr + at, stop - at);
    used += stop - at;
    at = stop + 1;
  }
  text->len = used;
}

int peri_decision_brief(const struct peri_decision *decision,
                        struct peri_buffer *text) {
  int rc = decision->kind == PERI_DECISION_KEY
               ? peri_buffer_printf(text, "key \"%s\":", decision->key)
               : peri_buffer_printf(text,
                                    "attempt %u:", (unsigned)decision->attempt);
  size_t begin = text->len;
  if (rc == 0 && decision->kind == PERI_DECISION_KEY) {
    rc = put_found(decision, text);
  }
  if (rc == 0 && decision->picked) {
    rc = put_choice(decision, text);
  }
  if (rc == 0) {
    rc = put_end(decision, text);
  }
  if (rc < 0) {
    return rc;
  }
  join(text, begin);
  return peri_buffer_add(text, "\n", 1);
}
