#include <stdint.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/slice.h"
#include "model/config.h"
#include "model/load.h"
#include "model/peers.h"
#include "model/route.h"
#include "proxy/private.h"

// Words that a function writes, as a text of the decision.
static const char *route_words(struct peri_decision *decision,
                               const struct peri_route *route,
                               const struct peri_route_query *query) {
  struct peri_buffer text = {0};
  const char *words = "";
  if (peri_route_words(route, query, &text) == 0) {
    words = peri_decision_text(decision, peri_buffer_slice(&text));
  }
  peri_buffer_done(&text);
  return words;
}

static void put_missed(struct peri_decision *decision,
                       const struct peri_proxy_subject *subject) {
  const struct peri_config *config = subject->config;
  size_t count =
      subject->route != NULL ? subject->route->index - 1 : config->route_count;
  for (size_t i = 0; i < count; i++) {
    if (decision->missed_count == PERI_DECISION_MISSES) {
      decision->missed_more = count - i;
      return;
    }
    decision->missed[decision->missed_count++] =
        route_words(decision, &config->routes[i], subject->query);
  }
}

static void put_route(struct peri_decision *decision,
                      const struct peri_proxy_subject *subject) {
  const struct peri_route *route = subject->route;
  decision->route = (uint32_t)route->index;
  decision->found = route_words(decision, route, subject->query);
  if (route->target_count > 1) {
    decision->weight = subject->target->weight;
    for (size_t i = 0; i < route->target_count; i++) {
      decision->weights += route->targets[i].weight;
    }
  }
}

// What the call itself says, when no route does.
static const char *put_name(struct peri_decision *decision,
                            const struct peri_proxy_subject *subject) {
  const struct peri_route_query *query = subject->query;
  struct peri_slice authority = query->authority;
  const char *before =
      subject->config->route_count > 0 ? "no route matches; " : "";
  if (subject->service == NULL) {
    return peri_decision_format(
        decision, "%sno service is known as \"%.*s\" or \"%.*s\"", before,
        authority.len < 80 ? (int)authority.len : 80, authority.ptr,
        query->service.len < 80 ? (int)query->service.len : 80,
        query->service.ptr);
  }
  return peri_decision_format(
      decision, "%sthe %s names the service", before,
      peri_slice_equal(subject->service->name, query->service)
          ? "call's gRPC service"
          : "authority");
}

void peri_proxy_explain_subject(struct peri_decision *decision,
                                const struct peri_proxy_subject *subject) {
  const struct peri_route_query *query = subject->query;
  decision->subject = peri_decision_format(
      decision, "%.*s/%.*s",
      query->service.len < 150 ? (int)query->service.len : 150,
      query->service.ptr,
      query->method.len < 100 ? (int)query->method.len : 100,
      query->method.ptr);
  if (subject->inbound) {
    decision->found = subject->service != NULL
                          ? "from the mesh: provided here"
                          : "from the mesh: no such service is provided here";
  } else if (subject->named.len > 0) {
    decision->found = "the header perigee-service names the service";
  } else {
    put_missed(decision, subject);
    if (subject->route != NULL) {
      put_route(decision, subject);
    } else {
      decision->found = put_name(decision, subject);
    }
  }
  if (subject->service != NULL) {
    decision->service = peri_decision_text(decision, subject->service->name);
  } else if (subject->route != NULL && subject->target->service != NULL) {
    decision->service =
        peri_decision_text(decision, peri_slice_of(subject->target->service));
  } else {
    decision->service = peri_decision_text(decision, subject->named);
  }
}

// Why the policy did not choose, or its current version did not.
static const char *trouble_of(struct peri_decision *decision,
                              const struct peri_proxy_service *service,
                              const struct peri_proxy_pick *pick) {
  if (pick->choice.trouble.len > 0) {
    return peri_decision_text(decision, pick->choice.trouble);
  }
  if (pick->asked) {
    return pick->code == PERI_ESCRIPT ? "it failed"
           : pick->code == PERI_EINVAL
               ? "it chose an endpoint that it was not offered"
               : "";
  }
  return service->policy.name != NULL && service->balancer == NULL
             ? "it could not be made"
             : "";
}

void peri_proxy_explain_pick(struct peri_decision *decision,
                             const struct peri_proxy_service *service,
                             const struct peri_proxy_pick *pick) {
  const struct peri_choice *choice = &pick->choice;
  const char *name = service->policy.name;
  bool chose = pick->asked && (pick->code == 0 || pick->code == PERI_ENOTFOUND);
  decision->picked = true;
  decision->took_ns = pick->took_ns;
  decision->trouble = trouble_of(decision, service, pick);
  if (chose) {
    decision->policy = peri_decision_text(
        decision, peri_slice_of(name != NULL ? name : "of its own"));
    decision->version = choice->version;
    decision->older = choice->older;
    decision->reason = peri_decision_text(decision, choice->reason);
  } else if (decision->trouble[0] != '\0' && name != NULL) {
    decision->trouble =
        peri_decision_format(decision, "%s: %s", name, decision->trouble);
  }
}

void peri_proxy_explain_candidates(struct peri_decision *decision,
                                   const struct peri_proxy_set *set,
                                   struct peri_load *const *tried,
                                   size_t tried_count, size_t chosen) {
  uint64_t now_ns = peri_clock_mono_ns();
  peri_decision_consider(decision, set->peers, chosen);
  for (size_t i = 0; i < decision->candidate_count; i++) {
    struct peri_decision_candidate *candidate = &decision->candidates[i];
    const struct peri_load *load = set->loads[candidate->index];
    candidate->inflight = load->inflight;
    candidate->latency_ns = peri_load_latency_ns(load, now_ns);
    candidate->failures = peri_load_failures(load, now_ns);
    candidate->tried = peri_proxy_is_tried(tried, tried_count, load);
  }
}
