#include "store/pages.h"

#include <string.h>
#include <sys/mman.h>

enum {
  REGION_BYTES = 64 << 20,
  REGION_PAGES = REGION_BYTES / PERI_PAGE_BYTES,
  WORD_BITS = 64
};

/// Lies in the first page of its region, which is aligned to its size.
struct peri_region {
  struct peri_region *next;
  void *owner;
  size_t hint;                              // no page below it is free
  uint64_t used[REGION_PAGES / WORD_BITS];  // a bit a page
};

static struct peri_region *region_of(const void *address) {
  return (struct peri_region *)((uintptr_t)address &
                                ~((uintptr_t)REGION_BYTES - 1));
}

/// The first page from `at` on that is used (or free), or `end`.
static size_t next_page(const struct peri_region *region, size_t at, size_t end,
                        bool used) {
  while (at < end) {
    uint64_t word = region->used[at / WORD_BITS];
    if (!used) {
      word = ~word;
    }
    word >>= at % WORD_BITS;
    if (word != 0) {
      at += (size_t)__builtin_ctzll(word);
      return at < end ? at : end;
    }
    at += WORD_BITS - at % WORD_BITS;
  }
  return end;
}

static void mark(struct peri_region *region, size_t at, size_t count,
                 bool used) {
  for (size_t i = at; i < at + count; i++) {
    uint64_t bit = UINT64_C(1) << i % WORD_BITS;
    if (used) {
      region->used[i / WORD_BITS] |= bit;
    } else {
      region->used[i / WORD_BITS] &= ~bit;
    }
  }
}

/// Takes the first run that fits; NULL when none does.
static void *take_from(struct peri_region *region, size_t count, size_t align) {
  size_t at = next_page(region, region->hint, REGION_PAGES, false);
  region->hint = at;
  for (;;) {
    at = (at + align - 1) / align * align;
    if (at + count > REGION_PAGES) {
      return NULL;
    }
    size_t blocked = next_page(region, at, at + count, true);
    if (blocked == at + count) {
      mark(region, at, count, true);
      return (char *)region + at * PERI_PAGE_BYTES;
    }
    at = next_page(region, blocked, REGION_PAGES, false);
  }
}

static struct peri_region *map_region(void *owner) {
  // Twice the size holds an aligned one; what is around it goes back.
  char *start = mmap(NULL, 2 * (size_t)REGION_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) {
    return NULL;
  }
  size_t before = REGION_BYTES - (uintptr_t)start % REGION_BYTES;
  char *aligned = start + before;
  munmap(start, before);
  if (before < REGION_BYTES) {
    munmap(aligned + REGION_BYTES, REGION_BYTES - before);
  }
  // A huge page would keep the memory of what was given back around it.
  madvise(aligned, REGION_BYTES, MADV_NOHUGEPAGE);
  struct peri_region *region = (struct peri_region *)(void *)aligned;
  region->owner = owner;
  mark(region, 0, 1, true);
  return region;
}

void *peri_pages_take(struct peri_pages *pages, size_t count, size_t align) {
  struct peri_region **at = &pages->first;
  while (*at != NULL) {
    void *run = take_from(*at, count, align);
    if (run != NULL) {
      return run;
    }
    at = &(*at)->next;
  }
  *at = map_region(pages->owner);
  return *at == NULL ? NULL : take_from(*at, count, align);
}

void peri_pages_drop(void *run, size_t count) {
  madvise(run, count * PERI_PAGE_BYTES, MADV_DONTNEED);
}

void peri_pages_give(struct peri_pages *pages, void *run, size_t count) {
  (void)pages;
  struct peri_region *region = region_of(run);
  size_t at = (size_t)((char *)run - (char *)region) / PERI_PAGE_BYTES;
  mark(region, at, count, false);
  if (at < region->hint) {
    region->hint = at;
  }
}

void *peri_pages_owner(const void *address) {
  return region_of(address)->owner;
}

void peri_pages_done(struct peri_pages *pages) {
  while (pages->first != NULL) {
    struct peri_region *region = pages->first;
    pages->first = region->next;
    munmap(region, REGION_BYTES);
  }
}
