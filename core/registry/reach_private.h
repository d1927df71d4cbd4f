#pragma once

#include "base/address.h"
#include "base/error.h"
#include "registry/lookup_private.h"

struct peri_loop;

/// A try to make a TCP (or Unix) connection, which is closed at once. On the
/// loop's thread. One at a time.
struct peri_reach {
  struct peri_loop *loop;
  struct peri_address asked;
  struct peri_address candidates[PERI_LOOKUP_MOST];
  size_t count;  // of what is known to try
  size_t next;
  int fd;  // -1 when none
  struct peri_poll *poll;
  struct peri_lookup *lookup;
  bool active;
  int error;  // the last one
  /// 0, or a -errno code; may free what it stands in after
  /// peri_reach_stop().
  void (*done)(void *ctx, int error);
  void *ctx;
};

void peri_reach_init(struct peri_reach *reach, struct peri_loop *loop,
                     const struct peri_address *address,
                     void (*done)(void *ctx, int error), void *ctx);
/// `done` comes, perhaps at once, unless it is stopped before.
void peri_reach_start(struct peri_reach *reach);
/// Gives the try up. A name that is still being looked up goes on for the next
/// try, so that slow resolvers do not pile up threads.
void peri_reach_give_up(struct peri_reach *reach);
/// Gives up everything; nothing comes any more.
void peri_reach_stop(struct peri_reach *reach);
