#pragma once

#include "app/folders.h"
#include "app/setup.h"
#include "base/error.h"
#include "base/types.h"

struct peri_mailbox;
struct peri_sources;

/// One reading of the configuration and of the policies' files, on a thread of
/// its own: a file system that hangs, or a configuration that never ends, keeps
/// nothing else waiting. Control thread only.
struct peri_reading;

/// Everything is copied or referenced.
struct peri_reading_options {
  struct peri_mailbox *control;
  const char *file;                // NULL: the configuration is not read
  const struct peri_setup *setup;  // what runs
  const struct peri_folders *folders;
  /// Comes once, on the control thread; the reading is freed after it. Nothing
  /// comes when the control thread's mailbox is closed before.
  void (*done)(void *ctx, struct peri_reading *reading);
  void *ctx;
};

/// @return 0 or PERI_ENOMEM.
int peri_reading_start(const struct peri_reading_options *options,
                       struct peri_reading **ret_reading);

/// What was read: takes it out of the reading.
/// @param[out] ret_setup  empty when the configuration was not read
/// @return 0, or with words what was wrong with the configuration, and as
///   peri_sources_read()
int peri_reading_take(struct peri_reading *reading,
                      struct peri_setup *ret_setup,
                      struct peri_sources **ret_sources,
                      struct peri_problem *ret_problem);
