#include "base/list_shim.h"

#include "base/container.h"

void shim_list_init(struct peri_list *head) {
  peri_list_init(head);
}

bool shim_list_empty(const struct peri_list *head) {
  return peri_list_empty(head);
}

void shim_list_push(struct peri_list *head, struct shim_item *item) {
  peri_list_push(head, &item->link);
}

void shim_list_remove(struct shim_item *item) {
  peri_list_remove(&item->link);
}

int shim_list_pop(struct peri_list *head) {
  struct peri_list *node = peri_list_pop(head);
  if (node == NULL || !peri_list_empty(node) || node->prev != node) {
    return -1;
  }
  return PERI_CONTAINER_OF(node, struct shim_item, link)->number;
}

void shim_list_splice(struct peri_list *to, struct peri_list *from) {
  peri_list_splice(to, from);
}

int shim_list_digits(const struct peri_list *head) {
  int digits = 0;
  for (const struct peri_list *at = head->next; at != head; at = at->next) {
    if (at->prev->next != at || at->next->prev != at) {
      return -1;
    }
    digits =
        digits * 10 + PERI_CONTAINER_OF(at, struct shim_item, link)->number;
  }
  return digits;
}
