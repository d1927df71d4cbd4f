#pragma once

#include "base/types.h"

/// A bump allocator: many small allocations, freed together. Not thread-safe.
struct peri_arena;

/// A new arena whose first block holds `first_bytes` (0 for a default).
/// NULL when out of memory.
struct peri_arena *peri_arena_new(size_t first_bytes);

/// `bytes` zeroed bytes aligned for any type, valid until the arena is freed;
/// NULL when out of memory.
void *peri_arena_alloc(struct peri_arena *arena, size_t bytes);

/// A NUL-terminated copy of `bytes`, owned by the arena; NULL when out of
/// memory.
char *peri_arena_copy(struct peri_arena *arena, struct peri_slice bytes);

/// Formatted text, owned by the arena; NULL when out of memory.
char *peri_arena_printf(struct peri_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/// Frees the arena and all it gave out. NULL is fine.
void peri_arena_free(struct peri_arena *arena);
