#pragma once

#include "base/types.h"

/// A node of an intrusive, circular, doubly linked list; the head is a node
/// too. Not thread-safe.
struct peri_list {
  struct peri_list *prev;
  struct peri_list *next;
};

/// Makes `head` an empty list (or a node that is in no list).
static inline void peri_list_init(struct peri_list *head) {
  head->prev = head;
  head->next = head;
}

static inline bool peri_list_empty(const struct peri_list *head) {
  return head->next == head;
}

/// Appends `node` before `head`, that is at the end of the list.
static inline void peri_list_push(struct peri_list *head,
                                  struct peri_list *node) {
  node->prev = head->prev;
  node->next = head;
  head->prev->next = node;
  head->prev = node;
}

/// Takes `node` out of its list and leaves it in none. Safe on a node that is
/// in no list.
static inline void peri_list_remove(struct peri_list *node) {
  node->prev->next = node->next;
  node->next->prev = node->prev;
  peri_list_init(node);
}

/// Takes the first node out of the list and leaves it in none. NULL when the
/// list is empty.
static inline struct peri_list *peri_list_pop(struct peri_list *head) {
  struct peri_list *node = head->next;
  if (node == head) {
    return NULL;
  }
  head->next = node->next;
  node->next->prev = head;
  peri_list_init(node);
  return node;
}

/// Moves everything in `from` to the end of `to`; `from` is empty afterwards.
static inline void peri_list_splice(struct peri_list *to,
                                    struct peri_list *from) {
  if (peri_list_empty(from)) {
    return;
  }
  from->next->prev = to->prev;
  to->prev->next = from->next;
  from->prev->next = to;
  to->prev = from->prev;
  peri_list_init(from);
}
