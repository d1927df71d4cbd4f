#pragma once

#include "base/error.h"
#include "base/types.h"

struct peri_config;
struct peri_decision;
struct peri_decisions;
struct peri_h2_client;
struct peri_h2_stream;
struct peri_loop;
struct peri_metrics;
struct peri_policy_host;
struct peri_snapshot;

/// The forwarding half of one worker: routes a call, lets the balancer of its
/// service pick an endpoint, and carries the stream frame by frame both ways
/// without decoding messages. Its loop's thread only.
struct peri_proxy;

/// What a proxy is made of; copied, and borrowed but for the configuration.
struct peri_proxy_options {
  struct peri_loop *loop;
  struct peri_config *config;  // referenced
  struct peri_h2_client *client;
  struct peri_policy_host *host;
  struct peri_metrics *metrics;
  struct peri_decisions *decisions;  // of the worker; borrowed, may be NULL
  /// As in model/route.h.
  bool (*pattern)(const char *pattern, struct peri_slice text);
  /// Nobody named this service before: see it from now on. A call waits up to
  /// 1 s for a snapshot that knows it.
  void (*want)(void *ctx, struct peri_slice service);
  void *ctx;
};

/// Makes it with the balancers of all routes. @return 0, PERI_ENOTFOUND,
/// PERI_ECONFIG or PERI_ESCRIPT (a balancer; words name it), PERI_ENOMEM.
int peri_proxy_new(const struct peri_proxy_options *options,
                   struct peri_proxy **ret_proxy,
                   struct peri_problem *ret_problem);

/// Makes what another configuration needs beside what runs: its routes, the
/// services that are new or have another balancer (which gets the present
/// endpoints), the services that it provides. Seats whose policy did not change
/// are kept with their state. One at a time. @return as peri_proxy_new(); on a
/// failure nothing is prepared.
int peri_proxy_prepare(struct peri_proxy *proxy, struct peri_config *config,
                       struct peri_problem *ret_problem);
/// Switches to what is prepared, which cannot fail. Calls under way keep their
/// route, service and configuration; connections to endpoints that nothing
/// needs any more end with their streams.
void peri_proxy_commit(struct peri_proxy *proxy);
/// Drops what is prepared, if anything is.
void peri_proxy_abort(struct peri_proxy *proxy);

/// Takes over a new snapshot: balancers hear of it, connections to endpoints
/// that left end with their streams.
void peri_proxy_adopt(struct peri_proxy *proxy, struct peri_snapshot *snapshot);

/// Whether a call from the application names its service itself
/// (`perigee-service`), which wins over everything else.
bool peri_proxy_is_addressed(const struct peri_h2_stream *stream);

/// Takes a call of the local application: by `perigee-service`, a route, its
/// `:authority` or its gRPC service. Answers it in any case; UNIMPLEMENTED with
/// words about what was looked for when nothing matches.
void peri_proxy_outbound(struct peri_proxy *proxy,
                         struct peri_h2_stream *stream);

/// Takes a call that came in on the mesh: to the local application that
/// provides the service (`perigee-service`, else `:authority`, else the only
/// one), never to another sidecar.
void peri_proxy_inbound(struct peri_proxy *proxy,
                        struct peri_h2_stream *stream);

/// The local application provides one more service, or (`address` empty) one
/// less, beside those of the configuration; what is given here wins over them.
/// @return 0, PERI_EINVAL (address), PERI_ENOMEM.
int peri_proxy_provide(struct peri_proxy *proxy, struct peri_slice service,
                       struct peri_slice address);

/// A call that nobody makes.
struct peri_proxy_question {
  struct peri_slice service;  // of gRPC
  struct peri_slice method;
  struct peri_slice authority;
  struct peri_slice named;  // as perigee-service does, or empty
  /// The first header of that name; false when absent.
  bool (*header)(void *ctx, const char *name, struct peri_slice *ret_value);
  void *ctx;
};

/// Decides where a call of the application would go, without sending anything
/// or waiting; a service that nobody knows is asked for from now on, as a call
/// would. Policies are asked, and told that the call was cancelled. @return 0
/// (with a reference) or PERI_ENOMEM.
int peri_proxy_explain(struct peri_proxy *proxy,
                       const struct peri_proxy_question *question,
                       struct peri_decision **ret_decision);

/// Every stream must be closed before (the servers freed). NULL is fine.
void peri_proxy_free(struct peri_proxy *proxy);
