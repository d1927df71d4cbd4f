#pragma once

#include "base/error.h"
#include "base/types.h"

struct Descriptor__Enum;
struct Descriptor__Message;
struct Descriptor__Method;

/// Protobuf files as a server describes them. One thread only.
struct peri_schema;

/// NULL when out of memory.
struct peri_schema *peri_schema_new(void);

/// Adds a FileDescriptorProto; one that is there already is skipped. @return 0,
/// PERI_EPROTO (it is none) or PERI_ENOMEM.
int peri_schema_add(struct peri_schema *schema, struct peri_slice file);

/// The name of a file that another one imports and that is not there; NULL when
/// all are. Valid until the next file is added.
const char *peri_schema_missing(const struct peri_schema *schema);

/// A message or an enum by its full name, which begins with a dot, and a method
/// by its service's without one. NULL when there is none; borrowed.
const struct Descriptor__Message *peri_schema_message(
    const struct peri_schema *schema, const char *name);
const struct Descriptor__Enum *peri_schema_enum(
    const struct peri_schema *schema, const char *name);
const struct Descriptor__Method *peri_schema_method(
    const struct peri_schema *schema, struct peri_slice service,
    const char *method);

/// NULL is fine.
void peri_schema_free(struct peri_schema *schema);
