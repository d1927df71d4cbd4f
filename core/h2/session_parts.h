#pragma once

#include "base/types.h"

struct nghttp2_session_callbacks;
struct peri_h2_conn;
struct peri_h2_stream;

/// The stream of that id that is still ours; NULL when there is none.
struct peri_h2_stream *peri_h2_session_find(struct peri_h2_conn *conn,
                                            int32_t id);

/// Sets the callbacks for what the peer sends.
void peri_h2_session_hear(struct nghttp2_session_callbacks *callbacks);
