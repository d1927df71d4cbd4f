#pragma once

#include "base/types.h"

struct nghttp2_option;
struct nghttp2_session_callbacks;
struct peri_h2_conn;
struct peri_h2_limits;
struct peri_h2_stream;

/// nghttp2's callbacks and options for either side.
/// @return 0 or PERI_ENOMEM.
int peri_h2_session_shape(const struct peri_h2_limits *limits,
                          struct nghttp2_session_callbacks **ret_callbacks,
                          struct nghttp2_option **ret_option);

/// Makes the connection's session and queues our SETTINGS and window.
/// @return 0 or PERI_ENOMEM.
int peri_h2_session_start(struct peri_h2_conn *conn);

/// Hands a waiting request to the application, with the body that came since.
void peri_h2_session_admit(struct peri_h2_stream *stream);

/// Gives nghttp2 the stream's own headers; with `body` also its queue.
/// A client's stream gets its id. @return 0, PERI_ENOMEM, or PERI_ECLOSED (no
/// more stream ids, or the session takes no more).
int peri_h2_session_submit(struct peri_h2_stream *stream, const void *nvs,
                           size_t count, bool body);
