#pragma once

#include "base/types.h"

struct peri_loop;
/// A file being read on libuv's thread pool.
struct peri_file_read;

/// What reading gave. Valid during the callback only.
struct peri_file_result {
  int code;                 // 0 or a negative code, as below
  struct peri_slice bytes;  // the whole file
  int64_t mtime_ns;
};

/// Reads the regular file `path`, at most `max_bytes`, without blocking the
/// loop. When `root` is not NULL a relative `path` starts at that folder, and
/// the file must lie below it after every symbolic link and `..` is resolved,
/// checked on the descriptor that is then read (no race). `process`, unless
/// NULL, comes first, on the pool's thread, for work on what was read that is
/// too long for a loop; not after a failure. `done` comes exactly once, on the
/// loop, with PERI_ENOTFOUND, PERI_EPERM (outside the root, or not readable),
/// PERI_ELIMIT (too large), PERI_EINVAL (not a regular file) or PERI_EIO; or
/// PERI_ECANCELED after peri_file_cancel().
/// @return 0 or PERI_ENOMEM (`done` is then not called).
int peri_file_read(struct peri_loop *loop, const char *root, const char *path,
                   uint64_t max_bytes,
                   void (*process)(void *ctx,
                                   const struct peri_file_result *result),
                   void (*done)(void *ctx,
                                const struct peri_file_result *result),
                   void *ctx, struct peri_file_read **ret_read);

/// Asks for an early end; `done` still comes, later, with PERI_ECANCELED.
void peri_file_cancel(struct peri_file_read *read);

/// Reads a whole regular file at once, blocking: for start-up and commands
/// only. The caller frees *ret_bytes (NUL-terminated beyond `ret_len`) with
/// free().
/// @return 0 or a code as above.
int peri_file_slurp(const char *path, uint64_t max_bytes, char **ret_bytes,
                    size_t *ret_len);
