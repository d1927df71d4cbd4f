#pragma once

#include "base/types.h"

struct peri_scan_folder {
  char *path;
  uint64_t device, inode;
};

/// What folder trees look like at one moment.
struct peri_scan {
  /// Differs when a file that counts came, went, or has another size, inode or
  /// time of modification, and when a folder became another.
  uint64_t print;
  struct peri_scan_folder *folders;  // each once for each path to it
  size_t folder_count;
};

enum peri_scan_limits {
  PERI_SCAN_DEPTH = 32,
  PERI_SCAN_FOLDERS = 4096,
  PERI_SCAN_NAMES = 65536  // of files that count; the rest is not looked at
};

/// Looks, blocking, at the files below `folders` whose names end with `ending`
/// (NULL: at all). Follows symbolic links; names that begin with a dot are not
/// looked at. Folders may be missing. Any thread.
/// @return 0 or PERI_ENOMEM. Release with peri_scan_clear().
int peri_scan_run(const char *const *folders, size_t count, const char *ending,
                  struct peri_scan *ret_scan);
void peri_scan_clear(struct peri_scan *scan);

/// Whether a file's name counts.
bool peri_scan_counts(const char *name, const char *ending);
