#pragma once

#include "base/address.h"
#include "base/buffer.h"
#include "base/list.h"
#include "base/types.h"
#include "h2/stream.h"
#include "loop/turn.h"
#include "model/decisions.h"
#include "model/policy.h"
#include "proxy/proxy.h"

struct peri_balancer;
struct peri_config;
struct peri_endpoint;
struct peri_histogram;
struct peri_load;
struct peri_loads;
struct peri_metric;
struct peri_peers;
struct peri_route;
struct peri_route_target;
struct peri_timer;

/// Sizes of what a call keeps and of the proxy's tables.
enum {
  PERI_PROXY_KEEP_BYTES = 65536,  // of a body, for another attempt
  PERI_PROXY_ROOM_BYTES = 512,    // of them without an allocation
  PERI_PROXY_ROOM_TRIED = 4,      // endpoints tried, likewise
  PERI_PROXY_STATUSES = 17,
  PERI_PROXY_BUCKETS = 256,
  PERI_PROXY_ABSENT = 256,
  PERI_PROXY_REASONS = 4
};

/// Why an attempt is followed by another; labels of a counter.
enum peri_proxy_reason {
  PERI_REASON_CONNECT = 0,
  PERI_REASON_REFUSED = 1,
  PERI_REASON_GOAWAY = 2,
  PERI_REASON_CLOSED = 3
};

/// The endpoints of a service as one snapshot has them, with their loads and
/// parsed addresses. Counted, since attempts outlive snapshots.
struct peri_proxy_set {
  uint32_t references;
  struct peri_peers *peers;
  size_t count;
  struct peri_load **loads;
  struct peri_address *addresses;
};

/// Who has a place for a service, a bit each: of two tables at a time one is in
/// use and the other prepared.
enum {
  PERI_PLACE_TABLE = 1,
  PERI_PLACE_OTHER_TABLE = 2,
  PERI_PLACE_APP = 4  // given by peri_proxy_provide()
};

/// A service that calls go to: by its name, by a route with a balancer of its
/// own, or an application beside us.
struct peri_proxy_service {
  struct peri_list link;            // proxy->services
  struct peri_proxy_service *next;  // of its bucket
  struct peri_list provide_link;    // proxy->provided
  struct peri_proxy *proxy;
  uint64_t hash;
  uint32_t references;  // calls, places, and once for each bit of `listed`
  uint8_t listed;       // tables that find it by its name
  uint8_t placed;       // who needs it, whether it is known or not
  bool own;             // its balancer is one route's alone
  bool fixed;           // its endpoints come from no snapshot
  bool inbound;         // the local application
  bool broken;          // the balancer did not take the endpoints as they came
  struct peri_policy_ref policy;   // both parts are its own
  struct peri_balancer *balancer;  // NULL: the built-in round robin
  struct peri_proxy_set *set;      // NULL while nobody knows the name
  size_t turn;                     // of the round robin
  uint64_t asked_ns;               // when `want` was last told of it
  struct peri_metric *calls[PERI_PROXY_STATUSES];  // as they are needed
  struct peri_histogram *seconds;
  struct peri_slice name;
  char text[];
};

/// What one configuration asks for. Counted by the calls that began with it,
/// without atomics: it keeps the configuration alive, which other threads
/// count, too.
struct peri_proxy_table {
  uint32_t references;
  uint8_t bit;  // in `listed` and `placed`
  struct peri_proxy *proxy;
  struct peri_config *config;
  struct peri_proxy_service ***routes;  // by route, then target
  struct peri_proxy_service **provided;
  size_t provided_count;
  struct peri_balancer *spare;  // of the default policy, to be given
};

/// What of a request's headers matters here: one walk finds all of it.
struct peri_proxy_head {
  struct peri_slice method;
  struct peri_slice path;
  struct peri_slice authority;
  struct peri_slice content_type;
  struct peri_slice timeout;
  struct peri_slice service;  // perigee-service
  struct peri_slice explain;  // perigee-explain
  bool marked;                // has headers of ours
};

/// One call, from its request to the end of its answer.
struct peri_proxy_call {
  struct peri_list link;  // proxy->calls, or its free ones
  struct peri_list wait;  // proxy->fresh or ->waiting
  struct peri_proxy *proxy;
  struct peri_proxy_table *table;  // its route and target are of this
  struct peri_h2_stream *caller;
  struct peri_h2_stream *endpoint;  // NULL between attempts
  struct peri_proxy_service *service;
  struct peri_proxy_set *set;  // of the attempt under way
  const struct peri_route *route;
  const struct peri_route_target *target;
  struct peri_decision *decision;  // on the latest attempt, if it is kept
  struct peri_proxy_head head;
  struct peri_slice grpc_service;
  struct peri_slice grpc_method;
  size_t index;  // of the endpoint in `set`
  uint64_t begun_ns;
  uint64_t attempt_ns;
  uint64_t headed_ns;    // when the response headers came
  uint64_t ended_ns;     // when the latest attempt was over
  uint64_t deadline_ns;  // 0: none
  uint64_t alarm_ns;     // the deadline, or the end of the wait for a name
  size_t alarm_at;       // in the alarms, from 1; 0: not there
  struct peri_load **tried;
  size_t tried_count;
  size_t tried_capacity;
  size_t owed_up;   // request bytes that came and are not yet consumed
  size_t replayed;  // of what is being sent, bytes that were consumed before
  size_t bytes_down;
  uint32_t attempts;
  uint32_t version;  // of the balancer that placed the latest attempt; 0: none
  bool inbound;
  bool fresh;         // its body may be about to come
  bool placed;        // an attempt counts in the load
  bool picked;        // by the balancer
  bool responded;     // response headers are passed on
  bool request_over;  // the caller ended its side
  bool overflowed;    // more than may be kept came
  bool again;         // the same endpoint has had its second attempt
  bool explained;     // in its trailers
  struct peri_load *tried_room[PERI_PROXY_ROOM_TRIED];
  struct peri_problem last;  // how the latest attempt failed; code 0: none did
  struct peri_buffer kept;   // what `room` does not hold
  size_t room_used;
  char room[PERI_PROXY_ROOM_BYTES];
};

/// Calls by the instant at which something is due, earliest first: a heap
/// behind one timer.
struct peri_proxy_alarms {
  struct peri_timer *timer;
  struct peri_proxy_call **calls;
  size_t count;
  size_t capacity;
  uint64_t set_ns;  // the timer's; 0: stopped
  void (*due)(struct peri_proxy_call *call);
};

/// A name that did not come in time: calls for it do not wait before
/// `until_ns`.
struct peri_proxy_absent {
  uint64_t hash;
  uint64_t until_ns;
};

/// Of one worker, and of its thread only.
struct peri_proxy {
  struct peri_proxy_options options;
  struct peri_decisions *decisions;  // never NULL
  struct peri_snapshot *snapshot;
  struct peri_loads *loads;
  struct peri_list services;
  struct peri_proxy_service *buckets[PERI_PROXY_BUCKETS];
  struct peri_proxy_table *table;  // in use
  struct peri_proxy_table *next;   // prepared, or NULL
  bool closing;
  struct peri_list provided;  // by the application, by provide_link
  struct peri_list calls;
  struct peri_list fresh;    // not yet begun: their body may be about to come
  struct peri_list waiting;  // for a name
  struct peri_list free_calls;
  size_t free_count;
  struct peri_turn turn;  // begins the fresh ones, and forgets the time
  uint64_t now_ns;  // of this iteration, once it was asked for; 0: not yet
  struct peri_proxy_alarms alarms;
  struct peri_proxy_absent absent[PERI_PROXY_ABSENT];
  uint32_t *open;  // of the choice being made: endpoints not yet tried
  size_t open_capacity;
  uint64_t seed;
  uint64_t random;
  struct peri_metric *inflight;
  struct peri_metric *retries[PERI_PROXY_REASONS];
  struct peri_metric *unplaced[PERI_PROXY_STATUSES];
  struct peri_metric *not_provided;
};

// alarm.c

/// Makes them empty; `due` is called for a call whose `alarm_ns` has come,
/// which is in them no longer. @return 0 or as peri_timer_new().
int peri_proxy_alarms_init(struct peri_proxy_alarms *alarms,
                           struct peri_loop *loop,
                           void (*due)(struct peri_proxy_call *call));
/// Calls that are left are forgotten, not ended.
void peri_proxy_alarms_done(struct peri_proxy_alarms *alarms);
/// (Re)places a call by its `alarm_ns`. @return 0 or PERI_ENOMEM.
int peri_proxy_alarm_set(struct peri_proxy_alarms *alarms,
                         struct peri_proxy_call *call);
/// Takes a call out; nothing happens when it is not in them.
void peri_proxy_alarm_clear(struct peri_proxy_alarms *alarms,
                            struct peri_proxy_call *call);

// headers.c

/// Finds what matters here; it borrows from the stream.
void peri_proxy_head_read(const struct peri_h2_stream *stream,
                          struct peri_proxy_head *ret_head);
/// Opens the stream of an attempt to `call->set`'s endpoint `call->index` with
/// the caller's headers. @return as peri_h2_client_open().
int peri_proxy_headers_send(struct peri_proxy_call *call,
                            const struct peri_h2_stream_events *events);
/// The grpc-status of an answer that has ended, or -1.
int peri_proxy_status_read(const struct peri_h2_stream *stream);
/// A header of the caller's, for routes and balancers; `ctx` is the call. False
/// when there is none, or no caller any more.
bool peri_proxy_call_header(void *ctx, const char *name,
                            struct peri_slice *ret_value);

// refusal.c

/// Answers a call that cannot be forwarded with a status and words: as headers
/// alone, or as trailers when headers are passed on already.
void peri_proxy_refuse(struct peri_proxy_call *call, int status,
                       const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/// Whether the stream came to its end alone, by whichever side, rather than
/// with its connection.
bool peri_proxy_end_is_own(const struct peri_h2_end *end);
/// Words for an end that the peer did not say itself.
const char *peri_proxy_end_words(const struct peri_h2_end *end);
/// The status for an attempt that ended without an answer.
int peri_proxy_status_of(const struct peri_h2_end *end);

// service.c

/// With one reference; `policy` (NULL for none) is copied. @return 0 or
/// PERI_ENOMEM.
int peri_proxy_service_new(struct peri_proxy *proxy, struct peri_slice name,
                           const struct peri_policy_ref *policy,
                           struct peri_proxy_service **ret_service);
/// The service of that name: one that is listed, or one that the snapshot
/// knows. NULL: nobody knows it, or out of memory.
struct peri_proxy_service *peri_proxy_service_find(struct peri_proxy *proxy,
                                                   struct peri_slice name);
/// The one of that name that the table of a bit lists, whether it has endpoints
/// or not; NULL when there is none.
struct peri_proxy_service *peri_proxy_service_listed(struct peri_proxy *proxy,
                                                     struct peri_slice name,
                                                     uint8_t bit);
/// The next one after `service` (NULL for the first) with that name, of any
/// kind; NULL when there is none.
struct peri_proxy_service *peri_proxy_service_next(
    struct peri_proxy *proxy, struct peri_slice name,
    const struct peri_proxy_service *service);
/// Lets a table find it by its name, and tables no longer.
void peri_proxy_service_list(struct peri_proxy_service *service, uint8_t bit);
void peri_proxy_service_unlist(struct peri_proxy_service *service,
                               uint8_t bits);
/// Drops a reference; the last one frees it.
void peri_proxy_service_unref(struct peri_proxy_service *service);
/// Connections to endpoints that nothing needs any more end with their streams.
void peri_proxy_service_retire(const struct peri_proxy_service *service);
/// Gives it endpoints; NULL for none known. @return 0 or PERI_ENOMEM (it keeps
/// what it had).
int peri_proxy_service_take(struct peri_proxy_service *service,
                            struct peri_peers *peers);
/// Takes what the snapshot has for every service, and drops unknown ones.
void peri_proxy_services_adopt(struct peri_proxy *proxy);
/// One more reference, and one less: the last one frees it (NULL: no-op).
struct peri_proxy_set *peri_proxy_set_ref(struct peri_proxy_set *set);
void peri_proxy_set_unref(struct peri_proxy_set *set);

// table.c

/// A balancer, so that a wrong policy is told; none when no policy is named or
/// nobody makes them. @return as peri_proxy_new().
int peri_proxy_balancer_new(struct peri_proxy *proxy,
                            const struct peri_policy_ref *policy,
                            struct peri_balancer **ret_balancer,
                            struct peri_problem *problem);
/// Gives a service that is being prepared the endpoints known now. @return 0,
/// PERI_ENOMEM, or PERI_ESCRIPT (the balancer does not take them).
int peri_proxy_balancer_begin(struct peri_proxy_service *service,
                              struct peri_problem *problem);
/// Makes the table of a configuration, using again what the one in use has with
/// the same policies. With one reference. @return as peri_proxy_new().
int peri_proxy_table_new(struct peri_proxy *proxy, struct peri_config *config,
                         struct peri_proxy_table **ret_table,
                         struct peri_problem *ret_problem);
/// Takes the table's marks off all services: it is no longer in use, nor will
/// be.
void peri_proxy_table_leave(struct peri_proxy_table *table);
/// Lets go of its services, when no call may look for one in it any more; its
/// configuration stays.
void peri_proxy_table_clear(struct peri_proxy_table *table);
/// Drops a reference; the last one clears and frees it.
void peri_proxy_table_unref(struct peri_proxy_table *table);

// prepare.c

/// Gives the prepared table what serves the calls by name that `service` serves
/// now: itself, or one with another balancer. @return 0 or as peri_proxy_new().
int peri_proxy_inherit(struct peri_proxy_table *next,
                       struct peri_proxy_service *service,
                       struct peri_problem *problem);

// inbound.c

/// The application's service at an address, with one more reference: one that
/// is there, or a new one; `bit` goes into its `placed`. @return 0, PERI_EINVAL
/// (address), PERI_ENOMEM.
int peri_proxy_provided_new(struct peri_proxy *proxy, struct peri_slice name,
                            struct peri_slice address, uint8_t bit,
                            struct peri_proxy_service **ret_service);
/// Lets go of those given by peri_proxy_provide().
void peri_proxy_provided_drop(struct peri_proxy *proxy);

// find.c

/// Finds the service of an outbound call, refuses it, or lets it wait for one.
void peri_proxy_find(struct peri_proxy_call *call);
/// The service that a call without a route goes to: that of its authority, of
/// its host alone, or of its gRPC service. NULL: nobody knows any.
struct peri_proxy_service *peri_proxy_find_by_call(
    struct peri_proxy *proxy, struct peri_slice authority,
    struct peri_slice grpc_service);
/// The part of an authority that may name a service: without a port.
struct peri_slice peri_proxy_host_of(struct peri_slice authority);
/// Whether a host may be the name of a service rather than of this machine.
bool peri_proxy_is_name(struct peri_slice host);
/// A name did not come in time.
void peri_proxy_find_late(struct peri_proxy_call *call);

// exchange.c

/// The time, read once in an iteration of the loop: what came together began
/// together.
uint64_t peri_proxy_now(struct peri_proxy *proxy);
/// Takes a stream over. NULL: out of memory, and it is answered.
struct peri_proxy_call *peri_proxy_call_new(struct peri_proxy *proxy,
                                            struct peri_h2_stream *stream,
                                            const struct peri_proxy_head *head,
                                            bool mesh);
/// Begins a new call: with the first of its body, or at the end of the
/// iteration.
void peri_proxy_call_begin(struct peri_proxy_call *call);
/// Wakes the call at `at_ns`. False: out of memory, and it is refused.
bool peri_proxy_call_wake(struct peri_proxy_call *call, uint64_t at_ns);
/// The end of the iteration: begins what is fresh, and forgets the time.
void peri_proxy_take_turn(struct peri_turn *turn);
/// The caller ended its side, and so do we towards the endpoint.
void peri_proxy_call_finish_request(struct peri_proxy_call *call);
/// Lets go of both streams and forgets the call. `status` is what the caller
/// saw.
void peri_proxy_call_end(struct peri_proxy_call *call, int status);
/// Something is due for a call.
void peri_proxy_call_due(struct peri_proxy_call *call);
/// Resets the endpoint's stream, if any is left, and lets go of it.
void peri_proxy_call_drop(struct peri_proxy_call *call, uint32_t h2_error);
/// What happens to an attempt's stream; its context is the call.
extern const struct peri_h2_stream_events peri_proxy_endpoint_events;

// attempt.c

/// Makes an attempt: at the first endpoint, or the next one. Answers the call
/// when there is none.
void peri_proxy_attempt(struct peri_proxy_call *call);
/// An attempt ended without response headers: the next one, or the end.
void peri_proxy_attempt_lost(struct peri_proxy_call *call,
                             const struct peri_h2_end *end);
/// Counts how the attempt under way ended.
void peri_proxy_attempt_over(struct peri_proxy_call *call, int status,
                             bool failed);
/// Whether an attempt went to the endpoint of that load.
bool peri_proxy_is_tried(struct peri_load *const *tried, size_t count,
                         const struct peri_load *load);
/// Forgets the endpoints that were tried, and frees their room.
void peri_proxy_tried_done(struct peri_proxy_call *call);
/// Keeps request bytes for another attempt while that may come.
void peri_proxy_keep(struct peri_proxy_call *call, struct peri_slice bytes);

// choose.c

/// What a balancer said, or why it was not asked.
struct peri_proxy_pick {
  bool asked;
  int code;  // as pick() says
  struct peri_choice choice;
  uint64_t took_ns;  // 0: not measured
};

/// Chooses an endpoint that was not tried yet. @return 0, or PERI_ENOTFOUND.
int peri_proxy_choose(struct peri_proxy_call *call);
/// Asks a balancer about `open`, or all of `all` endpoints, and measures it.
void peri_proxy_pick_measured(struct peri_balancer *balancer,
                              const struct peri_pick_request *request,
                              const uint32_t *open, size_t open_count,
                              size_t all, struct peri_proxy_pick *ret_pick);
/// What a balancer is told of a call; it borrows from the call.
void peri_proxy_ask(const struct peri_proxy_call *call,
                    struct peri_pick_request *ret_request);

// explain.c

/// The proxy's decisions go where the options say, or nowhere.
void peri_proxy_explain_init(struct peri_proxy *proxy);
/// Whether a decision that is about to be made is kept.
static inline bool peri_proxy_explain_is_due(
    const struct peri_proxy_call *call) {
  return call->explained ||
         call->begun_ns >= call->proxy->decisions->ordinary_ns;
}
/// Whether the caller asks for an explanation and may.
bool peri_proxy_explain_asked(const struct peri_proxy_call *call, bool mesh);
/// Keeps the choice of an endpoint: `call->service`'s endpoint `index`, unless
/// `rc` says that none was chosen. Before the attempt begins.
void peri_proxy_explain_choice(struct peri_proxy_call *call,
                               const struct peri_proxy_pick *pick, int rc,
                               size_t index);
/// Keeps that a call goes nowhere, if there is room for it.
void peri_proxy_explain_refusal(struct peri_proxy_call *call, int status,
                                const char *words);
/// How the call ended, for those who look later.
void peri_proxy_explain_status(struct peri_proxy_call *call, int status);
/// The call's trailers, with its explanation behind them if that is asked for.
/// @return 0, or as peri_h2_stream_finish() and peri_h2_stream_respond()
/// (`head`).
int peri_proxy_explain_send(struct peri_proxy_call *call, bool head,
                            const struct peri_h2_field *fields, size_t count);
/// The explanation as fields behind `used_bytes` of others; `fields` has room
/// for PERI_DECISION_LINES and borrows from `lines`. Returns their number.
size_t peri_proxy_explain_fields(struct peri_proxy_call *call,
                                 size_t used_bytes,
                                 struct peri_decision_lines *lines,
                                 struct peri_h2_field *ret_fields);

// explain_words.c

/// What a decision says of how a call finds its service.
struct peri_proxy_subject {
  const struct peri_config *config;
  const struct peri_route *route;
  const struct peri_route_target *target;
  const struct peri_route_query *query;
  struct peri_slice named;  // perigee-service
  bool inbound;
  const struct peri_proxy_service *service;  // NULL: none is known
};

/// Fills a decision's subject, routes and service.
void peri_proxy_explain_subject(struct peri_decision *decision,
                                const struct peri_proxy_subject *subject);
/// Fills in who chose, and why.
void peri_proxy_explain_pick(struct peri_decision *decision,
                             const struct peri_proxy_service *service,
                             const struct peri_proxy_pick *pick);
/// Fills in all endpoints as they are now, with those of `tried`, and `chosen`
/// (SIZE_MAX: none).
void peri_proxy_explain_candidates(struct peri_decision *decision,
                                   const struct peri_proxy_set *set,
                                   struct peri_load *const *tried,
                                   size_t tried_count, size_t chosen);

// count.c

/// Makes the proxy's metrics; those that cannot be made are not counted.
void peri_proxy_count_init(struct peri_proxy *proxy);
/// Counts a call that is over, by its service (NULL: none was found).
void peri_proxy_count_call(struct peri_proxy *proxy,
                           struct peri_proxy_service *service, int status,
                           uint64_t ns);
/// Counts another attempt.
void peri_proxy_count_retry(struct peri_proxy *proxy,
                            enum peri_proxy_reason reason);
