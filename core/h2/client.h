#pragma once

#include "base/types.h"
#include "h2/limits.h"
#include "h2/stream.h"

struct peri_address;
struct peri_loop;
struct peri_metrics;

/// The client side of HTTP/2 on one loop: a pool of long-lived connections
/// keyed by address. A further connection is opened when the peer's stream
/// limit is reached.
struct peri_h2_client;

/// What a client is made of; copied.
struct peri_h2_client_options {
  struct peri_loop *loop;
  struct peri_h2_limits limits;
  struct peri_metrics *metrics;  // may be NULL
  uint32_t connect_timeout_ms;   // 0 for 1,000
  uint32_t backoff_min_ms;       // after a failed connect; 0 for 100
  uint32_t backoff_max_ms;       // 0 for 2,000; jitter of ± 20 %
  uint32_t refresh_ms;  // between look-ups of a name in use; 0 for 5,000
};

/// Makes a client without connections. @return 0 or PERI_ENOMEM.
int peri_h2_client_new(const struct peri_h2_client_options *options,
                       struct peri_h2_client **ret_client);

/// Opens a stream to `address` ("host:port", "[v6]:port", "unix:PATH"; names
/// are resolved on the loop) with request headers as given (pseudo-headers
/// first). The stream exists at once; headers and body wait for the connection.
/// While an address is in back-off a stream fails at once with PERI_ECONNECT
/// (in on_close, from the loop). `end`: no body follows.
/// @return 0, PERI_EINVAL (address), PERI_ENOMEM, PERI_ECLOSED (the client is
/// being freed).
int peri_h2_client_open(struct peri_h2_client *client,
                        struct peri_slice address,
                        const struct peri_h2_field *fields, size_t count,
                        bool end, const struct peri_h2_stream_events *events,
                        void *ctx, struct peri_h2_stream **ret_stream);

/// The same to an address that is parsed already.
int peri_h2_client_open_at(struct peri_h2_client *client,
                           const struct peri_address *address,
                           const struct peri_h2_field *fields, size_t count,
                           bool end, const struct peri_h2_stream_events *events,
                           void *ctx, struct peri_h2_stream **ret_stream);

/// Lets the connections to an address end once their streams have (the address
/// left the mesh).
void peri_h2_client_retire(struct peri_h2_client *client,
                           struct peri_slice address);

/// Closes everything at once (streams get on_close with PERI_ECLOSED) and frees
/// the client.
void peri_h2_client_free(struct peri_h2_client *client);
