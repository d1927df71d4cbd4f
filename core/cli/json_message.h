#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/types.h"

struct peri_json;
struct peri_schema;

/// Appends the message that `json` stands for (protobuf's JSON mapping: fields
/// by their JSON or their own name, enums by name or number, bytes as base64,
/// well-known types in their own forms but Any and FieldMask).
/// @param type  the message's full name, which begins with a dot
/// @return 0, PERI_EINVAL (with words that name the field), PERI_ENOTFOUND (the
/// schema lacks a type) or PERI_ENOMEM.
int peri_json_encode(const struct peri_schema *schema, const char *type,
                     const struct peri_json *json, struct peri_buffer *message,
                     struct peri_problem *ret_problem);

/// The reverse: fields that are on the wire, by their JSON names; 64-bit
/// numbers are strings. Fields that the schema does not know are left out.
/// @return 0, PERI_EPROTO (it is no such message), PERI_ENOTFOUND or
/// PERI_ENOMEM, with words; the caller frees the value.
int peri_json_decode(const struct peri_schema *schema, const char *type,
                     struct peri_slice message, struct peri_json **ret_json,
                     struct peri_problem *ret_problem);
