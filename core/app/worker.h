#pragma once

#include "app/round.h"
#include "base/error.h"
#include "base/types.h"
#include "h2/limits.h"

struct peri_ask;
struct peri_cache;
struct peri_config;
struct peri_mailbox;
struct peri_metrics;
struct peri_snapshot;
struct peri_sources;
struct peri_folders;

/// The listeners whose connections a worker serves.
enum peri_side { PERI_SIDE_APP = 0, PERI_SIDE_MESH = 1, PERI_SIDE_COUNT = 2 };

/// A worker thread: one loop with its servers, its connections to peers and its
/// Lua VMs. Functions are called by the thread that made it, the control
/// thread, and reach the worker through its mailbox.
struct peri_worker;

/// What a worker is made of.
struct peri_worker_options {
  uint32_t index;
  struct peri_config *config;
  struct peri_cache *cache;
  struct peri_metrics *metrics;
  struct peri_h2_limits limits;
  const struct peri_folders *folders;
  struct peri_sources *sources;  // of its policies, until it has started
  struct peri_mailbox *control;  // of the control thread
  struct peri_ask *ask;          // borrowed
  /// Called on the control thread: no connection of this side of the worker is
  /// left after peri_worker_drain().
  void (*drained)(void *ctx, struct peri_worker *worker, enum peri_side side);
  /// Called on the control thread: everything is freed, and the thread is about
  /// to end; peri_worker_free() may be called.
  void (*stopped)(void *ctx, struct peri_worker *worker);
  void *ctx;
};

/// Starts the thread and waits until it has loaded its policies.
/// @return 0, a code as peri_cache_worker_new() gives (PERI_ENOTFOUND,
/// PERI_ECONFIG, PERI_ESCRIPT: the configuration is wrong), PERI_ENOMEM or a
/// libuv code, with words.
int peri_worker_new(const struct peri_worker_options *options,
                    struct peri_worker **ret_worker,
                    struct peri_problem *ret_problem);

/// Where rounds reach it, also when it has ended: its struct peri_stage. The
/// caller unrefs the mailbox.
struct peri_round_place peri_worker_place(struct peri_worker *worker);

/// Connections that it holds, or that are on their way to it.
size_t peri_worker_conns(const struct peri_worker *worker, enum peri_side side);

/// Hands a connected socket over. @return 0, or PERI_ENOMEM or PERI_ECLOSED:
/// the caller still owns it then.
int peri_worker_adopt(struct peri_worker *worker, enum peri_side side, int fd);

/// Gives it a new snapshot. @return 0, PERI_ENOMEM or PERI_ECLOSED.
int peri_worker_publish(struct peri_worker *worker,
                        struct peri_snapshot *snapshot);

/// Tells it that the local application at `address` provides a service, or
/// (empty) does no more. @return 0, PERI_ENOMEM or PERI_ECLOSED.
int peri_worker_provide(struct peri_worker *worker, struct peri_slice service,
                        struct peri_slice address);

/// Asks it to take no more connections of one side and to finish what they
/// have begun. Once only for each side.
void peri_worker_drain(struct peri_worker *worker, enum peri_side side);

/// Asks it to end at once. Once only.
void peri_worker_stop(struct peri_worker *worker);

/// Whether something that its loop waits for, such as a file, does not end;
/// only after `stopped`.
bool peri_worker_stuck(const struct peri_worker *worker);

/// Joins the thread and frees the rest; only after `stopped`. NULL is fine.
void peri_worker_free(struct peri_worker *worker);
