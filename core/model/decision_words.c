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
    return peri_buffer_printf(text, "group %s, key \"%s\"\n", decision->subject,
                              decision->key);
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
    rc = peri_buffer_printf(text, "  its current version did not say: %s\n",
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

static int put_candidate(const struct peri_decision_candidate *candidate,
                         int widths[2], struct peri_buffer *text) {
  char latency[SPAN_BYTES] = "-";
  if (candidate->latency_ns > 0) {
    (void)span(candidate->latency_ns, latency);
  }
  int rc =
      peri_buffer_printf(text, "    %-*s  ", widths[0], candidate->address);
  if (rc == 0 && widths[1] > 0) {
    rc = peri_buffer_printf(text, "zone %-*s  ", widths[1],
                            candidate->zone[0] != '\0' ? candidate->zone : "-");
  }
  if (rc == 0) {
    rc = peri_buffer_printf(text, "weight %u  %u in flight  %-6s  ",
                            (unsigned)candidate->weight,
                            (unsigned)candidate->inflight, latency);
  }
  if (rc == 0) {
    rc = put_failures(candidate->failures, text);
  }
  if (rc == 0) {
    rc = peri_buffer_printf(text, "%s%s%s\n",
                            candidate->suspect ? "  suspect" : "",
                            candidate->tried ? "  tried before" : "",
                            candidate->chosen ? "  chosen" : "");
  }
  return rc;
}

static int put_candidates(const struct peri_decision *decision,
                          struct peri_buffer *text) {
  int widths[2] = {0, 0};
  int rc = 0;
  for (size_t i = 0; i < decision->candidate_count; i++) {
    int address = (int)strlen(decision->candidates[i].address);
    int zone = (int)strlen(decision->candidates[i].zone);
    widths[0] = address > widths[0] ? address : widths[0];
    widths[1] = zone > widths[1] ? zone : widths[1];
  }
  for (size_t i = 0; rc == 0 && i < decision->candidate_count; i++) {
    rc = put_candidate(&decision->candidates[i], widths, text);
  }
  if (rc == 0 && decision->candidate_more > 0) {
    rc = peri_buffer_printf(text, "    and %zu more\n",
                            decision->candidate_more);
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

int peri_decision_words(const struct peri_decision *decision,
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
    rc = put_candidates(decision, text);
  }
  return rc < 0 ? rc : put_end(decision, text);
}

int peri_decision_brief(const struct peri_decision *decision,
                        struct peri_buffer *text) {
  int rc = put_subject(decision, text);
  if (rc == 0 && decision->picked) {
    rc = put_choice(decision, text);
  }
  return rc < 0 ? rc : put_end(decision, text);
}
