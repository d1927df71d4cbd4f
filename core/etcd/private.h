#pragma once

#include "base/buffer.h"
#include "base/list.h"
#include "base/proto.h"
#include "base/types.h"
#include "etcd/session.h"

struct peri_metric;
struct peri_rpc_channel;
struct peri_rpc_client;
struct peri_rpc_field;
struct peri_timer;
struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;

/// What the files of this room share. All of it on the loop's thread.

enum { PERI_ETCD_MAX_ENDPOINTS = 32, PERI_ETCD_MAX_FIELDS = 2 };

struct peri_etcd_endpoint {
  char *name;    // as configured
  char *target;  // as rpc/channel.h wants it
  struct peri_rpc_channel *channel;
  uint64_t suspect_until_ns;           // 0: it answers, as far as is known
  uint32_t failures;                   // since it last answered
  struct peri_metric *failures_total;  // NULL without metrics
};

/// Somebody who cannot go on without a token. `ready` comes once, with why
/// there is none or with NULL.
struct peri_etcd_waiter {
  struct peri_list link;
  void (*ready)(struct peri_etcd_waiter *waiter,
                const struct peri_etcd_error *error);
};

struct peri_etcd {
  struct peri_loop *loop;
  struct peri_metrics *metrics;
  struct peri_rpc_client *client;
  struct peri_etcd_endpoint *endpoints;
  size_t endpoint_count;
  size_t preferred;
  uint32_t timeout_ms;
  uint32_t attempt_ms;
  bool tls;

  char *user;  // NULL: no authentication
  char *password;
  size_t user_len;
  size_t password_len;
  char *token;
  bool open_door;          // the server says that authentication is off
  uint64_t token_version;  // counts the tokens had so far
  uint64_t token_ns;       // when the token came
  uint64_t login_ns;       // when Authenticate was last called
  bool login_asked;        // a login waits for its turn, or is under way
  struct peri_etcd_call *login;
  struct peri_timer *login_timer;
  struct peri_etcd_error login_error;  // of the last try
  struct peri_list waiters;

  struct peri_list calls;
  struct peri_list streams;
  struct peri_list scans;
  void (*closed)(void *ctx);
  void *closed_ctx;
};

/// Reads "http://host:port" and so on. `ret_tls` is 1 or 0 by its scheme, -1
/// without one; `ret_target` holds `capacity` bytes (300 suffice). @return 0 or
/// PERI_EINVAL.
int peri_etcd_endpoint_parse(const char *text, char *ret_target,
                             size_t capacity, int *ret_tls);
/// Makes the endpoints with their channels. @return as peri_etcd_new().
int peri_etcd_endpoints_open(struct peri_etcd *etcd,
                             const struct peri_etcd_options *options,
                             struct peri_problem *ret_problem);
void peri_etcd_endpoints_free(struct peri_etcd *etcd);
/// The best endpoint whose bit in `tried` is not set, or -1.
int peri_etcd_endpoint_pick(const struct peri_etcd *etcd, uint32_t tried);
/// It answered.
void peri_etcd_endpoint_well(struct peri_etcd *etcd, int endpoint);

/// Makes what the token needs. @return 0 or PERI_ENOMEM.
int peri_etcd_token_init(struct peri_etcd *etcd,
                         const struct peri_etcd_options *options);
void peri_etcd_token_free(struct peri_etcd *etcd);
/// Whether calls can be made now. If not, `waiter` is queued and its turn
/// comes later; who goes away before takes its link out of the list.
bool peri_etcd_token_ready(struct peri_etcd *etcd,
                           struct peri_etcd_waiter *waiter);
/// The token of `version` was refused.
void peri_etcd_token_forget(struct peri_etcd *etcd, uint64_t version);
/// The metadata of a call: `hasleader` unless `leaderless`, the token unless
/// `bare`; at most PERI_ETCD_MAX_FIELDS. Valid until the token changes. @return
/// how many.
size_t peri_etcd_fields(const struct peri_etcd *etcd, bool leaderless,
                        bool bare, struct peri_rpc_field *fields);

/// As peri_etcd_call(), with a message still to be packed instead of
/// `request->message`. `done` gets, as `state`, a copy of the `state_bytes`
/// bytes at `state`, which live in the call and go with it, also when it is
/// cancelled: how a typed call keeps its caller's callback.
int peri_etcd_call_packed(struct peri_etcd *etcd,
                          const struct peri_etcd_request *request,
                          const struct ProtobufCMessage *message,
                          void (*done)(void *state,
                                       const struct peri_etcd_error *error,
                                       struct peri_slice message),
                          const void *state, size_t state_bytes,
                          struct peri_etcd_call **ret_call);
/// From within its `done`: the call (same handle, same state)
/// goes on with another request instead of ending; its time starts anew.
/// @return 0 or PERI_ENOMEM: it ends then as it would have.
int peri_etcd_call_again(void *state, const struct peri_etcd_request *request,
                         const struct ProtobufCMessage *message,
                         void (*done)(void *state,
                                      const struct peri_etcd_error *error,
                                      struct peri_slice message));
/// For Authenticate: a call that neither waits for a token nor sends one.
int peri_etcd_call_bare(struct peri_etcd *etcd,
                        const struct peri_etcd_request *request,
                        void (*done)(void *ctx,
                                     const struct peri_etcd_error *error,
                                     struct peri_slice message),
                        void *ctx, struct peri_etcd_call **ret_call);
/// Ends all calls, streams or scans, without their callbacks.
void peri_etcd_calls_drop(struct peri_etcd *etcd);
void peri_etcd_streams_drop(struct peri_etcd *etcd);
void peri_etcd_scans_drop(struct peri_etcd *etcd);

/// Fills an error of our own.
void peri_etcd_error_set(struct peri_etcd_error *ret_error, int kind,
                         const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/// Whether the server surely did nothing of the call that ended so.
bool peri_etcd_error_undone(const struct peri_etcd_error *error);
/// What an error means to this session: without a user a token error is
/// PERI_ETCD_LOGIN, and with TLS C core hides some causes.
void peri_etcd_error_judge(const struct peri_etcd *etcd,
                           struct peri_etcd_error *error);

/// The message in `bytes`, freed by the caller with
/// protobuf_c_message_free_unpacked(); NULL with `ret_error` filled
/// (PERI_ETCD_GARBAGE) when it is none, or takes far more memory than bytes.
struct ProtobufCMessage *peri_etcd_unpack(
    const struct ProtobufCMessageDescriptor *type, struct peri_slice bytes,
    struct peri_etcd_error *ret_error);
