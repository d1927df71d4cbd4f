#pragma once

#include "base/list.h"

/// A list element with a number to know it by.
struct shim_item {
  struct peri_list link;
  int number;
};

void shim_list_init(struct peri_list *head);
bool shim_list_empty(const struct peri_list *head);
void shim_list_push(struct peri_list *head, struct shim_item *item);
void shim_list_remove(struct shim_item *item);

/// The number of the item taken out, or -1 when there was none or it still has
/// neighbours.
int shim_list_pop(struct peri_list *head);
void shim_list_splice(struct peri_list *to, struct peri_list *from);

/// The decimal digits of all numbers in order, or -1 when the links back
/// disagree with the links forth.
int shim_list_digits(const struct peri_list *head);
