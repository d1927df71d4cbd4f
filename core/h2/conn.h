#pragma once

#include "base/list.h"
#include "base/types.h"
#include "h2/hub.h"
#include "h2/stream_state.h"
#include "h2/wire.h"
#include "loop/turn.h"

struct nghttp2_session;

/// How far a connection has come.
enum peri_conn_phase {
  PERI_CONN_OPENING = 1,  // client: no connection yet
  PERI_CONN_OPEN = 2,
  PERI_CONN_LINGERING = 3,  // all said; waiting for the peer to close
  PERI_CONN_DEAD = 4        // waiting to be buried
};

/// How far its graceful end has come.
enum peri_conn_drain {
  PERI_DRAIN_NOT = 0,
  PERI_DRAIN_NOTICED = 1,  // first GOAWAY and a PING are under way
  PERI_DRAIN_FINAL = 2     // the last GOAWAY is said
};

/// What a peer did within the current second.
struct peri_h2_rates {
  uint64_t since_ns;
  uint32_t counts[PERI_FLOOD_RESET + 1];  // by enum peri_h2_flood
};

/// One HTTP/2 connection: an nghttp2 session over a wire, its streams, and a
/// turn that writes once for each loop iteration. Loop thread only.
struct peri_h2_conn {
  struct peri_list link;  // hub->conns or hub->dying
  struct peri_h2_hub *hub;
  struct nghttp2_session *session;
  struct peri_wire *wire;
  struct peri_turn turn;
  struct peri_list streams;
  struct peri_list closed;    // on_close is due
  struct peri_list writable;  // on_writable is due
  struct peri_list waiting;   // requests held back
  struct peri_list cut;       // to be reset once what can leave has left
  struct peri_list parked;    // gone, but the wire still holds bytes of theirs
  struct peri_h2_stream *head;    // whose header block is being read
  struct peri_h2_stream *recent;  // last one looked up
  size_t unsent;                  // body bytes queued on streams
  uint32_t stream_count;
  enum peri_conn_phase phase;
  enum peri_conn_drain drain;
  int code;   // why it died
  int cause;  // client: what connecting failed with
  uint32_t goaway_error;
  bool wired;    // its adoption or connection worked
  bool ready;    // the peer's SETTINGS came
  bool retired;  // takes no new streams, ends with the last one
  bool pinging;  // our keepalive PING is not answered yet
  bool paused;   // reading is paused
  bool heard;    // HEADERS or DATA have come since our last PING
  bool spoke;    // HEADERS or DATA have left since the peer's last PING
  struct peri_h2_rates rates;
  uint64_t opened_ns;
  uint64_t idle_ns;      // since when it has no stream
  uint64_t received_ns;  // last bytes from the peer
  uint64_t pinged_ns;
  uint64_t drained_ns;         // when the drain or the lingering began
  uint64_t head_ns;            // when the header block began
  uint64_t head_bytes;         // what its fields unpacked to so far
  uint64_t progress_ns;        // last time a write moved
  size_t backlog;              // of the wire at that time
  struct peri_list pool_link;  // client: of its origin
  void *owner;                 // client: its origin
  void *dial;                  // client: the attempt under way
  uint32_t reached;            // client: hash of the host that it dialled
};

/// A connection without a wire, session and all, with our SETTINGS queued.
/// @return 0 or PERI_ENOMEM.
int peri_h2_conn_new(struct peri_h2_hub *hub, struct peri_h2_conn **ret_conn);

/// What a wire of this connection is set up with.
struct peri_wire_setup peri_h2_conn_wiring(struct peri_h2_conn *conn);

/// Begins to talk over a connected wire. @return 0 or a libuv code.
int peri_h2_conn_open(struct peri_h2_conn *conn, struct peri_wire *wire);

/// Marks the connection dead: its streams end with `code` (unprocessed when
/// they were never sent) once nothing of this room is on the stack.
void peri_h2_conn_kill(struct peri_h2_conn *conn, int code);

/// Ends the streams and frees it; only the hub does this.
void peri_h2_conn_bury(struct peri_h2_conn *conn);

/// Says GOAWAY with `h2_error` and closes when that has left.
void peri_h2_conn_terminate(struct peri_h2_conn *conn, uint32_t h2_error);

/// Begins a graceful end: announced, and final after a round trip.
void peri_h2_conn_drain(struct peri_h2_conn *conn);

/// The announced end becomes final.
void peri_h2_conn_drain_final(struct peri_h2_conn *conn);

/// Counts a frame of a kind that peers flood with; false when it was one too
/// many and the connection is being closed.
bool peri_h2_conn_allow(struct peri_h2_conn *conn, enum peri_h2_flood kind);
void peri_h2_conn_flooded(struct peri_h2_conn *conn, enum peri_h2_flood kind);

/// Checks every time limit at `now_ns`.
void peri_h2_conn_check(struct peri_h2_conn *conn, uint64_t now_ns);

/// Writes at the end of this iteration.
static inline void peri_h2_conn_stir(struct peri_h2_conn *conn) {
  if (conn->phase == PERI_CONN_OPEN) {
    peri_turn_request(&conn->turn);
  }
}
