#include <descriptor.pb-c.h>
#include <string.h>

#include "base/slice.h"
#include "cli/json_message.h"
#include "cli/json_private.h"
#include "cli/output.h"
#include "cli/protobuf.h"

static int get_message(struct peri_json_codec *codec, const char *type,
                       struct peri_slice bytes, struct peri_json **ret_json);

static int complain(struct peri_json_codec *codec, int code, const char *words,
                    const char *name) {
  return peri_problem_set(codec->problem, code, "%s: %s", name, words);
}

static int give(struct peri_json *json, struct peri_json **ret_json) {
  if (json == NULL) {
    return PERI_ENOMEM;
  }
  *ret_json = json;
  return 0;
}

/// A string, bytes or a message.
static int get_run(struct peri_json_codec *codec,
                   const Descriptor__Field *field, struct peri_slice bytes,
                   struct peri_json **ret_json) {
  struct peri_buffer text = {0};
  if (bytes.len == 0) {
    bytes.ptr = "";
  }
  if (field->type == PERI_PB_MESSAGE) {
    return get_message(codec, field->type_name, bytes, ret_json);
  }
  if (field->type == PERI_PB_STRING) {
    return peri_slice_is_utf8(bytes)
               ? give(peri_json_string(bytes), ret_json)
               : complain(codec, PERI_EPROTO, "the string is not UTF-8",
                          field->name);
  }
  int rc = peri_cli_base64(bytes, &text);
  if (rc == 0) {
    struct peri_slice all =
        text.len > 0 ? peri_buffer_slice(&text) : (struct peri_slice){"", 0};
    rc = give(peri_json_string(all), ret_json);
  }
  peri_buffer_done(&text);
  return rc;
}

static int get_value(struct peri_json_codec *codec,
                     const Descriptor__Field *field,
                     const struct peri_pb_field *got,
                     struct peri_json **ret_json) {
  if (got->wire != peri_pb_wire_of(field->type) ||
      field->type == PERI_PB_GROUP) {
    return complain(codec, PERI_EPROTO, "it travels in another form",
                    field->name);
  }
  return got->wire == PERI_PB_BYTES
             ? get_run(codec, field, got->bytes, ret_json)
             : give(peri_json_scalar_write(codec, field, got->value), ret_json);
}

/// What a field has when it is not there.
static int get_default(struct peri_json_codec *codec,
                       const Descriptor__Field *field,
                       struct peri_json **ret_json) {
  struct peri_pb_field none = {.wire = peri_pb_wire_of(field->type)};
  return get_value(codec, field, &none, ret_json);
}

static int add_packed(struct peri_json_codec *codec,
                      const Descriptor__Field *field, struct peri_slice left,
                      struct peri_json *array) {
  int rc = 0;
  while (rc == 0 && left.len > 0) {
    uint64_t bits;
    rc = peri_pb_take_value(&left, peri_pb_wire_of(field->type), &bits);
    if (rc == 0) {
      rc = peri_json_append(array, peri_json_scalar_write(codec, field, bits));
    }
  }
  return rc;
}

static int add_repeated(struct peri_json_codec *codec,
                        const Descriptor__Field *field,
                        const struct peri_pb_field *got,
                        struct peri_json *array) {
  struct peri_json *value = NULL;
  if (got->wire == PERI_PB_BYTES &&
      peri_pb_wire_of(field->type) != PERI_PB_BYTES) {
    return add_packed(codec, field, got->bytes, array);
  }
  int rc = get_value(codec, field, got, &value);
  return rc == 0 ? peri_json_append(array, value) : rc;
}

static int key_text(struct peri_json *key, struct peri_buffer *text) {
  struct peri_slice string = peri_json_to_string(key);
  int rc = peri_json_type(key) == PERI_JSON_STRING
               ? peri_buffer_add(text, string.ptr, string.len)
               : peri_json_dump(key, false, text);
  return rc == 0 ? peri_buffer_add(text, "", 1) : rc;
}

static int add_entry(struct peri_json_codec *codec,
                     const Descriptor__Message *entry, struct peri_slice left,
                     struct peri_json *object) {
  struct peri_pb_field got, key_got = {.number = 0}, value_got = {.number = 0};
  const Descriptor__Field *key_field = peri_json_field(entry, 1);
  const Descriptor__Field *value_field = peri_json_field(entry, 2);
  struct peri_json *key = NULL, *value = NULL;
  struct peri_buffer text = {0};
  int rc = 0;
  while (rc == 0 && left.len > 0) {
    rc = peri_pb_take(&left, &got);
    if (rc == 0 && got.number <= 2) {
      *(got.number == 1 ? &key_got : &value_got) = got;
    }
  }
  if (rc == 0) {
    rc = key_got.number != 0 ? get_value(codec, key_field, &key_got, &key)
                             : get_default(codec, key_field, &key);
  }
  if (rc == 0) {
    rc = value_got.number != 0
             ? get_value(codec, value_field, &value_got, &value)
             : get_default(codec, value_field, &value);
  }
  if (rc == 0) {
    rc = key_text(key, &text);
  }
  if (rc == 0) {
    rc = peri_json_set(object, text.ptr, value);
  } else if (value != NULL) {
    peri_json_unref(value);
  }
  if (key != NULL) {
    peri_json_unref(key);
  }
  peri_buffer_done(&text);
  return rc;
}

/// The array or object that a field's values gather in, made when it is the
/// first; borrowed from `object`, NULL when out of memory.
static struct peri_json *gathered(struct peri_json *object, const char *name,
                                  bool map) {
  const struct peri_json *there = peri_json_get(object, name);
  if (there != NULL) {
    return (struct peri_json *)(uintptr_t)there;
  }
  struct peri_json *made = map ? peri_json_object() : peri_json_array();
  return peri_json_set(object, name, made) == 0 ? made : NULL;
}

static int add_field(struct peri_json_codec *codec,
                     const Descriptor__Field *field,
                     const struct peri_pb_field *got,
                     struct peri_json *object) {
  const char *name =
      field->json_name[0] != '\0' ? field->json_name : field->name;
  const Descriptor__Message *entry = peri_json_map_entry(codec, field);
  struct peri_json *value = NULL;
  if (entry != NULL || field->label == PERI_JSON_REPEATED) {
    struct peri_json *all = gathered(object, name, entry != NULL);
    if (all == NULL) {
      return PERI_ENOMEM;
    }
    return entry != NULL ? add_entry(codec, entry, got->bytes, all)
                         : add_repeated(codec, field, got, all);
  }
  int rc = get_value(codec, field, got, &value);
  return rc == 0 ? peri_json_set(object, name, value) : rc;
}

static int get_plain(struct peri_json_codec *codec,
                     const Descriptor__Message *message, struct peri_slice left,
                     struct peri_json **ret_json) {
  struct peri_json *object = peri_json_object();
  int rc = object != NULL ? 0 : PERI_ENOMEM;
  while (rc == 0 && left.len > 0) {
    struct peri_pb_field got;
    rc = peri_pb_take(&left, &got);
    const Descriptor__Field *field =
        rc == 0 ? peri_json_field(message, got.number) : NULL;
    if (field != NULL) {
      rc = add_field(codec, field, &got, object);
    }
  }
  if (rc < 0 && object != NULL) {
    peri_json_unref(object);
  }
  if (rc == 0) {
    *ret_json = object;
  }
  return rc;
}

static int get_time(struct peri_json_codec *codec, enum peri_json_known known,
                    struct peri_slice left, struct peri_json **ret_json) {
  struct peri_pb_field got;
  int64_t seconds = 0;
  int32_t nanos = 0;
  char text[64];
  int rc = 0;
  while (rc == 0 && left.len > 0) {
    rc = peri_pb_take(&left, &got);
    if (rc == 0 && got.number == 1) {
      seconds = (int64_t)got.value;
    } else if (rc == 0 && got.number == 2) {
      nanos = (int32_t)got.value;
    }
  }
  if (rc == 0) {
    rc = known == PERI_JSON_TIMESTAMP
             ? peri_json_timestamp_write(seconds, nanos, text)
             : peri_json_duration_write(seconds, nanos, text);
  }
  if (rc < 0) {
    return complain(codec, PERI_EPROTO, "out of range",
                    known == PERI_JSON_TIMESTAMP ? "Timestamp" : "Duration");
  }
  return give(peri_json_string(peri_slice_of(text)), ret_json);
}

static int last_member(void *ctx, const char *key,
                       const struct peri_json *value) {
  const struct peri_json **last = ctx;
  *last = strcmp(key, "nullValue") == 0 ? NULL : value;
  return 0;
}

/// Those that stand for the one value within them.
static int get_inner(struct peri_json_codec *codec, enum peri_json_known known,
                     const Descriptor__Message *message,
                     struct peri_slice bytes, struct peri_json **ret_json) {
  struct peri_json *whole = NULL;
  const struct peri_json *inner = NULL;
  int rc = get_plain(codec, message, bytes, &whole);
  if (rc < 0) {
    return rc;
  }
  peri_json_each(whole, last_member, &inner);
  if (inner != NULL) {
    *ret_json = peri_json_ref((struct peri_json *)(uintptr_t)inner);
  } else if (known == PERI_JSON_STRUCT) {
    rc = give(peri_json_object(), ret_json);
  } else if (known == PERI_JSON_LIST) {
    rc = give(peri_json_array(), ret_json);
  } else if (known == PERI_JSON_VALUE) {
    rc = give(peri_json_null(), ret_json);
  } else {
    const Descriptor__Field *first = peri_json_field(message, 1);
    rc = first != NULL ? get_default(codec, first, ret_json) : PERI_ENOTFOUND;
  }
  peri_json_unref(whole);
  return rc;
}

static int get_message(struct peri_json_codec *codec, const char *type,
                       struct peri_slice bytes, struct peri_json **ret_json) {
  enum peri_json_known known = peri_json_known_of(type);
  const Descriptor__Message *message = peri_schema_message(codec->schema, type);
  int rc;
  if (known == PERI_JSON_TIMESTAMP || known == PERI_JSON_DURATION) {
    return get_time(codec, known, bytes, ret_json);
  }
  if (message == NULL) {
    return complain(codec, PERI_ENOTFOUND, "the server does not describe it",
                    type);
  }
  if (codec->level == PERI_JSON_MOST_LEVELS) {
    return complain(codec, PERI_EPROTO, "nested too deeply", type);
  }
  codec->level++;
  if (known == PERI_JSON_PLAIN) {
    rc = get_plain(codec, message, bytes, ret_json);
  } else {
    rc = get_inner(codec, known, message, bytes, ret_json);
  }
  codec->level--;
  return rc;
}

int peri_json_decode(const struct peri_schema *schema, const char *type,
                     struct peri_slice message, struct peri_json **ret_json,
                     struct peri_problem *ret_problem) {
  struct peri_problem problem = {0, ""};
  struct peri_json_codec codec = {schema, &problem, 0};
  int rc = get_message(&codec, type, message, ret_json);
  if (rc < 0 && problem.code == 0) {
    peri_problem_set(&problem, rc, "the message cannot be read: %s",
                     peri_error_text(rc));
  }
  if (rc < 0 && ret_problem != NULL) {
    *ret_problem = problem;
  }
  return rc;
}
