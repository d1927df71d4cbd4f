#pragma once

#include "base/types.h"

struct peri_loop;

/// A file watched for changes, by its folder's notifications where they work,
/// and by looking every `every_ms` besides.
struct peri_watch;

/// Calls `changed(ctx)` when size, inode, modification time, mode or owner
/// differ from when it was last looked at (also when it disappears or comes
/// back). Does not keep the loop alive. `every_ms` of 0 leaves it to the
/// notifications. `changed` may free the watch. @return 0 or PERI_ENOMEM.
int peri_watch_new(struct peri_loop *loop, const char *path, uint64_t every_ms,
                   void (*changed)(void *ctx), void *ctx,
                   struct peri_watch **ret_watch);

/// `changed` does not come any more. NULL is fine.
void peri_watch_free(struct peri_watch *watch);
