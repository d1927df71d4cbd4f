#pragma once

#include "base/error.h"
#include "base/types.h"

/// The rows of a JSON document, each as compact JSON, found by keys: made once,
/// only read afterwards. Any thread, since neither Lua nor a loop is needed.
struct peri_records;

/// Which rows, and what finds them. Borrowed.
struct peri_records_query {
  const char *rows;           // dotted path to them; "": the document itself
  const char *const *fields;  // whose values are keys
  size_t field_count;         // 0: the rows' own names, or numbers from 1
};

/// Reads the document in `text`. Of two rows with one key the later counts.
/// @return 0, PERI_EINVAL (no JSON, or no rows there), PERI_ELIMIT (more than
/// 1 GiB of rows and keys) or PERI_ENOMEM, with words.
int peri_records_new(struct peri_slice text,
                     const struct peri_records_query *query,
                     struct peri_records **ret_records,
                     struct peri_problem *ret_problem);
/// NULL is fine.
void peri_records_free(struct peri_records *records);

/// The row of a key, borrowed from the records; false when there is none.
bool peri_records_find(const struct peri_records *records,
                       struct peri_slice key, struct peri_slice *ret_row);
/// Keys.
size_t peri_records_count(const struct peri_records *records);
/// What they hold in memory.
size_t peri_records_bytes(const struct peri_records *records);
