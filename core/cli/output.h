#pragma once

#include "base/buffer.h"
#include "base/types.h"

struct peri_json;

/// Appends standard base64 with padding. @return 0 or PERI_ENOMEM.
int peri_cli_base64(struct peri_slice bytes, struct peri_buffer *text);

/// Sets `key` to the bytes when they are UTF-8, else `key` with "_base64"
/// behind it to their base64. @return 0 or PERI_ENOMEM.
int peri_cli_json_bytes(struct peri_json *object, const char *key,
                        struct peri_slice bytes);

/// Sets `key` to `value`, which it takes over as it does `object`. Returns the
/// object; NULL once anything has failed (either may be NULL then).
struct peri_json *peri_cli_json_with(struct peri_json *object, const char *key,
                                     struct peri_json *value);

/// A new object of labels as metrics write them (`group="a",result="hit"`);
/// NULL when out of memory.
struct peri_json *peri_cli_labels(struct peri_slice labels);

/// Copies what others wrote into a cell of a table: cleaned as
/// peri_text_clean() does, cut to `capacity`, NUL-terminated. Returns its
/// length.
size_t peri_cli_cell(struct peri_slice words, char *ret_cell, size_t capacity);

/// Appends lines that others wrote, each cleaned, with `indent` before all but
/// the first and without the last newline. @return 0 or PERI_ENOMEM.
int peri_cli_add_lines(struct peri_slice words, const char *indent,
                       struct peri_buffer *text);

/// Writes bytes to standard output, with a newline behind them when `line` says
/// so and they do not end with one. @return 0, or PERI_EIO (already told on
/// standard error).
int peri_cli_print(struct peri_slice bytes, bool line);

/// Writes a value as indented JSON and drops the reference to it (NULL: out of
/// memory). @return as peri_cli_print(), or PERI_ENOMEM (told as well).
int peri_cli_print_json(struct peri_json *json);
