#include "model/policy.h"

#include <string.h>

#include "base/json.h"

bool peri_policy_ref_same(const struct peri_policy_ref *a,
                          const struct peri_policy_ref *b) {
  if (a->name == NULL || b->name == NULL) {
    return a->name == b->name;
  }
  return strcmp(a->name, b->name) == 0 &&
         (peri_json_equal(a->options, b->options) ||
          (peri_json_size(a->options) == 0 && peri_json_size(b->options) == 0));
}

int peri_policy_ref_fail(const struct peri_policy_ref *ref, int code,
                         struct peri_problem *ret_problem) {
  if (ret_problem == NULL || ref->place == NULL) {
    return code;
  }
  struct peri_problem told = *ret_problem;
  return peri_problem_set(ret_problem, code, "%s: %s", ref->place, told.text);
}
