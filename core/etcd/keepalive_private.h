#pragma once

#include "base/list.h"
#include "etcd/keepalive.h"
#include "etcd/session.h"
#include "loop/timer.h"

/// Nobody grants longer leases; more is nonsense that would overflow.
static const int64_t PERI_KEEP_MAX_TTL_S = 9000000000;

/// A stream on which renewals are asked for. A member answers those of one
/// stream one after another, so a stream that hangs is of no use any more.
struct peri_keep_lane {
  struct peri_list node;  // of the keeper's lanes, oldest first
  struct peri_etcd_keeper *keeper;
  struct peri_etcd_stream *stream;
  struct peri_list asks;  // unanswered, oldest first
  uint64_t progress_ns;   // when the oldest ask was next to be answered
  uint64_t serial;
  int endpoint;
  bool late;  // found not to answer
};

/// One request under way on a lane.
struct peri_keep_ask {
  struct peri_list node;
  struct peri_etcd_kept *kept;  // NULL once that was freed
  int64_t id;
  uint64_t sent_ns;
};

struct peri_etcd_keeper {
  struct peri_etcd *etcd;
  struct peri_timer *timer;
  struct peri_list kept;
  struct peri_list lanes;    // the last is the one that is asked now
  struct peri_list *cursor;  // of the walk under way over `kept`
  uint64_t serial;           // of the newest lane
  uint64_t open_ns;          // no lane is opened before
  uint64_t pace_ns;          // until the next attempt while none is answered
  uint64_t round_trip_ns;    // smoothed
  uint32_t tries;            // attempts since the last answer that got none
  int endpoint;              // where the newest lane goes; -1 before the first
  int blamed;                // where the first of those attempts went
  bool awake;                // the timer is about to fire
};

struct peri_etcd_kept {
  struct peri_list node;
  struct peri_etcd_keeper *keeper;  // NULL once that was freed
  const struct peri_etcd_kept_events *events;
  void *ctx;
  int64_t id;
  int64_t ttl_s;
  uint64_t alive_ns;  // when the last answered request was sent
  uint64_t due_ns;    // when to ask next
  uint64_t asked;     // serial of the lane that was asked last, 0 for none
  bool lost;
  bool troubled;
};

// lane.c: the streams.

/// Opens a lane to `endpoint` (-1 for the best) and makes it the newest.
int peri_keep_lane_open(struct peri_etcd_keeper *keeper, int endpoint);
/// Closes its stream and forgets what was asked on it.
void peri_keep_lane_close(struct peri_keep_lane *lane);
/// Closes every lane but `winner` (NULL for all).
void peri_keep_lanes_close(struct peri_etcd_keeper *keeper,
                           const struct peri_keep_lane *winner);
/// The newest lane that is left, NULL when there is none.
struct peri_keep_lane *peri_keep_lane_newest(struct peri_etcd_keeper *keeper);
/// A message of its stream; the lane, `ctx`, may be gone afterwards.
void peri_keep_lane_message(void *ctx, struct peri_slice bytes);
/// Asks for one lease. @return 0, PERI_ELIMIT or PERI_ENOMEM.
int peri_keep_lane_ask(struct peri_keep_lane *lane,
                       struct peri_etcd_kept *kept);
/// What waits on any lane for this lease will go to nobody.
void peri_keep_lanes_forget(struct peri_etcd_keeper *keeper,
                            const struct peri_etcd_kept *kept);

// hedge.c: who is asked when.

/// Asks for what is due, elsewhere when no answer comes, and sets the timer.
void peri_keeper_step(void *ctx);
/// Steps once all that is happening now has been told.
void peri_keeper_wake(struct peri_etcd_keeper *keeper);
/// The lane that answered is the one that is asked from now on.
void peri_keeper_share(struct peri_keep_lane *winner);
/// A lane is gone: whether it was the newest, and whether something asked on it
/// was unanswered.
void peri_keeper_failed(struct peri_etcd_keeper *keeper, bool newest,
                        bool unanswered, const struct peri_etcd_error *error);

// keepalive.c: the leases.

/// A frozen leader is noticed only by asking, and an election takes up to two
/// seconds more: asking every TTL/12 leaves time for both within TTL/2.
uint64_t peri_keep_interval_ns(int64_t ttl_s);
/// Tells the leases that are due why they are not renewed.
void peri_keeper_tell(struct peri_etcd_keeper *keeper, uint64_t now,
                      const struct peri_etcd_error *error);
/// An answer came on a lane; the ask goes after the call, its `kept` is NULL
/// from when that is freed.
void peri_keeper_answered(struct peri_keep_lane *lane,
                          const struct peri_keep_ask *ask, int64_t ttl_s);
