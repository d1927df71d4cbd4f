#pragma once

#include "base/error.h"
#include "base/types.h"

/// A long-lived connection to one gRPC server through gRPC's C core, which is
/// loaded and initialised only when the first channel is made: a process that
/// calls nobody pays nothing for it. Connects on first use, with its own
/// connection pool, reconnects after 100 … 500 ms, without proxies and without
/// retries of its own. Any thread.
struct peri_rpc_channel;

/// PEM texts, copied. Empty roots mean the system's; a certificate and a key
/// come together or not at all.
struct peri_rpc_tls {
  struct peri_slice roots;
  struct peri_slice certificate;
  struct peri_slice key;
  struct peri_slice server_name;  // empty: the host of the target
};

struct peri_rpc_channel_options {
  struct peri_slice target;        // "host:port", "[v6]:port" or "unix:PATH"
  const struct peri_rpc_tls *tls;  // NULL: plain
  /// Pings while a call is open, at least 6,000 (etcd's servers close the
  /// connection of whoever pings more often than every 5 s); 0 for none.
  uint32_t keepalive_ms;
  uint32_t keepalive_timeout_ms;  // 0 for 2,000
  uint32_t connect_ms;            // how long connecting may take; 0 for 5,000
};

/// @return 0, PERI_EINVAL (target, keepalive, certificates that gRPC refuses at
/// once), PERI_EUNSUPPORTED (gRPC's library is not installed) or PERI_ENOMEM,
/// with words. Other bad certificates show as failing connections.
int peri_rpc_channel_new(const struct peri_rpc_channel_options *options,
                         struct peri_rpc_channel **ret_channel,
                         struct peri_problem *ret_problem);

/// Closes it; no call may be under way but such as are cancelled. NULL is fine.
void peri_rpc_channel_free(struct peri_rpc_channel *channel);

/// Frees it, the last of the process, and waits until C core is done with it,
/// which takes 100 ms or more: its threads must not end while a leak checker
/// looks at them. NULL is fine. @return whether it was within `limit_ms`.
bool peri_rpc_channel_settle(struct peri_rpc_channel *channel,
                             uint64_t limit_ms);
