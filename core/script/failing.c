#include "script/failing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "model/config.h"
#include "script/script_private.h"
#include "script/version.h"

enum {
  NOTICE_BYTES = 4096,
  SPAN_BYTES = 32,
  LAST_BYTES = 160,
  NS_A_MS = 1000000
};

int peri_failing_init(struct peri_failing *failing,
                      const struct peri_config_policies *limits) {
  uint32_t limit = limits->failures;

  failing->limit = limit < PERI_FAILING_COUNT ? limit : PERI_FAILING_COUNT;
  failing->window_ns = limits->window_ms * NS_A_MS;
  failing->pause_ns = limits->pause_ms * NS_A_MS;
  failing->times = calloc(failing->limit + 1u, sizeof(failing->times[0]));
  return failing->times ? 0 : PERI_ENOMEM;
}

void peri_failing_done(struct peri_failing *failing) {
  free(failing->times);
  failing->times = NULL;
}

static bool is_new(struct peri_failing *failing, struct peri_slice line) {
  uint64_t hash = peri_hash_xxh3(line, 0);

  for (uint32_t i = 0; i < failing->seen_count; i++) {
    if (failing->seen[i] == hash) {
      return false;
    }
  }
  if (failing->seen_count == PERI_FAILING_SEEN) {
    return false;
  }
  failing->seen[failing->seen_count++] = hash;
  return true;
}

// Whether the failure now is the last of `limit` within the window.
static bool is_too_many(struct peri_failing *failing, uint64_t now_ns) {
  if (failing->limit == 0) {
    return false;
  }
  failing->times[failing->at] = now_ns;
  failing->at = (failing->at + 1) % failing->limit;
  if (failing->count < failing->limit) {
    failing->count++;
  }
  // The slot that the next failure takes holds the oldest one.
  return failing->count == failing->limit &&
         now_ns - failing->times[failing->at] <= failing->window_ns;
}

static const char *span(char *text, uint64_t ns) {
  uint64_t ms = ns / NS_A_MS;

  if (ms % 1000 == 0) {
    snprintf(text, SPAN_BYTES, "%" PRIu64 " s", ms / 1000);
  } else {
    snprintf(text, SPAN_BYTES, "%" PRIu64 " ms", ms);
  }
  return text;
}

static void switch_off(struct peri_version *version, uint64_t now_ns) {
  struct peri_failing *failing = &version->failing;
  const struct peri_policy *policy = version->policy;
  char text[NOTICE_BYTES], window[SPAN_BYTES], pause[SPAN_BYTES];

  failing->try_ns = now_ns + failing->pause_ns;
  if (version->off) {
    return;  // A try failed, which was to be expected.
  }
  version->off = true;
  span(window, failing->window_ns);
  snprintf(failing->off_words, sizeof(failing->off_words),
           "switched off after %" PRIu32 " failures in %s: %.*s",
           failing->limit, window, LAST_BYTES, failing->last);
  snprintf(text, sizeof(text),
           "%s %s: switched off after %" PRIu32
           " failures in %s, next try in %s: %s",
           policy->kind, policy->name, failing->limit, window,
           span(pause, failing->pause_ns), failing->last);
  peri_script_tell(policy->script, text);
  peri_policy_show(version->policy);
}

void peri_version_told(struct peri_version *version) {
  struct peri_failing *failing = &version->failing;
  struct peri_policy *policy = version->policy;
  const char *failure = peri_vm_failure(version->vm);
  struct peri_slice line = {failure, strcspn(failure, "\n")};
  char text[NOTICE_BYTES];

  policy->errors++;
  if (policy->errors_metric) {
    peri_metric_add(policy->errors_metric, 1);
  }
  snprintf(failing->last, sizeof(failing->last), "%.*s", (int)line.len,
           failure);
  if (is_new(failing, line)) {
    snprintf(text, sizeof(text), "%s %s: %s", policy->kind, policy->name,
             failure);
    peri_script_tell(policy->script, text);
  }
}

void peri_version_failed(struct peri_version *version) {
  uint64_t now_ns = peri_script_now_ns(version->policy->script);

  peri_version_told(version);
  if (is_too_many(&version->failing, now_ns) || version->off) {
    switch_off(version, now_ns);
  }
}

void peri_version_recovered(struct peri_version *version) {
  const struct peri_policy *policy = version->policy;
  char text[NOTICE_BYTES];

  peri_version_absolve(version);
  snprintf(text, sizeof(text), "%s %s: on again", policy->kind, policy->name);
  peri_script_tell(policy->script, text);
}

bool peri_version_may_try(struct peri_version *version) {
  struct peri_failing *failing = &version->failing;

  if (!version->off) {
    return true;
  }
  uint64_t now_ns = peri_script_now_ns(version->policy->script);
  if (now_ns < failing->try_ns) {
    return false;
  }
  failing->try_ns = now_ns + failing->pause_ns;
  return true;
}

void peri_version_forgive(struct peri_version *version) {
  version->failing.count = 0;
}

void peri_version_absolve(struct peri_version *version) {
  peri_version_forgive(version);
  version->off = false;
  peri_policy_show(version->policy);
}
