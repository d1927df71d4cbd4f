#include "loop/mailbox.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/container.h"
#include "base/error.h"
#include "loop/private.h"

struct queue {
  struct peri_message *first;
  struct peri_message **last;  // where the next one is linked
};

struct peri_mailbox {
  uv_async_t wake;
  uv_mutex_t lock;  // guards `inbox` and `closed`
  struct queue inbox;
  struct queue batch;  // being run; the loop's thread only
  bool closed;
  atomic_uint refs;
};

static void queue_init(struct queue *queue) {
  queue->first = NULL;
  queue->last = &queue->first;
}

static void queue_move(struct queue *to, struct queue *from) {
  if (from->first != NULL) {
    *to->last = from->first;
    to->last = from->last;
    queue_init(from);
  }
}

static void run_batch(struct peri_mailbox *mailbox) {
  struct queue *batch = &mailbox->batch;
  while (batch->first != NULL) {
    struct peri_message *message = batch->first;
    batch->first = message->next;
    if (batch->first == NULL) {
      batch->last = &batch->first;
    }
    message->next = NULL;
    message->run(message);
  }
}

static void drain(uv_async_t *handle) {
  struct peri_mailbox *mailbox =
      PERI_CONTAINER_OF(handle, struct peri_mailbox, wake);
  // A message may close the mailbox, which drops the creator's reference.
  peri_mailbox_ref(mailbox);
  uv_mutex_lock(&mailbox->lock);
  queue_move(&mailbox->batch, &mailbox->inbox);
  uv_mutex_unlock(&mailbox->lock);
  run_batch(mailbox);
  peri_mailbox_unref(mailbox);
}

int peri_mailbox_new(struct peri_loop *loop,
                     struct peri_mailbox **ret_mailbox) {
  struct peri_mailbox *mailbox = calloc(1, sizeof(*mailbox));
  if (mailbox == NULL) {
    return PERI_ENOMEM;
  }
  int rc = uv_mutex_init(&mailbox->lock);
  if (rc < 0) {
    goto fail_alloc;
  }
  rc = uv_async_init(&loop->uv, &mailbox->wake, drain);
  if (rc < 0) {
    goto fail_lock;
  }
  uv_unref((uv_handle_t *)&mailbox->wake);
  queue_init(&mailbox->inbox);
  queue_init(&mailbox->batch);
  atomic_init(&mailbox->refs, 1);
  *ret_mailbox = mailbox;
  return 0;

fail_lock:
  uv_mutex_destroy(&mailbox->lock);
fail_alloc:
  free(mailbox);
  return rc;
}

int peri_mailbox_post(struct peri_mailbox *mailbox,
                      struct peri_message *message) {
  int rc = 0;
  message->next = NULL;
  uv_mutex_lock(&mailbox->lock);
  if (mailbox->closed) {
    rc = PERI_ECLOSED;
  } else {
    bool first = mailbox->inbox.first == NULL;
    *mailbox->inbox.last = message;
    mailbox->inbox.last = &message->next;
    if (first) {
      // Under the lock, so that a closed handle is never signalled. The first
      // message's wake serves all that are in the inbox when it is drained.
      uv_async_send(&mailbox->wake);
    }
  }
  uv_mutex_unlock(&mailbox->lock);
  return rc;
}

struct peri_mailbox *peri_mailbox_ref(struct peri_mailbox *mailbox) {
  atomic_fetch_add_explicit(&mailbox->refs, 1, memory_order_relaxed);
  return mailbox;
}

void peri_mailbox_unref(struct peri_mailbox *mailbox) {
  if (mailbox == NULL ||
      atomic_fetch_sub_explicit(&mailbox->refs, 1, memory_order_acq_rel) > 1) {
    return;
  }
  uv_mutex_destroy(&mailbox->lock);
  free(mailbox);
}

static void closed(uv_handle_t *handle) {
  peri_mailbox_unref(PERI_CONTAINER_OF(handle, struct peri_mailbox, wake));
}

void peri_mailbox_close(struct peri_mailbox *mailbox) {
  if (mailbox == NULL) {
    return;
  }
  uv_mutex_lock(&mailbox->lock);
  bool again = mailbox->closed;
  mailbox->closed = true;
  queue_move(&mailbox->batch, &mailbox->inbox);
  uv_mutex_unlock(&mailbox->lock);
  if (again) {
    return;
  }
  run_batch(mailbox);
  uv_close((uv_handle_t *)&mailbox->wake, closed);
}
