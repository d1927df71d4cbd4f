#pragma once

#include "base/buffer.h"
#include "base/types.h"

/// A table for people, written cell by cell: each column is as wide as its
/// widest cell, and nothing that comes from others can drive a terminal.
/// Zero-initialise it and set `columns`. One thread only.
struct peri_cli_table {
  size_t columns;
  struct peri_buffer cells;  // row by row, each ending with a NUL
  int rc;                    // of what was written so far: 0 or negative
};

/// Adds to the cell being written: words of our own, or bytes from others, of
/// which the first `most` count.
void peri_cli_table_add(struct peri_cli_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void peri_cli_table_put(struct peri_cli_table *table, struct peri_slice bytes,
                        size_t most);

/// Begins with a row of titles, one for each column.
void peri_cli_table_titles(struct peri_cli_table *table,
                           const char *const *titles);

/// Ends the cell being written.
void peri_cli_table_next(struct peri_cli_table *table);

/// Appends the rows, a line each, and leaves the table empty. @return 0 or
/// PERI_ENOMEM, also for what could not be written before.
int peri_cli_table_end(struct peri_cli_table *table, struct peri_buffer *text);
