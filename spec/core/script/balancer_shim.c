#include "script/balancer_shim.h"

#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/slice.h"

static bool header(void *ctx, const char *name, struct peri_slice *ret_value) {
  const struct balancer_shim_headers *headers = ctx;

  for (int i = 0; i < BALANCER_SHIM_HEADERS; i++) {
    if (headers->names[i] && strcmp(headers->names[i], name) == 0) {
      *ret_value = peri_slice_of(headers->values[i]);
      return true;
    }
  }
  return false;
}

void balancer_shim_request(struct peri_pick_request *ret_request,
                           struct balancer_shim_headers *headers) {
  ret_request->header = header;
  ret_request->ctx = headers;
}

int balancer_shim_make(struct script_shim *shim, const char *name,
                       const char *options, struct peri_balancer **ret_balancer,
                       struct peri_problem *ret_problem) {
  struct peri_json *json = NULL;

  if (options) {
    peri_json_parse(peri_slice_of(options), &json, NULL);
  }
  struct peri_policy_ref ref = {.name = name, .options = json};
  int rc = shim->host->balancer(shim->host, &ref, ret_balancer, ret_problem);
  peri_json_unref(json);
  return rc;
}

static uint64_t cpu_ns(void) {
  struct timespec now = {0, 0};

  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

double balancer_shim_pick_ns(struct peri_balancer *balancer,
                             const struct peri_pick_request *request,
                             struct peri_load *const *loads, size_t count,
                             int rounds) {
  size_t last = count;
  uint64_t start = cpu_ns();

  for (int i = 0; i < rounds; i++) {
    struct peri_choice choice;
    if (balancer->pick(balancer, request, NULL, 0, &choice) < 0) {
      return -1;
    }
    size_t at = choice.index;
    loads[at]->inflight++;
    if (last < count) {
      loads[last]->inflight--;
    }
    last = at;
  }
  return (double)(cpu_ns() - start) / rounds;
}
