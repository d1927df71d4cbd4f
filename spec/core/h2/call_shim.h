#pragma once

#include "base/buffer.h"
#include "h2/call.h"

/// A server whose calls go through h2/call, and an nghttp2 client that talks to
/// it over a socket pair, both driven from the spec.
struct shim_call_rig;

/// What the handler does with a call.
enum shim_call_mode {
  SHIM_CALL_ECHO = 0,   // replies with the message at once
  SHIM_CALL_HOLD = 1,   // keeps the call for the spec
  SHIM_CALL_WATCH = 2,  // keeps it and asks to be told of its end
  SHIM_CALL_REFUSE =
      3,  // peri_call_refuse() with NOT_FOUND and "no such thing"
  SHIM_CALL_REFUSE_MORE = 4  // the same with two fields "x-why" behind it
};

struct shim_call_rig *shim_call_rig_new(uint32_t message_bytes, int mode);
void shim_call_rig_free(struct shim_call_rig *rig);

/// Sends request headers, "name: value" lines. @return the stream's id.
int shim_call_request(struct shim_call_rig *rig, const char *lines, bool end);
/// Sends body bytes; `end` is END_STREAM.
void shim_call_body(struct shim_call_rig *rig, int id, struct peri_slice bytes,
                    bool end);
void shim_call_reset(struct shim_call_rig *rig, int id, uint32_t h2_error);
/// The client goes away.
void shim_call_hang_up(struct shim_call_rig *rig);

/// The loop that the calls live on.
struct peri_loop *shim_call_loop(const struct shim_call_rig *rig);

/// Runs both sides until nothing happens any more, at least `ms` long.
void shim_call_run(struct shim_call_rig *rig, uint32_t ms);

/// What the client saw of a stream, lines like "headers :status=200 a=b end",
/// "data <bytes>", "close 0".
struct peri_slice shim_call_log(struct shim_call_rig *rig, int id);

/// The messages the handler got, each followed by ";".
struct peri_slice shim_call_messages(struct shim_call_rig *rig);
/// The call that the handler keeps, or NULL.
struct peri_call *shim_call_held(struct shim_call_rig *rig);
/// The code the handler was told for the end of its call; 1 when none was.
int shim_call_canceled(struct shim_call_rig *rig);
/// How many borrowed pieces have been given back.
int shim_call_released(struct shim_call_rig *rig);
/// The connection window the client has left to send.
int shim_call_window(struct shim_call_rig *rig);

/// Replies, or sends, `count` borrowed pieces that each hold `bytes`.
void shim_call_reply(struct shim_call_rig *rig, struct peri_call *call,
                     struct peri_slice bytes, size_t count);
int shim_call_send(struct shim_call_rig *rig, struct peri_call *call,
                   struct peri_slice bytes, size_t count);
