#pragma once

#include "base/buffer.h"
#include "base/list.h"
#include "base/log.h"
#include "base/types.h"
#include "etcd/error.h"
#include "registry/registration.h"

struct peri_etcd_call;
struct peri_etcd_keeper;
struct peri_etcd_kept;
struct peri_metric;
struct peri_timer;

enum {
  PERI_LISTINGS_IN_FLIGHT = 32,     // calls for listings at one time
  PERI_LISTINGS_A_TXN = 64,         // listings taken out by one Txn
  PERI_LISTING_GIVEN_UP_MS = 500,   // a Put not wanted any more is waited for
  PERI_LISTING_REMOVE_MS = 2000,    // and a removal
  PERI_REGISTRAR_BLOCKED_MS = 5000  // between attempts that are refused
};

/// When to try again after failures.
struct peri_retry {
  uint64_t due_ns;    // monotonic; 0 for at once
  unsigned failures;  // in a row
  int kind;           // enum peri_etcd_kind of the last one, 0 after a success
  char text[256];     // what it said
};

enum peri_listing_job {
  PERI_LISTING_IDLE = 0,
  PERI_LISTING_PUTTING = 1,
  PERI_LISTING_DELETING = 2,
  PERI_LISTING_BATCHED = 3  // in the Txn of the registrar
};

struct peri_listing {
  struct peri_list node;
  struct peri_registrar *registrar;
  char *service;
  char *address;
  struct peri_buffer key;
  struct peri_buffer value;
  bool on;
  int told;  // enum peri_listing_state that the user knows of
  bool removing;
  bool behind;  // another listing of the same key is being removed
  bool alone;   // its batch was refused: somebody else's key was among them

  int job;  // enum peri_listing_job
  struct peri_etcd_call *call;
  struct peri_retry retry;
  uint64_t unwanted_ns;  // since when the Put under way is not wanted

  bool refused;    // taking it out is not allowed
  bool placed;     // the record is there as far as we know
  bool stale;      // the value changed while its Put was under way
  int64_t under;   // lease of a Put that may be there, 0 for none
  int64_t before;  // the same before the Put under way
  int64_t known;   // revision of our own last write
  int64_t seen;    // newest revision seen by the watch, and its lease
  int64_t holder;  // 0: deleted

  unsigned put_backs;  // in a row, each within 10 s of the last
  uint64_t put_back_ns;

  uint64_t remove_by_ns;
  void (*done)(void *ctx, int error);
  void *done_ctx;
  int outcome;
};

/// Leaving, or revoking, with its limit.
struct peri_farewell {
  bool begun;
  bool over;  // to be reported, or reported
  bool told;
  int error;
  uint64_t by_ns;
  void (*done)(void *ctx, int error);
  void *ctx;
};

struct peri_registrar {
  struct peri_etcd *etcd;
  char *prefix;
  uint32_t ttl_s;
  size_t (*fleet)(void *ctx);
  void (*changed)(void *ctx, struct peri_listing *listing);
  void *ctx;

  struct peri_timer *timer;
  uint64_t random;
  struct peri_list listings;
  struct peri_list removed;  // whose `done` is to be called
  size_t in_flight;
  bool woken;
  bool complete;  // all that is wanted was registered and said so

  struct peri_etcd_keeper *keeper;
  struct peri_etcd_kept *kept;
  struct peri_etcd_call *grant;
  int64_t lease;      // held, or 0
  int64_t candidate;  // asked for, and perhaps granted
  uint64_t asked_ns;  // when it was asked for last
  bool unsure;        // an earlier answer for it was not heard
  int64_t ttl_given_s;
  struct peri_retry retry;  // of the grant
  int keep_kind;            // of a renewal that fails

  struct peri_etcd_call *batch;
  struct peri_retry batch_retry;
  struct peri_farewell leaving;
  struct peri_farewell revoking;
  struct peri_etcd_call *revoke;
  struct peri_retry revoke_retry;

  struct peri_metrics *metrics;  // may be NULL, and what follows then too
  struct peri_metric *registrations;
  struct peri_metric *grants;
  struct peri_metric *conflicts;
  struct peri_metric *failures[PERI_ETCD_KINDS];
  struct peri_log_gate gates[PERI_ETCD_KINDS];
  struct peri_log_gate conflict_gate;
  struct peri_log_gate lost_gate;
  struct peri_log_gate complete_gate;
};

// Below, `now` is the monotonic time and functions named `_step` do what is
// due, lowering `*next_ns` to when they want to be called again. No callback of
// the registrar's user is called from them.

/// Calls the step functions in the next turn of the loop.
void peri_registrar_wake(struct peri_registrar *registrar);
/// Notes a failure (error NULL: out of memory) of `what` with `key`: counts and
/// logs it, and says when to try again. Returns whether it is permanent.
bool peri_registrar_failed(struct peri_registrar *registrar,
                           struct peri_retry *retry, const char *what,
                           const char *key,
                           const struct peri_etcd_error *error);
/// How long a fleet as last seen spreads what all of it does at once.
uint32_t peri_registrar_window_ms(const struct peri_registrar *registrar);
/// Lowers `*next_ns` (0: never) to `at_ns`.
void peri_registrar_at(uint64_t *next_ns, uint64_t at_ns);
/// Whether failures of this kind last until somebody changes something.
bool peri_retry_blocked(const struct peri_retry *retry);
/// After a success, or when something else is to be done: at once.
void peri_retry_reset(struct peri_retry *retry);

/// The lease: grants it while `wanted`.
void peri_tenure_step(struct peri_registrar *registrar, bool wanted,
                      uint64_t now_ns, uint64_t *next_ns);
/// The server says that the lease does not exist: every record is gone.
void peri_tenure_lost(struct peri_registrar *registrar);
void peri_tenure_done(struct peri_registrar *registrar);

/// Whether it is to be in etcd.
bool peri_listing_wanted(const struct peri_listing *listing);
void peri_listing_step(struct peri_listing *listing, uint64_t now_ns,
                       uint64_t *next_ns);
/// The lease is gone, and the record with it.
void peri_listing_orphan(struct peri_listing *listing);
/// Its key is not (any more) in etcd as of `revision`, or is not ours.
void peri_listing_gone(struct peri_listing *listing, int64_t revision);
/// Cancels what is under way and frees it.
void peri_listing_free(struct peri_listing *listing);

/// Takes out what is there in batches while leaving, and revokes.
void peri_leave_step(struct peri_registrar *registrar, uint64_t now_ns,
                     uint64_t *next_ns);
/// Calls `left` or `revoked` if one is due and was not called. Returns whether
/// it did: the registrar may be gone then.
bool peri_leave_tell(struct peri_registrar *registrar);
void peri_leave_done(struct peri_registrar *registrar);
