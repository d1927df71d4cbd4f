#include "store/pool.h"

#include <stdlib.h>

#include "base/container.h"
#include "base/error.h"
#include "base/list.h"
#include "store/pages.h"
#include "store/private.h"

enum {
  BLOCK_PAGES = 8,
  BLOCK_BYTES = BLOCK_PAGES * PERI_PAGE_BYTES,
  HEADER_BYTES = 128,
  ROOM_BYTES = BLOCK_BYTES - HEADER_BYTES,
  SMALLEST_SLOT = 64,
  LARGEST_SLOT = 7680,  // larger ones have their own pages
  STEPS = 8,            // slot sizes to a doubling
  CLASSES = 57,
  FILLS = 4,       // lists of blocks by how full they are
  IDLE_PART = 16,  // this part of the blocks may lie idle,
  IDLE_BLOCKS = 2  // and so many blocks besides
};

/// Heads a block of equal slots.
struct block {
  struct peri_list link;  // in the list of its fill; in none when full
  uint64_t used[ROOM_BYTES / SMALLEST_SLOT / 64 + 1];  // a bit a slot
  uint32_t slot_bytes;
  uint16_t slots;
  uint16_t live;
  uint16_t number;  // of its class
  bool emptying;    // gives out no slots
};

struct class {
  struct peri_list partial[FILLS];
  size_t free_slots;  // but those of blocks being emptied
};

struct peri_pool {
  struct peri_spin lock;
  struct peri_pages pages;
  struct class classes[CLASSES];
  uint64_t block_bytes;
  uint64_t idle_bytes;  // in free slots, but those of blocks being emptied
  uint64_t span_bytes;
  uint64_t live;           // entries given out
  struct block *emptying;  // being walked
  size_t walked;           // slots of it
  bool closed;
  atomic_bool sparse;  // a hint, so that most need not lock
};

_Static_assert(sizeof(struct block) <= HEADER_BYTES, "the header has grown");

/// The class of a size, and the size its slots have: eight steps to a doubling,
/// stretched so that they fill a block.
static unsigned class_of(size_t bytes, size_t *ret_slot_bytes) {
  unsigned number = 0;
  size_t rounded = SMALLEST_SLOT;
  if (bytes > SMALLEST_SLOT) {
    unsigned power = 63 - (unsigned)__builtin_clzll(bytes - 1);
    size_t step = (bytes - 1) >> (power - 3);
    number = 1 + (power - 6) * STEPS + (step & (STEPS - 1));
    rounded = (step + 1) << (power - 3);
  }
  size_t slots = ROOM_BYTES / rounded;
  *ret_slot_bytes = ROOM_BYTES / slots & ~(size_t)7;
  return number;
}

static size_t pages_for(size_t bytes) {
  return (bytes + PERI_PAGE_BYTES - 1) / PERI_PAGE_BYTES;
}

size_t peri_pool_round(size_t bytes) {
  if (bytes > LARGEST_SLOT) {
    size_t count = pages_for(bytes);
    return count > PERI_PAGES_MAX ? 0 : count * PERI_PAGE_BYTES;
  }
  size_t slot_bytes = 0;
  class_of(bytes, &slot_bytes);
  return slot_bytes;
}

int peri_pool_new(struct peri_pool **ret_pool) {
  struct peri_pool *pool = calloc(1, sizeof(*pool));
  if (pool == NULL) {
    return PERI_ENOMEM;
  }
  pool->pages.owner = pool;
  for (unsigned i = 0; i < CLASSES; i++) {
    for (unsigned fill = 0; fill < FILLS; fill++) {
      peri_list_init(&pool->classes[i].partial[fill]);
    }
  }
  *ret_pool = pool;
  return 0;
}

static void destroy(struct peri_pool *pool) {
  peri_pages_done(&pool->pages);
  free(pool);
}

void peri_pool_close(struct peri_pool *pool) {
  if (pool == NULL) {
    return;
  }
  peri_spin_lock(&pool->lock);
  pool->closed = true;
  bool last = pool->live == 0;
  peri_spin_unlock(&pool->lock);
  if (last) {
    destroy(pool);
  }
}

/// All below, down to the public functions, are called under the pool's lock.

static void note_idle(struct peri_pool *pool) {
  bool sparse = pool->idle_bytes > pool->block_bytes / IDLE_PART +
                                       (uint64_t)IDLE_BLOCKS * BLOCK_BYTES;
  atomic_store_explicit(&pool->sparse, sparse, memory_order_relaxed);
}

/// Puts a block in the list of its fill, or in none when it is full.
static void file_block(struct peri_pool *pool, struct block *block) {
  peri_list_remove(&block->link);
  if (block->live < block->slots) {
    size_t fill = (size_t)block->live * FILLS / block->slots;
    peri_list_push(&pool->classes[block->number].partial[fill], &block->link);
  }
}

static void count_free(struct peri_pool *pool, const struct block *block,
                       long slots) {
  struct class *class = &pool->classes[block->number];
  class->free_slots += (size_t)slots;
  pool->idle_bytes += (uint64_t)(slots * (long)block->slot_bytes);
}

static struct block *new_block(struct peri_pool *pool, unsigned number,
                               size_t slot_bytes) {
  struct block *block = peri_pages_take(&pool->pages, BLOCK_PAGES, BLOCK_PAGES);
  if (block == NULL) {
    return NULL;
  }
  block->slot_bytes = (uint32_t)slot_bytes;
  block->slots = (uint16_t)(ROOM_BYTES / slot_bytes);
  block->number = (uint16_t)number;
  peri_list_init(&block->link);
  pool->block_bytes += BLOCK_BYTES;
  count_free(pool, block, block->slots);
  file_block(pool, block);
  return block;
}

/// The fullest block of a class with a free slot, so that others may empty.
static struct block *block_with_room(struct peri_pool *pool, unsigned number,
                                     size_t slot_bytes) {
  struct class *class = &pool->classes[number];
  for (unsigned fill = FILLS; fill > 0; fill--) {
    struct peri_list *list = &class->partial[fill - 1];
    if (!peri_list_empty(list)) {
      return PERI_CONTAINER_OF(list->next, struct block, link);
    }
  }
  return new_block(pool, number, slot_bytes);
}

static struct peri_entry *slot_at(struct block *block, size_t index) {
  char *room = (char *)block + HEADER_BYTES;
  return (struct peri_entry *)(void *)(room + index * block->slot_bytes);
}

static struct peri_entry *take_slot(struct peri_pool *pool, size_t bytes) {
  size_t slot_bytes = 0;
  unsigned number = class_of(bytes, &slot_bytes);
  struct block *block = block_with_room(pool, number, slot_bytes);
  if (block == NULL) {
    return NULL;
  }
  size_t word = 0;
  while (block->used[word] == UINT64_MAX) {
    word++;
  }
  unsigned bit = (unsigned)__builtin_ctzll(~block->used[word]);
  block->used[word] |= UINT64_C(1) << bit;
  block->live++;
  count_free(pool, block, -1);
  file_block(pool, block);
  return slot_at(block, word * 64 + bit);
}

/// Returns the block when that has become empty and is to be given back. The
/// last room of a class stays, or a single entry's comings and goings would map
/// and unmap it.
static struct block *free_slot(struct peri_pool *pool,
                               struct peri_entry *entry) {
  struct block *block =
      (struct block *)((uintptr_t)entry & ~((uintptr_t)BLOCK_BYTES - 1));
  size_t index =
      (size_t)((char *)entry - (char *)slot_at(block, 0)) / block->slot_bytes;
  block->used[index / 64] &= ~(UINT64_C(1) << index % 64);
  block->live--;
  if (!block->emptying) {
    count_free(pool, block, 1);
    file_block(pool, block);
  }
  if (block->live > 0 ||
      (!block->emptying &&
       pool->classes[block->number].free_slots == block->slots)) {
    return NULL;
  }
  peri_list_remove(&block->link);
  if (!block->emptying) {
    count_free(pool, block, -(long)block->slots);
  }
  if (pool->emptying == block) {
    pool->emptying = NULL;
  }
  return block;
}

/// Chooses a block to empty: of the class with most to win, one of the
/// sparsest.
static struct block *choose(struct peri_pool *pool) {
  struct block *chosen = NULL;
  size_t best_bytes = 0;
  for (unsigned i = 0; i < CLASSES; i++) {
    struct class *class = &pool->classes[i];
    for (unsigned fill = 0; fill<FILLS &&class->free_slots> 0; fill++) {
      if (peri_list_empty(&class->partial[fill])) {
        continue;
      }
      struct block *block =
          PERI_CONTAINER_OF(class->partial[fill].next, struct block, link);
      size_t bytes = class->free_slots * block->slot_bytes;
      // The others must have room for what is in it.
      if (class->free_slots > block->slots && bytes > best_bytes) {
        chosen = block;
        best_bytes = bytes;
      }
      break;
    }
  }
  return chosen;
}

static void begin_emptying(struct peri_pool *pool, struct block *block) {
  block->emptying = true;
  peri_list_remove(&block->link);
  count_free(pool, block, -(long)(block->slots - block->live));
  pool->emptying = block;
  pool->walked = 0;
}

/// What is left in it by now is held by readers or not stored yet; the block
/// goes on as any other.
static void end_emptying(struct peri_pool *pool) {
  struct block *block = pool->emptying;
  block->emptying = false;
  count_free(pool, block, block->slots - block->live);
  file_block(pool, block);
  pool->emptying = NULL;
}

/// Takes a reference unless the entry is being freed or not written yet.
static bool ref_if_live(struct peri_entry *entry) {
  unsigned refs = atomic_load_explicit(&entry->refs, memory_order_relaxed);
  while (refs > 0) {
    if (atomic_compare_exchange_weak_explicit(&entry->refs, &refs, refs + 1,
                                              memory_order_acquire,
                                              memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

static size_t walk(struct peri_pool *pool, struct peri_entry **ret_entries,
                   size_t max) {
  struct block *block = pool->emptying;
  size_t found = 0;
  while (found < max && pool->walked < block->slots) {
    size_t index = pool->walked;
    pool->walked++;
    if ((block->used[index / 64] >> index % 64 & 1) != 0 &&
        ref_if_live(slot_at(block, index))) {
      ret_entries[found] = slot_at(block, index);
      found++;
    }
  }
  return found;
}

struct peri_entry *peri_pool_alloc(struct peri_pool *pool, size_t bytes,
                                   enum peri_pool_kind *ret_kind) {
  bool small = bytes <= LARGEST_SLOT;
  size_t count = pages_for(bytes);
  if (count > PERI_PAGES_MAX) {
    return NULL;
  }
  peri_spin_lock(&pool->lock);
  struct peri_entry *entry =
      small ? take_slot(pool, bytes) : peri_pages_take(&pool->pages, count, 1);
  if (entry != NULL) {
    pool->live++;
    pool->span_bytes += small ? 0 : count * PERI_PAGE_BYTES;
  }
  note_idle(pool);
  peri_spin_unlock(&pool->lock);
  *ret_kind = small ? PERI_POOL_SLOT : PERI_POOL_SPAN;
  return entry;
}

void peri_pool_release(struct peri_entry *entry, enum peri_pool_kind kind,
                       size_t bytes) {
  struct peri_pool *pool = peri_pages_owner(entry);
  void *run = entry;
  size_t count = pages_for(bytes);
  if (kind == PERI_POOL_SLOT) {
    peri_spin_lock(&pool->lock);
    run = free_slot(pool, entry);
    note_idle(pool);
    count = run == NULL ? 0 : BLOCK_PAGES;
  } else {
    peri_spin_lock(&pool->lock);
  }
  if (run != NULL) {
    // The kernel's part of it takes long; the run is nobody's meanwhile.
    peri_spin_unlock(&pool->lock);
    peri_pages_drop(run, count);
    peri_spin_lock(&pool->lock);
    peri_pages_give(&pool->pages, run, count);
    if (kind == PERI_POOL_SLOT) {
      pool->block_bytes -= BLOCK_BYTES;
    } else {
      pool->span_bytes -= count * PERI_PAGE_BYTES;
    }
  }
  pool->live--;
  bool last = pool->closed && pool->live == 0;
  peri_spin_unlock(&pool->lock);
  if (last) {
    destroy(pool);
  }
}

size_t peri_pool_sparse(struct peri_pool *pool, struct peri_entry **ret_entries,
                        size_t max) {
  if (!atomic_load_explicit(&pool->sparse, memory_order_relaxed)) {
    return 0;
  }
  size_t found = 0;
  peri_spin_lock(&pool->lock);
  if (pool->emptying == NULL) {
    struct block *block = choose(pool);
    if (block != NULL) {
      begin_emptying(pool, block);
    }
  }
  if (pool->emptying != NULL) {
    found = walk(pool, ret_entries, max);
    if (found == 0) {
      end_emptying(pool);
    }
  }
  peri_spin_unlock(&pool->lock);
  return found;
}

uint64_t peri_pool_held_bytes(struct peri_pool *pool) {
  peri_spin_lock(&pool->lock);
  uint64_t bytes = pool->block_bytes + pool->span_bytes;
  peri_spin_unlock(&pool->lock);
  return bytes;
}
