#pragma once

#include "base/types.h"

enum {
  PERI_SLAB_CLASSES = 16,     // of sizes
  PERI_SLAB_CLASS_BYTES = 64  // between two of them
};

/// Memory for the many small, short-lived things that nghttp2 makes for each
/// stream: freed blocks are kept by size and handed out again, without locks
/// and without malloc()'s search. Zero-initialise it. Loop thread only.
struct peri_slab {
  void *free_blocks[PERI_SLAB_CLASSES + 1];  // by class; 0 is unused
  uint32_t free_counts[PERI_SLAB_CLASSES + 1];
};

/// As malloc(), realloc() and free() do; blocks are aligned for any type.
void *peri_slab_alloc(struct peri_slab *slab, size_t bytes);
void *peri_slab_realloc(struct peri_slab *slab, void *block, size_t bytes);
void peri_slab_free(struct peri_slab *slab, void *block);

/// Frees the kept blocks; those still in use must be freed by peri_slab_free()
/// before.
void peri_slab_done(struct peri_slab *slab);
