#pragma once

#include "base/types.h"
#include "h2/call.h"
#include "h2/single.h"
#include "loop/turn.h"

struct peri_timer;

/// A trailer of the handler's; name and value lie behind it.
struct peri_call_field {
  struct peri_call_field *next;
  struct peri_h2_field field;
};

/// The inside of a call, for call.c and call_send.c. It goes when the stream
/// has closed and the handler owes nothing any more, whichever comes last.
struct peri_call {
  struct peri_h2_stream *stream;  // NULL once it has closed
  struct peri_loop *loop;
  peri_call_handler *handler;
  void *ctx;
  void (*canceled)(void *ctx, int code);
  void *cancel_ctx;
  uint64_t deadline_ns;
  struct peri_turn turn;     // makes the timer when the iteration ends
  struct peri_timer *timer;  // for the deadline, once it is needed
  struct peri_call_field *trailers;
  struct peri_call_field **last_trailer;
  uint32_t trailer_count;
  enum peri_single_encoding encoding;
  struct peri_slice content_type;
  bool asks_why;  // perigee-explain
  bool owed;      // the handler has it and must answer
  bool started;   // response headers are sent
  bool answered;  // our side of the stream is over
  struct peri_single single;
};

/// What of the request's headers matters to a call.
struct peri_call_head {
  struct peri_slice method;
  struct peri_slice content_type;
  struct peri_slice timeout;
  struct peri_slice encoding;
  struct peri_slice explain;
};

/// The content-type that answers one: with its subtype, or the plain one.
struct peri_slice peri_call_echo(struct peri_slice content_type);

/// Answers with nothing but a status (trailers-only), and with the handler's
/// trailers when there is a call.
void peri_call_refuse_with(struct peri_h2_stream *stream,
                           const struct peri_call *call,
                           struct peri_slice content_type, int status,
                           const char *message);

/// Our side of the stream is over: nothing may fire any more.
void peri_call_disarm(struct peri_call *call);

/// Ends our side with a status, whatever was sent before.
void peri_call_conclude(struct peri_call *call, int status,
                        const char *message);

/// Frees it if nothing holds it any more.
void peri_call_settle(struct peri_call *call);
