#pragma once

#include "app/round.h"
#include "app/setup.h"
#include "base/error.h"
#include "base/types.h"

struct peri_cache;
struct peri_edits;
struct peri_failures;
struct peri_folders;
struct peri_loop;
struct peri_roster;
struct peri_metrics;
struct peri_registry;

/// Takes other configurations and policies over while everything runs: all
/// workers, or none. They prepare, each beside what it runs; when all could,
/// all switch. One change at a time. Control thread only.
struct peri_change;

/// Everything is borrowed.
struct peri_change_options {
  struct peri_loop *loop;
  struct peri_mailbox *control;
  const struct peri_round_place *places;  // struct peri_stage
  size_t count;
  const char *file;
  const struct peri_setup *setup;  // as the sidecar was started
  const struct peri_folders *folders;
  struct peri_cache *cache;
  struct peri_registry *registry;
  struct peri_edits *edits;
  struct peri_metrics *metrics;
  /// Another configuration runs; it lives until peri_change_free().
  void (*taken)(void *ctx, const struct peri_config *config);
  /// A change was refused since its files could not be read in time; now they
  /// can.
  void (*stale)(void *ctx);
  void *ctx;
};

/// How a change ended. Borrowed during the call.
struct peri_change_result {
  int code;  // 0: all but what `refused` names was taken over
  struct peri_problem problem;
  const struct peri_roster *before;     // NULL when not known
  const struct peri_roster *after;      // as before, when nothing changed
  const struct peri_failures *refused;  // or NULL
};

/// @return 0 or PERI_ENOMEM.
int peri_change_new(const struct peri_change_options *options,
                    struct peri_change **ret_change);

/// Reads the policies' files, and with `config` the configuration before, and
/// takes over what differs. When the configuration does, it is all or nothing;
/// else each policy is taken or refused by itself. Files are read on another
/// thread; a folder that hangs is waited for 10 s.
/// @param force  policies that are made anew although their files are the same
///   ("kind/name" or "*"), or NULL
/// @param done  comes once, also from within this call
void peri_change_begin(struct peri_change *change, bool config,
                       const char *force,
                       void (*done)(void *ctx,
                                    const struct peri_change_result *result),
                       void *ctx);

/// The version before of a policy runs again, on all workers. @param done as
/// above: PERI_ENOTFOUND, with words, when there is none.
void peri_change_rollback(struct peri_change *change, const char *kind,
                          const char *name,
                          void (*done)(void *ctx,
                                       const struct peri_change_result *result),
                          void *ctx);

/// The sidecar ends: what is being prepared is dropped; what is being switched
/// to already, is. Nothing begins any more. Once or more.
void peri_change_close(struct peri_change *change);

/// After the workers were joined and the control thread's mailbox closed,
/// before the cache is freed. NULL is fine.
void peri_change_free(struct peri_change *change);
