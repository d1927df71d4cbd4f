#pragma once

#include "base/types.h"

struct peri_loop;
/// The one door into a loop from other threads.
struct peri_mailbox;

/// An intrusive message: embed it, and find the outer struct in `run` with
/// PERI_CONTAINER_OF. The poster owns it until posted, then the receiver does.
struct peri_message {
  struct peri_message *next;
  void (*run)(struct peri_message *message);
};

/// A mailbox whose messages run on `loop`, in the order posted. It does not
/// keep the loop alive. @return 0, PERI_ENOMEM or a libuv code.
int peri_mailbox_new(struct peri_loop *loop, struct peri_mailbox **ret_mailbox);

/// Hands a message over. Any thread, also the loop's own (it then runs in the
/// next iteration). @return 0, or PERI_ECLOSED once the mailbox is closed: the
/// message then still belongs to the caller.
int peri_mailbox_post(struct peri_mailbox *mailbox,
                      struct peri_message *message);

struct peri_mailbox *peri_mailbox_ref(struct peri_mailbox *mailbox);
/// Any thread. The memory goes with the last reference.
void peri_mailbox_unref(struct peri_mailbox *mailbox);

/// On the loop's thread: refuses further posts, runs what was posted before,
/// and drops the creator's reference.
void peri_mailbox_close(struct peri_mailbox *mailbox);
