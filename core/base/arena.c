#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_BYTES = 4096, LARGEST_BYTES = 65536 };

struct block {
  struct block *next;
  size_t used;
  size_t cap;
  alignas(max_align_t) char data[];
};

struct peri_arena {
  struct block *first;
  struct block *current;
};

static struct block *block_new(size_t cap) {
  if (cap > PTRDIFF_MAX - sizeof(struct block)) {
    return NULL;
  }
  struct block *block = malloc(sizeof(struct block) + cap);
  if (block == NULL) {
    return NULL;
  }
  block->next = NULL;
  block->used = 0;
  block->cap = cap;
  return block;
}

struct peri_arena *peri_arena_new(size_t first_bytes) {
  struct peri_arena *arena = malloc(sizeof(*arena));
  if (arena == NULL) {
    return NULL;
  }
  arena->first = block_new(first_bytes > 0 ? first_bytes : DEFAULT_BYTES);
  if (arena->first == NULL) {
    free(arena);
    return NULL;
  }
  arena->current = arena->first;
  return arena;
}

// Puts a fresh block behind the current one. A block made for one large piece
// does not become current, so the rest of the current one stays in use.
static struct block *grow(struct peri_arena *arena, size_t bytes) {
  struct block *current = arena->current;
  size_t cap = current->cap < DEFAULT_BYTES ? DEFAULT_BYTES : current->cap * 2;
  if (cap > LARGEST_BYTES) {
    cap = LARGEST_BYTES;
  }
  bool large = bytes > cap / 4;
  struct block *block = block_new(large ? bytes : cap);
  if (block == NULL) {
    return NULL;
  }
  block->next = current->next;
  current->next = block;
  if (!large) {
    arena->current = block;
  }
  return block;
}

void *peri_arena_alloc(struct peri_arena *arena, size_t bytes) {
  size_t align = alignof(max_align_t);
  if (bytes > SIZE_MAX - align) {
    return NULL;
  }
  size_t rounded = (bytes + align - 1) & ~(align - 1);
  struct block *block = arena->current;
  if (rounded > block->cap - block->used) {
    block = grow(arena, rounded);
    if (block == NULL) {
      return NULL;
    }
  }
  char *piece = block->data + block->used;
  block->used += rounded;
  memset(piece, 0, rounded);
  return piece;
}

char *peri_arena_copy(struct peri_arena *arena, struct peri_slice bytes) {
  if (bytes.len == SIZE_MAX) {
    return NULL;
  }
  char *copy = peri_arena_alloc(arena, bytes.len + 1);
  if (copy != NULL && bytes.len > 0) {
    memcpy(copy, bytes.ptr, bytes.len);
  }
  return copy;
}

char *peri_arena_printf(struct peri_arena *arena, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int len = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (len < 0) {
    return NULL;
  }
  char *text = peri_arena_alloc(arena, (size_t)len + 1);
  if (text == NULL) {
    return NULL;
  }
  va_start(args, format);
  vsnprintf(text, (size_t)len + 1, format, args);
  va_end(args);
  return text;
}

void peri_arena_free(struct peri_arena *arena) {
  if (arena == NULL) {
    return;
  }
  struct block *block = arena->first;
  while (block != NULL) {
    struct block *next = block->next;
    free(block);
    block = next;
  }
  free(arena);
}
