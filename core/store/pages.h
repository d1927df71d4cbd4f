#pragma once

#include "base/types.h"

struct peri_region;

enum { PERI_PAGE_BYTES = 4096, PERI_PAGES_MAX = 8192 };

/// Pages of memory by the run, out of large mapped regions. What is given back
/// leaves the process at once, so only address space fragments.
/// Zero-initialise it and set `owner`. Not thread-safe.
struct peri_pages {
  struct peri_region *first;
  void *owner;
};

/// `count` zeroed pages (at most PERI_PAGES_MAX), aligned to `align` pages (a
/// power of two, at most 64); NULL when out of memory.
void *peri_pages_take(struct peri_pages *pages, size_t count, size_t align);

/// Lets go of the memory of a run, which stays taken. Any thread.
void peri_pages_drop(void *run, size_t count);

/// Gives back a run that was dropped.
void peri_pages_give(struct peri_pages *pages, void *run, size_t count);

/// The `owner` of the pages that an address taken from them belongs to.
void *peri_pages_owner(const void *address);

/// Unmaps everything.
void peri_pages_done(struct peri_pages *pages);
