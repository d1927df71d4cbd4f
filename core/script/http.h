#pragma once

#include "base/types.h"

struct peri_loop;

/// A worker's HTTP client: libcurl's multi interface on the worker's loop, with
/// connections that are kept alive and shared by all of its policies. Used on
/// the loop's thread only.
struct peri_http;
/// A request under way.
struct peri_http_call;

/// What several requests may hold together: bodies that are sent and what has
/// been received. Outlives them.
struct peri_http_room {
  uint64_t used_bytes;
  uint64_t most_bytes;
};

struct peri_http_request {
  const char *method;         // "GET"
  const char *url;            // http or https
  const char *const *header;  // "Name: value", without line ends
  size_t header_count;
  struct peri_slice body;  // sent when `has_body`
  bool has_body;
  uint64_t timeout_ms;          // for everything, redirects too
  uint64_t connect_timeout_ms;  // for name, connection and TLS
  uint64_t max_bytes;           // of the body, as received
  uint32_t max_redirects;       // 0: a redirect is the response
  struct peri_http_room *room;  // NULL: its own bounds only
};

/// What came back. Valid during the callback.
struct peri_http_response {
  int code;          // 0; PERI_ECONNECT (no name, connection or TLS),
                     // PERI_ETIMEOUT, PERI_ELIMIT (body or headers too large,
                     // too many redirects, no room), PERI_EINVAL (the URL),
                     // PERI_EPROTO, PERI_ECLOSED, PERI_EIO, PERI_ENOMEM
  const char *text;  // words for a failure
  int status;        // of the last response
  const char *url;   // where it came from in the end
  struct peri_slice headers;  // its header lines, each with its line end
  struct peri_slice body;
};

/// @return 0, PERI_ENOMEM or PERI_EIO.
int peri_http_new(struct peri_loop *loop, struct peri_http **ret_http);
/// Every call must have ended or been cancelled. NULL is fine.
void peri_http_free(struct peri_http *http);

/// Starts a request; everything in it is copied. `done` comes once, from the
/// loop and never from within this call, unless it is cancelled first.
/// @return 0, PERI_ENOMEM, PERI_EINVAL, or PERI_ELIMIT (no room for the body).
int peri_http_start(struct peri_http *http,
                    const struct peri_http_request *request,
                    void (*done)(void *ctx,
                                 const struct peri_http_response *response),
                    void *ctx, struct peri_http_call **ret_call);

/// Closes its stream or connection; `done` does not come any more.
void peri_http_cancel(struct peri_http_call *call);
