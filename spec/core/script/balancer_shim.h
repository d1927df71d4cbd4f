#pragma once

#include "base/types.h"
#include "model/load.h"
#include "model/policy.h"
#include "script/script_shim.h"

enum { BALANCER_SHIM_HEADERS = 4 };

/// Headers of a request.
struct balancer_shim_headers {
  const char *names[BALANCER_SHIM_HEADERS];  // NULL: unused
  const char *values[BALANCER_SHIM_HEADERS];
};

/// Makes `ret_request` look up its headers in `headers`.
void balancer_shim_request(struct peri_pick_request *ret_request,
                           struct balancer_shim_headers *headers);

int balancer_shim_make(struct script_shim *shim, const char *name,
                       const char *options, struct peri_balancer **ret_balancer,
                       struct peri_problem *ret_problem);

/// Nanoseconds of processor time that a pick takes, over `rounds`; a call is
/// under way at the endpoint that was picked last, so that loads move.
double balancer_shim_pick_ns(struct peri_balancer *balancer,
                             const struct peri_pick_request *request,
                             struct peri_load *const *loads, size_t count,
                             int rounds);
