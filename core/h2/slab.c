#include "h2/slab.h"

#include <stdlib.h>
#include <string.h>

enum {
  HEAD_BYTES = 16,  // keeps the alignment
  MOST_KEPT = 1024  // free blocks of one class
};

// In front of each block; the link is used while it is free.
struct head {
  size_t class;
  struct head *next;
};

static struct head *head_of(void *block) {
  return (struct head *)(void *)((char *)block - HEAD_BYTES);
}

void *peri_slab_alloc(struct peri_slab *slab, size_t bytes) {
  struct head *head = NULL;
  if (bytes > SIZE_MAX - HEAD_BYTES - PERI_SLAB_CLASS_BYTES) {
    return NULL;
  }
  size_t class = (bytes + PERI_SLAB_CLASS_BYTES - 1) / PERI_SLAB_CLASS_BYTES;
  if (class == 0) {
    class = 1;
  }
  if (class > PERI_SLAB_CLASSES) {
    head = malloc(HEAD_BYTES + bytes);
    class = 0;
  } else if (slab->free_blocks[class] != NULL) {
    head = slab->free_blocks[class];
    slab->free_blocks[class] = head->next;
    slab->free_counts[class]--;
  } else {
    head = malloc(HEAD_BYTES + class * PERI_SLAB_CLASS_BYTES);
  }
  if (head == NULL) {
    return NULL;
  }
  head->class = class;
  return (char *)head + HEAD_BYTES;
}

void *peri_slab_realloc(struct peri_slab *slab, void *block, size_t bytes) {
  if (block == NULL) {
    return peri_slab_alloc(slab, bytes);
  }
  struct head *head = head_of(block);
  if (head->class == 0) {
    // A large block stays one, so that its true size need not be known.
    head = bytes > SIZE_MAX - HEAD_BYTES ? NULL
                                         : realloc(head, HEAD_BYTES + bytes);
    return head != NULL ? (char *)head + HEAD_BYTES : NULL;
  }
  size_t holds = head->class * PERI_SLAB_CLASS_BYTES;
  if (bytes <= holds) {
    return block;
  }
  void *larger = peri_slab_alloc(slab, bytes);
  if (larger != NULL) {
    memcpy(larger, block, holds);
    peri_slab_free(slab, block);
  }
  return larger;
}

void peri_slab_free(struct peri_slab *slab, void *block) {
  if (block == NULL) {
    return;
  }
  struct head *head = head_of(block);
  size_t class = head->class;
  if (class == 0 || slab->free_counts[class] >= MOST_KEPT) {
    free(head);
    return;
  }
  head->next = slab->free_blocks[class];
  slab->free_blocks[class] = head;
  slab->free_counts[class]++;
}

void peri_slab_done(struct peri_slab *slab) {
  for (size_t class = 1; class <= PERI_SLAB_CLASSES; class ++) {
    struct head *head = slab->free_blocks[class];
    while (head != NULL) {
      struct head *next = head->next;
      free(head);
      head = next;
    }
  }
  memset(slab, 0, sizeof(*slab));
}
