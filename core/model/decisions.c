#include "model/decisions.h"

#include <stdlib.h>

enum { APART_NS = 10000000 };

struct peri_decisions *peri_decisions_new(void) {
  return calloc(1, sizeof(struct peri_decisions));
}

void peri_decisions_free(struct peri_decisions *decisions) {
  if (decisions == NULL) {
    return;
  }
  for (size_t i = 0; i < PERI_DECISIONS_EACH; i++) {
    peri_decision_unref(decisions->kept[0][i]);
    peri_decision_unref(decisions->kept[1][i]);
  }
  free(decisions);
}

// One every APART_NS; time without any is saved up for PERI_DECISIONS_EACH.
static void charge(uint64_t *at_ns, uint64_t now_ns) {
  uint64_t saved_ns = (uint64_t)APART_NS * PERI_DECISIONS_EACH;
  uint64_t least_ns = now_ns > saved_ns ? now_ns - saved_ns : 0;
  *at_ns = (*at_ns > least_ns ? *at_ns : least_ns) + APART_NS;
}

void peri_decisions_keep(struct peri_decisions *decisions,
                         struct peri_decision *decision, bool trouble,
                         uint64_t now_ns) {
  size_t kind = trouble ? 1 : 0;
  size_t at = decisions->counts[kind]++ % PERI_DECISIONS_EACH;
  charge(trouble ? &decisions->trouble_ns : &decisions->ordinary_ns, now_ns);
  peri_decision_unref(decisions->kept[kind][at]);
  decisions->kept[kind][at] = peri_decision_ref(decision);
}

static size_t begin_of(size_t count) {
  return count > PERI_DECISIONS_EACH ? count - PERI_DECISIONS_EACH : 0;
}

size_t peri_decisions_list(
    const struct peri_decisions *decisions,
    const struct peri_decision *ret_list[PERI_DECISIONS_ALL]) {
  size_t at[2] = {begin_of(decisions->counts[0]),
                  begin_of(decisions->counts[1])};
  size_t count = 0;
  while (at[0] < decisions->counts[0] || at[1] < decisions->counts[1]) {
    const struct peri_decision *next[2] = {NULL, NULL};
    for (size_t kind = 0; kind < 2; kind++) {
      if (at[kind] < decisions->counts[kind]) {
        next[kind] = decisions->kept[kind][at[kind] % PERI_DECISIONS_EACH];
      }
    }
    bool trouble =
        next[0] == NULL || (next[1] != NULL && next[1]->at_ns < next[0]->at_ns);
    at[trouble]++;
    ret_list[count++] = next[trouble];
  }
  return count;
}
