#pragma once

#include "base/error.h"
#include "base/types.h"
#include "etcd/error.h"

struct peri_loop;
struct peri_mailbox;
struct peri_metrics;

/// A session with an etcd cluster (API v3, server 3.4 or later): a channel for
/// each endpoint, failover among them, user and password with a token renewed
/// in a single flight. Everything is called on the loop's thread, every
/// callback comes there and never from within the function that asked.
struct peri_etcd;

struct peri_etcd_options {
  struct peri_loop *loop;
  struct peri_mailbox *mailbox;  // of that loop
  struct peri_metrics *metrics;  // may be NULL
  /// "http://host:port", "https://host:port", "host:port" (https when `ca`,
  /// `certificate` or `tls` is given) or "unix:PATH". At least one. Copied, as
  /// all texts here.
  const char *const *endpoints;
  size_t endpoint_count;
  bool tls;                       // for endpoints written without a scheme
  struct peri_slice ca;           // PEM; empty: the system's
  struct peri_slice certificate;  // PEM, for mutual TLS
  struct peri_slice key;          // PEM
  struct peri_slice server_name;  // checked instead of the endpoint's host
  struct peri_slice user;         // empty: no authentication
  struct peri_slice password;
  uint32_t timeout_ms;  // of a whole call with its retries; 0 for 2,000
  uint32_t attempt_ms;  // of one attempt; 0 for 700
};

/// Does not connect yet. @return 0, PERI_EINVAL (an endpoint, schemes mixed,
/// a key without a certificate), PERI_EUNSUPPORTED (no gRPC library) or
/// PERI_ENOMEM, with words.
int peri_etcd_new(const struct peri_etcd_options *options,
                  struct peri_etcd **ret_etcd,
                  struct peri_problem *ret_problem);

/// Ends every call and stream (their callbacks do not come any more) and frees
/// the session; then `closed(ctx)`, which may be NULL. Everything made of the
/// session (watches, keepers) must be freed before. Needs the loop to run.
void peri_etcd_close(struct peri_etcd *etcd, void (*closed)(void *ctx),
                     void *ctx);

/// The loop of the session.
struct peri_loop *peri_etcd_loop(const struct peri_etcd *etcd);

size_t peri_etcd_endpoint_count(const struct peri_etcd *etcd);
/// As written in the options; borrowed.
const char *peri_etcd_endpoint_name(const struct peri_etcd *etcd, int endpoint);
/// The endpoint that calls go to now; with `avoid` >= 0 the best other one
/// (`avoid` itself when it is the only one).
int peri_etcd_endpoint_best(const struct peri_etcd *etcd, int avoid);
/// A stream found that the endpoint does not answer: prefer others for a while.
void peri_etcd_endpoint_suspect(struct peri_etcd *etcd, int endpoint);

/// A unary call of any method, with its attempts. Below the typed calls of
/// kv.h, lease.h and others; use those.
struct peri_etcd_call;

struct peri_etcd_request {
  const char *path;           // "/etcdserverpb.KV/Range"
  struct peri_slice message;  // packed; copied
  /// Whether it may be sent again when it is not known if it was done. Calls
  /// that may not are sent again only when they surely never reached etcd.
  bool replay;
  /// Whether a member that knows no leader may answer (what may be stale).
  bool leaderless;
  /// 0 for the session's; UINT32_MAX for none, neither for an attempt (Lock).
  uint32_t timeout_ms;
  int endpoint;  // -1 for any, else only this one
};

/// `done` comes exactly once unless cancelled: `error` is NULL when it
/// succeeded, and `message` (valid during the callback) the packed response.
/// Attempts go to the best endpoint, each limited by attempt_ms, then to the
/// next; between rounds it waits 25 ms … 250 ms with jitter. A token that is no
/// longer valid is renewed once. Both pointers may be used after `done` no
/// more. `ret_call` may be NULL. @return 0 or PERI_ENOMEM.
int peri_etcd_call(struct peri_etcd *etcd,
                   const struct peri_etcd_request *request,
                   void (*done)(void *ctx, const struct peri_etcd_error *error,
                                struct peri_slice message),
                   void *ctx, struct peri_etcd_call **ret_call);

/// Cancels a call (also a typed one): its callback does not come.
void peri_etcd_call_cancel(struct peri_etcd_call *call);

/// A bidirectional stream to one endpoint, with `hasleader` and the token.
/// Nothing is tried again here: keepalive.h and watch.h do that.
struct peri_etcd_stream;

struct peri_etcd_stream_events {
  void (*message)(void *ctx, struct peri_slice message);
  /// Exactly once, last: the handle is gone when it returns. Never NULL, also
  /// when the server ended it in peace. A token that is no longer valid has
  /// then been forgotten, so that the next stream gets a new one.
  void (*ended)(void *ctx, const struct peri_etcd_error *error);
};

/// Opens it once a token is there. Messages may be sent at once (they wait).
/// `events` must outlive it. @return 0 or PERI_ENOMEM.
int peri_etcd_stream_open(struct peri_etcd *etcd, const char *path,
                          int endpoint,  // -1 for the best
                          const struct peri_etcd_stream_events *events,
                          void *ctx, struct peri_etcd_stream **ret_stream);
int peri_etcd_stream_endpoint(const struct peri_etcd_stream *stream);
/// @return 0, PERI_ELIMIT when too much waits, PERI_ENOMEM.
int peri_etcd_stream_send(struct peri_etcd_stream *stream,
                          struct peri_slice message);
/// Cancels it: no callback comes any more. NULL is fine. May be called from
/// within its callbacks.
void peri_etcd_stream_close(struct peri_etcd_stream *stream);
