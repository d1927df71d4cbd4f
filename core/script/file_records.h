#pragma once

#include "base/types.h"

struct lua_State;

/// What perigee.file.records() makes of a file: the records, on another thread,
/// and then a policy's handle for them.
struct peri_file_index;

/// Makes the handles' metatable, once in a VM. Raises.
void peri_file_records_open(struct lua_State *L);

/// Reads the options `rows` and `key` of the table at `options` (or nil);
/// raises for wrong ones. What it needs is copied. @return 0 or PERI_ENOMEM.
int peri_file_index_new(struct lua_State *L, int options,
                        struct peri_file_index **ret_index);
/// NULL is fine.
void peri_file_index_free(struct peri_file_index *index);

/// Makes the records of a file's text. Any thread.
void peri_file_index_make(struct peri_file_index *index,
                          struct peri_slice text);

/// Pushes a handle for what was made, which counts against the memory cap, or
/// nil and why there is none. @return how many values. Raises when out of
/// memory.
int peri_file_index_push(struct lua_State *L, struct peri_file_index *index,
                         double mtime);
