#pragma once

#include "base/types.h"

struct peri_buffer;
struct peri_call;
struct peri_mailbox;
struct peri_registry;

/// Carries questions of the workers to what lives on the control thread, and
/// the answers back. Made before the workers start.
struct peri_ask;

/// The registry answers the first three, others are served.
enum peri_ask_kind {
  PERI_ASK_SERVICES = 0,
  PERI_ASK_REGISTER = 1,
  PERI_ASK_DEREGISTER = 2,
  PERI_ASK_POLICIES = 3,
  PERI_ASK_RELOAD = 4,
  PERI_ASK_ROLLBACK = 5,
  PERI_ASK_EXPLAIN = 6,
  PERI_ASK_KINDS = 7
};

/// A question on the control thread, to be answered or refused once.
struct peri_question;

/// @param control  the control thread's mailbox; a reference is taken
/// @return 0 or PERI_ENOMEM.
int peri_ask_new(struct peri_mailbox *control, struct peri_ask **ret_ask);

/// Control thread: the registry is there. Until then calls are answered with
/// UNAVAILABLE.
void peri_ask_open(struct peri_ask *ask, struct peri_registry *registry);

/// Control thread: who answers questions of a kind from now on, sooner or
/// later; `request` is valid until then. NULL: nobody does any more.
void peri_ask_serve(struct peri_ask *ask, enum peri_ask_kind kind,
                    void (*serve)(void *ctx, struct peri_question *question,
                                  struct peri_slice request),
                    void *ctx);
/// Takes the bytes, a packed message, over.
void peri_question_answer(struct peri_question *question,
                          struct peri_buffer *bytes);
/// @param words  NULL: those of the error
void peri_question_refuse(struct peri_question *question, int error,
                          const char *words);

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
