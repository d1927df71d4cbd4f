#pragma once

#include "base/types.h"

struct peri_loop;

/// Whole folder trees watched for changes of the files in them.
struct peri_tree_watch;

/// What is watched, and how. Everything is copied.
struct peri_tree_options {
  const char *const *folders;  // may be missing, and come later
  size_t folder_count;
  const char *ending;  // of the names that count, ".lua"; NULL: all
  uint64_t every_ms;   // looks besides notifications; 0: 2,000
  uint64_t quiet_ms;   // a change is told after so long without another …
  uint64_t most_ms;    // … or after so long since the first; 0: 100 and 1,000
};

/// Calls `changed(ctx)` once the files below the folders differ from what they
/// were, however they were written: in place, by renaming over them, through a
/// link that leads elsewhere, with their folder. It may come once more than
/// needed, and for a file that was written as it was. Names that begin with a
/// dot do not count. Does not keep the loop alive; `changed` may free the
/// watch. @return 0, PERI_ENOMEM or a libuv code.
int peri_tree_watch_new(struct peri_loop *loop,
                        const struct peri_tree_options *options,
                        void (*changed)(void *ctx), void *ctx,
                        struct peri_tree_watch **ret_watch);

/// `changed` does not come any more. NULL is fine.
void peri_tree_watch_free(struct peri_tree_watch *watch);
