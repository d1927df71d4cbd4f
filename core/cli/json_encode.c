#include <descriptor.pb-c.h>
#include <string.h>

#include "base/slice.h"
#include "base/text.h"
#include "cli/json_message.h"
#include "cli/json_private.h"
#include "cli/protobuf.h"

enum { MOST_NAMES = 256 };

struct encoding {
  struct peri_json_codec *codec;
  const Descriptor__Message *message;
  struct peri_buffer *buffer;
};

static int put_message(struct peri_json_codec *codec, const char *type,
                       const struct peri_json *json,
                       struct peri_buffer *buffer);

const Descriptor__Field *peri_json_field(const Descriptor__Message *message,
                                         uint32_t number) {
  for (size_t i = 0; i < message->n_field; i++) {
    if (message->field[i]->number == (int32_t)number) {
      return message->field[i];
    }
  }
  return NULL;
}

const Descriptor__Message *peri_json_map_entry(
    const struct peri_json_codec *codec, const Descriptor__Field *field) {
  if (field->type != PERI_PB_MESSAGE || field->label != PERI_JSON_REPEATED) {
    return NULL;
  }
  const Descriptor__Message *entry =
      peri_schema_message(codec->schema, field->type_name);
  return entry != NULL && entry->options != NULL && entry->options->map_entry &&
                 peri_json_field(entry, 1) != NULL &&
                 peri_json_field(entry, 2) != NULL
             ? entry
             : NULL;
}

static int complain(struct peri_json_codec *codec,
                    const Descriptor__Field *field, int rc) {
  static const char *const kinds[] = {"",
                                      "a number",
                                      "a number that a float holds",
                                      "a whole number of 64 bits",
                                      "a whole number from 0, of 64 bits",
                                      "a whole number of 32 bits",
                                      "a whole number from 0, of 64 bits",
                                      "a whole number from 0, of 32 bits",
                                      "true or false",
                                      "a string",
                                      "no group",
                                      "an object",
                                      "bytes in base64",
                                      "a whole number from 0, of 32 bits",
                                      "the name or number of its enum",
                                      "a whole number of 32 bits",
                                      "a whole number of 64 bits",
                                      "a whole number of 32 bits",
                                      "a whole number of 64 bits"};
  size_t type = (size_t)field->type;
  if (rc != PERI_EINVAL || codec->problem == NULL ||
      codec->problem->code != 0) {
    return rc;
  }
  return peri_problem_set(
      codec->problem, rc, "field %s wants %s", field->name,
      type < sizeof(kinds) / sizeof(kinds[0]) ? kinds[type] : "another type");
}

/// A message in front of which its length goes.
static int put_nested(struct peri_json_codec *codec, const char *type,
                      const struct peri_json *json,
                      struct peri_buffer *buffer) {
  struct peri_buffer inner = {0};
  int rc = put_message(codec, type, json, &inner);
  if (rc == 0) {
    rc = peri_pb_put_bytes(buffer, peri_buffer_slice(&inner));
  }
  peri_buffer_done(&inner);
  return rc;
}

static int put_text(const Descriptor__Field *field,
                    const struct peri_json *json, struct peri_buffer *buffer) {
  struct peri_buffer bytes = {0};
  if (peri_json_type(json) != PERI_JSON_STRING) {
    return PERI_EINVAL;
  }
  if (field->type == PERI_PB_STRING) {
    return peri_pb_put_bytes(buffer, peri_json_to_string(json));
  }
  int rc = peri_json_base64_read(peri_json_to_string(json), &bytes);
  if (rc == 0) {
    rc = peri_pb_put_bytes(buffer, peri_buffer_slice(&bytes));
  }
  peri_buffer_done(&bytes);
  return rc;
}

/// A value without what says which field it is.
static int put_bare(struct peri_json_codec *codec,
                    const Descriptor__Field *field,
                    const struct peri_json *json, struct peri_buffer *buffer) {
  uint64_t bits;
  int rc;
  switch (field->type) {
    case PERI_PB_STRING:
    case PERI_PB_TYPE_BYTES:
      rc = put_text(field, json, buffer);
      break;
    case PERI_PB_MESSAGE:
      rc = put_nested(codec, field->type_name, json, buffer);
      break;
    case PERI_PB_GROUP:
      rc = PERI_EINVAL;
      break;
    default:
      rc = peri_json_scalar_read(codec, field, json, &bits);
      if (rc == 0) {
        rc = peri_pb_put_value(buffer, peri_pb_wire_of(field->type), bits);
      }
  }
  return rc < 0 ? complain(codec, field, rc) : 0;
}

static int put_one(struct peri_json_codec *codec,
                   const Descriptor__Field *field, const struct peri_json *json,
                   struct peri_buffer *buffer) {
  int rc = peri_pb_put_tag(buffer, (uint32_t)field->number,
                           peri_pb_wire_of(field->type));
  return rc == 0 ? put_bare(codec, field, json, buffer) : rc;
}

/// Numbers go packed: every reader takes both.
static int put_packed(struct peri_json_codec *codec,
                      const Descriptor__Field *field,
                      const struct peri_json *array,
                      struct peri_buffer *buffer) {
  struct peri_buffer inner = {0};
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < peri_json_size(array); i++) {
    rc = put_bare(codec, field, peri_json_at(array, i), &inner);
  }
  if (rc == 0 && inner.len > 0) {
    rc = peri_pb_put_tag(buffer, (uint32_t)field->number, PERI_PB_BYTES);
  }
  if (rc == 0 && inner.len > 0) {
    rc = peri_pb_put_bytes(buffer, peri_buffer_slice(&inner));
  }
  peri_buffer_done(&inner);
  return rc;
}

static int put_repeated(struct peri_json_codec *codec,
                        const Descriptor__Field *field,
                        const struct peri_json *json,
                        struct peri_buffer *buffer) {
  if (peri_json_type(json) != PERI_JSON_ARRAY) {
    return peri_problem_set(codec->problem, PERI_EINVAL,
                            "field %s wants an array", field->name);
  }
  if (peri_pb_wire_of(field->type) != PERI_PB_BYTES) {
    return put_packed(codec, field, json, buffer);
  }
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < peri_json_size(json); i++) {
    rc = put_one(codec, field, peri_json_at(json, i), buffer);
  }
  return rc;
}

struct mapping {
  struct peri_json_codec *codec;
  const Descriptor__Field *field;
  const Descriptor__Message *entry;
  struct peri_buffer *buffer;
};

/// A map's key is a string in JSON whatever its type.
static struct peri_json *key_of(const Descriptor__Field *field,
                                const char *key) {
  if (field->type == PERI_PB_BOOL &&
      (strcmp(key, "true") == 0 || strcmp(key, "false") == 0)) {
    return peri_json_bool(key[0] == 't');
  }
  return peri_json_string(peri_slice_of(key));
}

static int put_entry(void *ctx, const char *name,
                     const struct peri_json *value) {
  struct mapping *mapping = ctx;
  const Descriptor__Field *key_field = peri_json_field(mapping->entry, 1);
  struct peri_buffer inner = {0};
  struct peri_json *key = key_of(key_field, name);
  int rc = key != NULL ? put_one(mapping->codec, key_field, key, &inner)
                       : PERI_ENOMEM;
  if (rc == 0) {
    rc = put_one(mapping->codec, peri_json_field(mapping->entry, 2), value,
                 &inner);
  }
  if (rc == 0) {
    rc = peri_pb_put_tag(mapping->buffer, (uint32_t)mapping->field->number,
                         PERI_PB_BYTES);
  }
  if (rc == 0) {
    rc = peri_pb_put_bytes(mapping->buffer, peri_buffer_slice(&inner));
  }
  if (key != NULL) {
    peri_json_unref(key);
  }
  peri_buffer_done(&inner);
  return rc;
}

static int put_field(struct peri_json_codec *codec,
                     const Descriptor__Field *field,
                     const struct peri_json *json, struct peri_buffer *buffer) {
  struct mapping mapping = {codec, field, peri_json_map_entry(codec, field),
                            buffer};
  if (peri_json_type(json) == PERI_JSON_NULL &&
      peri_json_known_of(field->type_name) != PERI_JSON_VALUE) {
    return 0;
  }
  if (mapping.entry != NULL) {
    return peri_json_type(json) == PERI_JSON_OBJECT
               ? peri_json_each(json, put_entry, &mapping)
               : peri_problem_set(codec->problem, PERI_EINVAL,
                                  "field %s wants an object", field->name);
  }
  return field->label == PERI_JSON_REPEATED
             ? put_repeated(codec, field, json, buffer)
             : put_one(codec, field, json, buffer);
}

static int unknown(const struct encoding *encoding, const char *key) {
  const Descriptor__Message *message = encoding->message;
  const char *names[MOST_NAMES];
  size_t count = 0;
  for (; count < message->n_field && count < MOST_NAMES; count++) {
    names[count] = message->field[count]->json_name;
  }
  const char *near = peri_text_nearest(key, names, count);
  if (near != NULL) {
    return peri_problem_set(encoding->codec->problem, PERI_EINVAL,
                            "%s has no field %s; did you mean %s?",
                            message->name, key, near);
  }
  return peri_problem_set(encoding->codec->problem, PERI_EINVAL,
                          "%s has no field %s", message->name, key);
}

static int put_member(void *ctx, const char *key,
                      const struct peri_json *value) {
  struct encoding *encoding = ctx;
  const Descriptor__Message *message = encoding->message;
  for (size_t i = 0; i < message->n_field; i++) {
    const Descriptor__Field *field = message->field[i];
    if (strcmp(field->json_name, key) == 0 || strcmp(field->name, key) == 0) {
      return put_field(encoding->codec, field, value, encoding->buffer);
    }
  }
  return unknown(encoding, key);
}

/// Seconds and nanoseconds, of a timestamp or a duration.
static int put_time(struct peri_json_codec *codec, enum peri_json_known known,
                    const struct peri_json *json, struct peri_buffer *buffer) {
  int64_t seconds = 0;
  int32_t nanos = 0;
  int rc = PERI_EINVAL;
  if (peri_json_type(json) == PERI_JSON_STRING) {
    struct peri_slice text = peri_json_to_string(json);
    rc = known == PERI_JSON_TIMESTAMP
             ? peri_json_timestamp_read(text, &seconds, &nanos)
             : peri_json_duration_read(text, &seconds, &nanos);
  }
  if (rc < 0) {
    return peri_problem_set(codec->problem, rc,
                            known == PERI_JSON_TIMESTAMP
                                ? "write a time as \"2026-01-31T12:00:00Z\""
                                : "write a duration as \"1.5s\"");
  }
  rc = peri_pb_put_tag(buffer, 1, PERI_PB_VARINT);
  rc = rc == 0 ? peri_pb_put_value(buffer, PERI_PB_VARINT, (uint64_t)seconds)
               : rc;
  rc = rc == 0 ? peri_pb_put_tag(buffer, 2, PERI_PB_VARINT) : rc;
  return rc == 0 ? peri_pb_put_value(buffer, PERI_PB_VARINT,
                                     (uint64_t)(int64_t)nanos)
                 : rc;
}

/// google.protobuf.Value: the field says which JSON type it is.
static int put_any_json(struct peri_json_codec *codec,
                        const Descriptor__Message *message,
                        const struct peri_json *json,
                        struct peri_buffer *buffer) {
  static const uint32_t numbers[] = {1, 4, 2, 2, 3, 6, 5};
  uint32_t number = numbers[peri_json_type(json)];
  const Descriptor__Field *field = peri_json_field(message, number);
  if (number == 1) {
    int rc = peri_pb_put_tag(buffer, 1, PERI_PB_VARINT);
    return rc == 0 ? peri_pb_put_value(buffer, PERI_PB_VARINT, 0) : rc;
  }
  return field != NULL ? put_one(codec, field, json, buffer) : PERI_ENOTFOUND;
}

static int put_known(struct peri_json_codec *codec, enum peri_json_known known,
                     const Descriptor__Message *message,
                     const struct peri_json *json, struct peri_buffer *buffer) {
  const Descriptor__Field *first = peri_json_field(message, 1);
  if (known == PERI_JSON_VALUE) {
    return put_any_json(codec, message, json, buffer);
  }
  return first != NULL ? put_field(codec, first, json, buffer) : PERI_ENOTFOUND;
}

static int put_message(struct peri_json_codec *codec, const char *type,
                       const struct peri_json *json,
                       struct peri_buffer *buffer) {
  enum peri_json_known known = peri_json_known_of(type);
  struct encoding encoding = {codec, peri_schema_message(codec->schema, type),
                              buffer};
  int rc;
  if (known == PERI_JSON_TIMESTAMP || known == PERI_JSON_DURATION) {
    return put_time(codec, known, json, buffer);
  }
  if (encoding.message == NULL) {
    return peri_problem_set(codec->problem, PERI_ENOTFOUND,
                            "the server does not describe %s", type);
  }
  if (codec->level == PERI_JSON_MOST_LEVELS) {
    return peri_problem_set(codec->problem, PERI_EINVAL, "nested too deeply");
  }
  codec->level++;
  if (known != PERI_JSON_PLAIN) {
    rc = put_known(codec, known, encoding.message, json, buffer);
  } else if (peri_json_type(json) == PERI_JSON_OBJECT) {
    rc = peri_json_each(json, put_member, &encoding);
  } else {
    rc = peri_problem_set(codec->problem, PERI_EINVAL, "%s wants an object",
                          encoding.message->name);
  }
  codec->level--;
  return rc;
}

int peri_json_encode(const struct peri_schema *schema, const char *type,
                     const struct peri_json *json, struct peri_buffer *message,
                     struct peri_problem *ret_problem) {
  struct peri_problem problem = {0, ""};
  struct peri_json_codec codec = {schema, &problem, 0};
  int rc = put_message(&codec, type, json, message);
  if (rc < 0 && problem.code == 0) {
    peri_problem_set(&problem, rc, "%s", peri_error_text(rc));
  }
  if (rc < 0 && ret_problem != NULL) {
    *ret_problem = problem;
  }
  return rc;
}
