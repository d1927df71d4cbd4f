#include "cli/schema.h"

#include <descriptor.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"

struct peri_schema {
  Descriptor__File **files;
  size_t count;
};

struct peri_schema *peri_schema_new(void) {
  return calloc(1, sizeof(struct peri_schema));
}

static bool has_file(const struct peri_schema *schema, const char *name) {
  for (size_t i = 0; i < schema->count; i++) {
    if (strcmp(schema->files[i]->name, name) == 0) {
      return true;
    }
  }
  return false;
}

int peri_schema_add(struct peri_schema *schema, struct peri_slice bytes) {
  Descriptor__File *file =
      descriptor__file__unpack(NULL, bytes.len, (const uint8_t *)bytes.ptr);
  if (file == NULL) {
    return PERI_EPROTO;
  }
  if (has_file(schema, file->name)) {
    descriptor__file__free_unpacked(file, NULL);
    return 0;
  }
  Descriptor__File **files =
      realloc(schema->files, (schema->count + 1) * sizeof(*files));
  if (files == NULL) {
    descriptor__file__free_unpacked(file, NULL);
    return PERI_ENOMEM;
  }
  files[schema->count++] = file;
  schema->files = files;
  return 0;
}

const char *peri_schema_missing(const struct peri_schema *schema) {
  for (size_t i = 0; i < schema->count; i++) {
    const Descriptor__File *file = schema->files[i];
    for (size_t j = 0; j < file->n_dependency; j++) {
      if (!has_file(schema, file->dependency[j])) {
        return file->dependency[j];
      }
    }
  }
  return NULL;
}

/// What of the name is behind `part` and its dot, "" when that was all; NULL
/// when it does not begin with it.
static const char *behind(const char *name, const char *part) {
  size_t len = strlen(part);
  if (len == 0) {
    return name;
  }
  if (strncmp(name, part, len) != 0) {
    return NULL;
  }
  if (name[len] == '.' && name[len + 1] != '\0') {
    return name + len + 1;
  }
  return name[len] == '\0' ? name + len : NULL;
}

static const Descriptor__Enum *find_enum(Descriptor__Enum *const *all,
                                         size_t count, const char *name) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(all[i]->name, name) == 0) {
      return all[i];
    }
  }
  return NULL;
}

/// Finds the message, or with `ret_enum` the enum within one.
static const Descriptor__Message *find_message(
    Descriptor__Message *const *all, size_t count, const char *name,
    const Descriptor__Enum **ret_enum) {
  for (size_t i = 0; i < count; i++) {
    const char *rest = behind(name, all[i]->name);
    if (rest == NULL) {
      continue;
    }
    if (rest[0] == '\0') {
      return all[i];
    }
    if (ret_enum != NULL) {
      *ret_enum = find_enum(all[i]->enum_type, all[i]->n_enum_type, rest);
    }
    if (ret_enum == NULL || *ret_enum == NULL) {
      return find_message(all[i]->nested_type, all[i]->n_nested_type, rest,
                          ret_enum);
    }
    return NULL;
  }
  return NULL;
}

const struct Descriptor__Message *peri_schema_message(
    const struct peri_schema *schema, const char *name) {
  const Descriptor__Message *found = NULL;
  for (size_t i = 0; name[0] == '.' && found == NULL && i < schema->count;
       i++) {
    const Descriptor__File *file = schema->files[i];
    const char *rest = behind(name + 1, file->package);
    if (rest != NULL) {
      found =
          find_message(file->message_type, file->n_message_type, rest, NULL);
    }
  }
  return found;
}

const struct Descriptor__Enum *peri_schema_enum(
    const struct peri_schema *schema, const char *name) {
  const Descriptor__Enum *found = NULL;
  for (size_t i = 0; name[0] == '.' && found == NULL && i < schema->count;
       i++) {
    const Descriptor__File *file = schema->files[i];
    const char *rest = behind(name + 1, file->package);
    if (rest != NULL) {
      found = find_enum(file->enum_type, file->n_enum_type, rest);
      if (found == NULL) {
        find_message(file->message_type, file->n_message_type, rest, &found);
      }
    }
  }
  return found;
}

static const Descriptor__Method *method_of(const Descriptor__Service *service,
                                           const char *method) {
  for (size_t i = 0; i < service->n_method; i++) {
    if (strcmp(service->method[i]->name, method) == 0) {
      return service->method[i];
    }
  }
  return NULL;
}

static bool is_service(const Descriptor__File *file,
                       const Descriptor__Service *one, struct peri_slice name) {
  size_t package = strlen(file->package);
  if (package > 0) {
    if (!peri_slice_starts(name, file->package) || name.len <= package ||
        name.ptr[package] != '.') {
      return false;
    }
    name.ptr += package + 1;
    name.len -= package + 1;
  }
  return peri_slice_is(name, one->name);
}

const struct Descriptor__Method *peri_schema_method(
    const struct peri_schema *schema, struct peri_slice service,
    const char *method) {
  for (size_t i = 0; i < schema->count; i++) {
    const Descriptor__File *file = schema->files[i];
    for (size_t j = 0; j < file->n_service; j++) {
      if (is_service(file, file->service[j], service)) {
        return method_of(file->service[j], method);
      }
    }
  }
  return NULL;
}

void peri_schema_free(struct peri_schema *schema) {
  if (schema == NULL) {
    return;
  }
  for (size_t i = 0; i < schema->count; i++) {
    descriptor__file__free_unpacked(schema->files[i], NULL);
  }
  free(schema->files);
  free(schema);
}
