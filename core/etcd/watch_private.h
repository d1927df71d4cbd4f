#pragma once

#include "base/list.h"
#include "base/types.h"
#include "etcd/watch.h"

struct Etcdpb__ResponseHeader;
struct Etcdpb__WatchRequest;
struct Etcdpb__WatchResponse;
struct peri_etcd_call;
struct peri_etcd_stream;
struct peri_timer;

enum {
  PERI_WATCH_SILENCE_MS = 400,   // then the stream is probed
  PERI_WATCH_PATIENCE_MS = 800,  // then it is dead
  PERI_WATCH_LATE_MS = 150,      // a timer so late did not measure the server
  PERI_WATCH_GRACE_MS = 200,     // what a late timer is given instead
  PERI_WATCH_PAUSE_MIN_MS = 50,
  PERI_WATCH_PAUSE_MAX_MS = 1000,
  PERI_WATCH_PERMANENT_MS = 5000,
  PERI_WATCH_STEADY_MS = 1000,  // what lived so long did not fail at once
  PERI_WATCH_DOUBT_MS = 250,    // between the reads that confirm a regression
  PERI_WATCH_CHECK_MS = 1000,   // between two checks
  PERI_WATCH_BATCH_BYTES = 64 * 1024 * 1024,
  PERI_WATCH_BUCKETS = 256
};

enum peri_watch_state {
  PERI_WATCH_WAITING,  // for a stream, or for its next try
  PERI_WATCH_ASKED,    // the create was sent
  PERI_WATCH_LIVE,     // and confirmed
  PERI_WATCH_RESET     // for its owner to restart it
};

/// The responses of one batch, until its last fragment is there.
struct peri_watch_parts {
  struct Etcdpb__WatchResponse **messages;
  size_t count;
  size_t capacity;
  size_t bytes;
};

struct peri_etcd_watches {
  struct peri_etcd *etcd;
  struct peri_list watches;
  size_t count;
  struct peri_list buckets[PERI_WATCH_BUCKETS];  // by ID on the stream
  unsigned busy;                                 // callbacks under way
  bool freed;

  // watch_stream.c: the stream, and how it is opened again.
  struct peri_etcd_stream *stream;
  struct peri_etcd_call *login;
  struct peri_timer *tick;
  struct peri_timer *reopen;
  bool reopening;
  int endpoint;
  int avoid;          // the endpoint that the next stream avoids, or -1
  unsigned failures;  // streams in a row that did not live
  unsigned deaths;    // silent streams since more than creates was answered
  uint64_t opened_ns;
  uint64_t heard_ns;
  bool heard;  // on this stream
  bool probing;
  bool graced;
  uint64_t due_ns;
  int64_t last_id;   // of the last create sent
  int64_t base;      // of the last one sent on the stream before
  int64_t answered;  // creates are answered in order, up to this ID

  // watch_check.c: whether the store went back.
  struct peri_etcd_call *check;
  struct peri_timer *check_timer;
  bool check_wanted;
  bool doubted;         // one read said so already
  int64_t highest;      // revision seen on any stream or read
  uint64_t term;        // last seen on any stream
  uint64_t read_term;   // of the last read that needed a leader
  int64_t floor;        // `highest` when the read that runs was sent
  uint64_t checked_ns;  // when the last check ended
};

struct peri_etcd_watch {
  struct peri_etcd_watches *owner;
  struct peri_list node;
  struct peri_list bucket;
  const struct peri_etcd_watch_events *events;
  void *ctx;
  struct peri_timer *retry;
  bool retrying;
  struct peri_slice key;
  struct peri_slice range_end;
  int64_t id;      // of its create, 0 when it is on no stream
  int64_t next;    // the revision to resume from
  int64_t judged;  // `next` when the check that runs was sent, else 0
  struct peri_watch_parts parts;
  enum peri_watch_state state;
  int told;  // the kind last told to its owner, or -1
  unsigned failures;
  uint64_t live_ns;
  unsigned busy;
  bool freed;
};

/// What `id` is called on the stream: counted from 0, as every server would do
/// by itself. One that takes no numbers (etcd's grpc-proxy) agrees with that.
int64_t peri_watches_wire_id(const struct peri_etcd_watches *watches,
                             int64_t id);

// watch_decode.c

/// Takes a message into the batch, also when it fails. @return 0, PERI_EPROTO
/// (an event that cannot be one), PERI_ELIMIT (too large a batch), PERI_ENOMEM.
int peri_watch_parts_add(struct peri_watch_parts *parts,
                         struct Etcdpb__WatchResponse *message, size_t bytes);
/// The events of the batch from revision `next` on, in order, each once, and
/// valid until the batch is cleared; `ret_events` is freed with free().
int peri_watch_parts_join(const struct peri_watch_parts *parts, int64_t next,
                          struct peri_etcd_event **ret_events,
                          size_t *ret_count);
void peri_watch_parts_clear(struct peri_watch_parts *parts);
/// What a cancelled watch says of why.
void peri_watch_reason(struct peri_slice reason,
                       struct peri_etcd_error *ret_error);

// watch.c

/// Sends its create, or has a stream opened.
void peri_watch_ask(struct peri_etcd_watch *watch);
/// Its response; `message` is taken. @return 0, or what peri_watch_parts_add()
/// and peri_watch_parts_join() say.
int peri_watch_answer(struct peri_etcd_watch *watch,
                      struct Etcdpb__WatchResponse *message, size_t bytes);
/// The stream is gone: forgets what it had on it.
void peri_watch_detach(struct peri_etcd_watch *watch);
/// Tells the owner, when it is news.
void peri_watch_tell(struct peri_etcd_watch *watch,
                     const struct peri_etcd_error *error);
void peri_watch_reset(struct peri_etcd_watch *watch, enum peri_etcd_reset why);
/// What to wait before try number `failures` (from 0).
uint64_t peri_watch_pause_ms(unsigned failures);

// watch_stream.c

/// Has a stream opened, unless there is one or will be.
void peri_watches_wake(struct peri_etcd_watches *watches);
int peri_watches_send(struct peri_etcd_watches *watches,
                      const struct Etcdpb__WatchRequest *request);
/// Gives the stream up for `error`, and opens another when it is time. With
/// `relogin` a read on the same member finds out first whether the token is
/// good, and has it renewed.
void peri_watches_fail(struct peri_etcd_watches *watches,
                       const struct peri_etcd_error *error, bool relogin);
/// The last watch went: nothing is needed any more.
void peri_watches_idle(struct peri_etcd_watches *watches);
/// A message of the stream.
void peri_watches_message(void *ctx, struct peri_slice message);

// watch_hold.c: callbacks may free whatever they like, so memory stays while
// one of them is under way.

/// Before and after callbacks.
void peri_watches_enter(struct peri_etcd_watches *watches);
void peri_watches_leave(struct peri_etcd_watches *watches);
void peri_watch_enter(struct peri_etcd_watch *watch);
void peri_watch_leave(struct peri_etcd_watch *watch);
/// Frees the memory, now or after the last callback.
void peri_watches_bury(struct peri_etcd_watches *watches);
void peri_watch_bury(struct peri_etcd_watch *watch);

// watch_check.c

/// Looks at the header of any message.
void peri_watches_observe(struct peri_etcd_watches *watches,
                          const struct Etcdpb__ResponseHeader *header);
/// The store may have gone back: finds out.
void peri_watches_check(struct peri_etcd_watches *watches);
/// peri_watches_check() when it is time for it.
void peri_watches_check_due(void *ctx);
