#pragma once

#include "base/types.h"
#include "loop/mailbox.h"

/// Something that may take for ever, such as reading from a file system that
/// hangs: it has a thread of its own, which keeps neither a loop nor the
/// process from ending. Embed it; it must not be moved or freed before it ends.
struct peri_errand {
  struct peri_message message;
  struct peri_mailbox *mailbox;
  void (*run)(struct peri_errand *errand);
  void (*done)(struct peri_errand *errand);
  void (*lost)(struct peri_errand *errand);
};

/// Calls `run(errand)` on a new thread, and `done(errand)` on the mailbox's
/// loop after it. When the mailbox is closed by then `lost(errand)` comes
/// instead, still on that thread: what is left to do is to free it.
/// @return 0 or PERI_ENOMEM (nothing is called then).
int peri_errand_start(struct peri_errand *errand, struct peri_mailbox *mailbox,
                      void (*run)(struct peri_errand *errand),
                      void (*done)(struct peri_errand *errand),
                      void (*lost)(struct peri_errand *errand));
