#pragma once

#include "base/types.h"

struct peri_call;
struct peri_mailbox;
struct peri_registry;

/// Carries questions of the workers to the registry, which lives on the control
/// thread, and the answers back. Made before the workers start.
struct peri_ask;

enum peri_ask_kind {
  PERI_ASK_SERVICES = 0,
  PERI_ASK_REGISTER = 1,
  PERI_ASK_DEREGISTER = 2
};

/// @param control  the control thread's mailbox; a reference is taken
/// @return 0 or PERI_ENOMEM.
int peri_ask_new(struct peri_mailbox *control, struct peri_ask **ret_ask);

/// Control thread: the registry is there. Until then calls are answered with
/// UNAVAILABLE.
void peri_ask_open(struct peri_ask *ask, struct peri_registry *registry);

/// Control thread, before peri_registry_stop(): the registry is not asked any
/// more, and what still waits for it is answered with UNAVAILABLE. Once or
/// more.
void peri_ask_close(struct peri_ask *ask);

/// After the workers were joined, the registry freed and the control thread's
/// mailbox closed. NULL is fine.
void peri_ask_free(struct peri_ask *ask);

/// A worker's thread: asks for `call`, whose request `message` is (copied), and
/// answers it when the answer comes to `worker`, the thread's own mailbox. A
/// caller who leaves does not undo what was asked.
void peri_ask_call(struct peri_ask *ask, enum peri_ask_kind kind,
                   struct peri_mailbox *worker, struct peri_call *call,
                   struct peri_slice message);

/// A worker's thread: somebody wants to know the endpoints of `service`
/// (copied). Nobody is told how it went.
void peri_ask_want(struct peri_ask *ask, struct peri_slice service);

/// The gRPC status that an error of the registry is told as. Any thread.
int peri_ask_status(int error);
