#pragma once

#include <stddef.h>

#include "etcd/private.h"

struct peri_rpc_unary;

/// A unary call with its attempts, for the files that drive it.
struct peri_etcd_call {
  struct peri_list link;
  struct peri_etcd *etcd;
  struct peri_timer *timer;      // the pause, else the whole deadline
  struct peri_rpc_unary *unary;  // the attempt under way
  struct peri_etcd_waiter waiter;
  struct peri_buffer bytes;  // the path with its NUL, then the message
  size_t path_bytes;
  bool replay;
  bool leaderless;
  bool bare;
  bool limited;  // has a deadline
  bool pausing;
  bool renewed;    // the token, on account of this call
  bool round_tls;  // nothing but TLS failed in this round
  bool again;      // goes on with another request
  bool over;
  int only;
  int endpoint;  // of the attempt
  uint32_t tried;
  uint32_t rounds;
  uint32_t timeout_ms;
  uint64_t deadline_ns;
  uint64_t token_version;
  struct peri_etcd_error last;  // what the attempts say so far
  uint32_t last_round;          // when they did
  void (*done)(void *ctx, const struct peri_etcd_error *error,
               struct peri_slice message);
  void *ctx;
  _Alignas(max_align_t) unsigned char state[];
};

/// Makes the next attempt, or waits for what it needs. @return 0, PERI_ENOMEM
/// or PERI_EINVAL: nothing goes on then.
int peri_etcd_attempt(struct peri_etcd_call *call);

/// Ends the call with its callback. `call` is gone afterwards.
void peri_etcd_call_finish(struct peri_etcd_call *call,
                           const struct peri_etcd_error *error,
                           struct peri_slice message);

/// The whole time is over.
void peri_etcd_call_expire(struct peri_etcd_call *call);
