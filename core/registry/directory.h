#pragma once

#include "base/error.h"
#include "base/types.h"

struct peri_peers;

/// What is known of one service in etcd: its keys, which of them are records,
/// and which endpoints are only suspected to live. Plain data without I/O;
/// time is a parameter (monotonic nanoseconds). One thread.
struct peri_directory;

/// @param prefix  "<prefix><service>/": keys outside of it are ignored
/// @param hold_ms  how long suspects are held at the most (the larger of two
/// TTLs and 30 s)
/// @return 0 or PERI_ENOMEM.
int peri_directory_new(struct peri_slice service, struct peri_slice prefix,
                       uint64_t hold_ms, struct peri_directory **ret_directory);
void peri_directory_free(struct peri_directory *directory);

/// One key was put (a bad record drops this one endpoint and is reported to
/// `ret_problem`, PERI_EINVAL; the key is known all the same), or deleted.
/// Idempotent: what is not newer (by mod_revision) than what is known of the
/// key changes nothing. @return 0, PERI_EINVAL or PERI_ENOMEM.
int peri_directory_put(struct peri_directory *directory, struct peri_slice key,
                       struct peri_slice value, int64_t mod_revision,
                       int64_t lease, uint64_t now_ns,
                       struct peri_problem *ret_problem);
int peri_directory_delete(struct peri_directory *directory,
                          struct peri_slice key, int64_t mod_revision,
                          uint64_t now_ns);

/// A whole reading of the range: begin, put every key (peri_directory_put),
/// end. What was not put in between is deleted at `now_ns`. `regressed`: the
/// store lost its data, so everything that is missing is suspect whatever its
/// number, and revisions start anew (lower ones are taken).
void peri_directory_load_begin(struct peri_directory *directory,
                               bool regressed);
int peri_directory_load_end(struct peri_directory *directory, int64_t revision,
                            uint64_t now_ns);
/// Gives up a reading that was begun: nothing is deleted.
void peri_directory_load_abort(struct peri_directory *directory);

/// Whether the endpoints changed since the last peri_directory_peers().
bool peri_directory_changed(const struct peri_directory *directory);

/// The endpoints now, suspects among them (with `suspect` set). When several
/// keys name one address, the newest key wins.
int peri_directory_peers(struct peri_directory *directory,
                         struct peri_slice self_address,
                         struct peri_peers **ret_peers,
                         struct peri_problem *ret_problem);

/// Deletions are held for 2 s worth of looking back: when within 2 s at least
/// two endpoints and at least half of those that the service had 2 s ago are
/// deleted, all of these become suspect (also those deleted earlier in the
/// window: they come back), and are dropped one by one as they fail to answer
/// or `hold_ms` is over. A put of the same address ends suspicion.
size_t peri_directory_suspects(const struct peri_directory *directory);
/// The address of a suspect, borrowed until the next change; NULL when out of
/// range.
const char *peri_directory_suspect(const struct peri_directory *directory,
                                   size_t index);
/// A suspect does not answer: it is dropped.
void peri_directory_refuted(struct peri_directory *directory,
                            struct peri_slice address, uint64_t now_ns);
/// Drops suspects whose time is over, and what is remembered of deletions for
/// too long. Returns when to come again (monotonic ns), 0 for never.
uint64_t peri_directory_tick(struct peri_directory *directory, uint64_t now_ns);

/// For the audit: number of keys known in the range, and the highest
/// mod_revision among them; compare with a read of the same revision.
size_t peri_directory_keys(const struct peri_directory *directory);
int64_t peri_directory_newest(const struct peri_directory *directory);
size_t peri_directory_invalid(const struct peri_directory *directory);
/// What is known of one key: its lease and mod_revision; false when unknown.
bool peri_directory_find(const struct peri_directory *directory,
                         struct peri_slice key, int64_t *ret_lease,
                         int64_t *ret_mod_revision);
