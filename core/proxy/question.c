#include "base/error.h"
#include "base/random.h"
#include "base/slice.h"
#include "base/status.h"
#include "model/config.h"
#include "model/peers.h"
#include "model/route.h"
#include "proxy/private.h"

// A call that nobody makes: where would it go?
struct asking {
  struct peri_proxy *proxy;
  struct peri_proxy_subject subject;
  struct peri_route_query query;
  struct peri_proxy_service *service;  // NULL: nobody knows it
  struct peri_slice unknown;  // the name of a service that nobody knows
};

static void want(struct asking *asking, struct peri_slice name) {
  struct peri_proxy *proxy = asking->proxy;
  asking->unknown = name;
  if (proxy->options.want != NULL) {
    proxy->options.want(proxy->options.ctx, name);
  }
}

static void by_call(struct asking *asking) {
  const struct peri_route_query *query = &asking->query;
  asking->service =
      peri_proxy_find_by_call(asking->proxy, query->authority, query->service);
  if (asking->service == NULL) {
    struct peri_slice host = peri_proxy_host_of(query->authority);
    if (peri_proxy_is_name(host)) {
      want(asking, host);
    }
    want(asking, query->service);
  }
}

static void find(struct asking *asking) {
  struct peri_proxy *proxy = asking->proxy;
  struct peri_proxy_subject *subject = &asking->subject;
  if (subject->named.len > 0) {
    asking->service = peri_proxy_service_find(proxy, subject->named);
    if (asking->service == NULL) {
      want(asking, subject->named);
    }
    return;
  }
  subject->route = peri_route_find(subject->config, &asking->query);
  if (subject->route == NULL) {
    by_call(asking);
    return;
  }
  subject->target =
      peri_route_choose(subject->route, peri_random_next(&proxy->random));
  asking->service =
      proxy->table->routes[subject->route->index - 1]
                          [subject->target - subject->route->targets];
  if (asking->service->set == NULL) {
    want(asking, asking->service->name);
  }
}

// What would be the built-in round robin's turn, without taking it.
static size_t turn_of(const struct peri_proxy_service *service) {
  return service->turn % service->set->count;
}

static void choose(struct asking *asking, struct peri_decision *decision) {
  struct peri_proxy_service *service = asking->service;
  struct peri_balancer *balancer = service->balancer;
  struct peri_pick_request request = {.service = asking->query.service,
                                      .method = asking->query.method,
                                      .header = asking->query.header,
                                      .ctx = asking->query.ctx,
                                      .body = {"", 0},
                                      .attempt = 1};
  struct peri_proxy_pick pick = {.code = PERI_ESCRIPT};
  struct peri_proxy_set *set = service->set;
  size_t index = SIZE_MAX;
  if (balancer != NULL) {
    peri_proxy_pick_measured(balancer, &request, NULL, 0, set->count, &pick);
  }
  if (pick.code == 0) {
    index = pick.choice.index;
  } else if (pick.code != PERI_ENOTFOUND) {
    index = turn_of(service);
  }
  decision->attempt = 1;
  peri_proxy_explain_pick(decision, service, &pick);
  peri_proxy_explain_candidates(decision, set, NULL, 0, index);
  if (pick.code == 0 && balancer->done != NULL) {
    const struct peri_outcome outcome = {.status = PERI_STATUS_CANCELLED};
    request.version = pick.choice.version;
    balancer->done(balancer, &request,
                   peri_peers_at(set->peers, index)->address, &outcome);
  }
  decision->outcome =
      pick.code == PERI_ENOTFOUND
          ? peri_decision_format(decision,
                                 "UNAVAILABLE: the balancer wants none of %zu "
                                 "endpoints",
                                 set->count)
          : "nothing was sent";
}

static const char *nowhere(const struct asking *asking,
                           struct peri_decision *decision) {
  if (asking->unknown.len > 0 && asking->proxy->options.want != NULL) {
    return peri_decision_format(
        decision,
        "no endpoint of %.*s is known; the registry is asked for it from now "
        "on, so ask again",
        asking->unknown.len < 150 ? (int)asking->unknown.len : 150,
        asking->unknown.ptr);
  }
  return asking->subject.route == NULL && asking->subject.named.len == 0
             ? "UNIMPLEMENTED: nothing is there for it"
             : "UNAVAILABLE: no endpoint is known";
}

int peri_proxy_explain(struct peri_proxy *proxy,
                       const struct peri_proxy_question *question,
                       struct peri_decision **ret_decision) {
  struct peri_decision *decision = peri_decision_new(PERI_DECISION_CALL);
  if (decision == NULL) {
    return PERI_ENOMEM;
  }
  struct asking asking = {
      .proxy = proxy,
      .query = {.service = question->service,
                .method = question->method,
                .authority = question->authority,
                .header = question->header,
                .ctx = question->ctx,
                .pattern = proxy->options.pattern},
      .subject = {.config = proxy->table->config, .named = question->named}};
  asking.subject.query = &asking.query;
  find(&asking);
  asking.subject.service = asking.service;
  peri_proxy_explain_subject(decision, &asking.subject);
  if (asking.service != NULL && asking.service->set != NULL &&
      asking.service->set->count > 0) {
    choose(&asking, decision);
  } else {
    decision->outcome = nowhere(&asking, decision);
  }
  *ret_decision = decision;
  return 0;
}
