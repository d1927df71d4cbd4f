#pragma once

#include "base/buffer.h"
#include "base/types.h"

struct peri_json;
struct ProtobufCBinaryData;

/// Appends what others wrote, cleaned as peri_text_clean() does. @return 0 or
/// PERI_ENOMEM.
int peri_cli_add_clean(struct peri_slice words, struct peri_buffer *text);

/// Appends lines that others wrote, each cleaned, with `indent` before all but
/// the first and without the last newline. @return 0 or PERI_ENOMEM.
int peri_cli_add_lines(struct peri_slice words, const char *indent,
                       struct peri_buffer *text);

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

/// A new object of `count` members, whose values it takes over (NULL: out of
/// memory); NULL when out of memory.
struct peri_cli_member {
  const char *key;
  struct peri_json *value;
};
struct peri_json *peri_cli_json_object(const struct peri_cli_member *members,
                                       size_t count);

/// Appends `item`, which it takes over as it does `array`. Returns the array;
/// NULL once anything has failed (either may be NULL then).
struct peri_json *peri_cli_json_append(struct peri_json *array,
                                       struct peri_json *item);

/// Values of a message's fields; NULL when out of memory.
struct peri_json *peri_cli_json_data(struct ProtobufCBinaryData data);
struct peri_json *peri_cli_json_number(uint64_t value);

/// A new object of labels as metrics write them (`group="a",result="hit"`);
/// NULL when out of memory.
struct peri_json *peri_cli_labels(struct peri_slice labels);

/// Writes bytes to standard output, with a newline behind them when `line` says
/// so and they do not end with one. @return 0, or PERI_EIO (already told on
/// standard error).
int peri_cli_print(struct peri_slice bytes, bool line);

/// Writes the text that was made with `rc`, as above, and frees it; PERI_ENOMEM
/// is told on standard error as well. @return `rc`, or as above.
int peri_cli_print_text(struct peri_buffer *text, int rc, bool line);

/// Writes a value as indented JSON and drops the reference to it (NULL: out of
/// memory). @return as peri_cli_print(), or PERI_ENOMEM (told as well).
int peri_cli_print_json(struct peri_json *json);
