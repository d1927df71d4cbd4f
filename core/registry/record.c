#include "registry/record.h"

#include <string.h>

#include "base/address.h"
#include "base/json.h"
#include "base/slice.h"

enum { LONGEST_VALUE = 65536, HEAVIEST = 65535 };

static const char *const own_members[] = {"weight", "zone", "version",
                                          "protocol", NULL};

static bool is_own(const char *name) {
  for (size_t i = 0; own_members[i]; i++) {
    if (strcmp(own_members[i], name) == 0) {
      return true;
    }
  }
  return false;
}

// A service is a path of non-empty parts without control characters: anything
// else could stand for a key of another service, or for none.
static bool is_service(struct peri_slice service) {
  for (size_t i = 0; i < service.len; i++) {
    unsigned char c = (unsigned char)service.ptr[i];
    bool edge = i == 0 || i + 1 == service.len || service.ptr[i - 1] == '/';
    if (c < 0x20 || c == 0x7f || (c == '/' && edge)) {
      return false;
    }
  }
  return service.len > 0;
}

static bool is_endpoint(struct peri_slice text) {
  struct peri_address address;

  if (peri_address_parse(text, &address) < 0) {
    return false;
  }
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c < 0x20 || c == 0x7f) {
      return false;
    }
  }
  return address.kind == PERI_ADDRESS_UNIX || address.port > 0;
}

int peri_record_key(struct peri_slice prefix, struct peri_slice service,
                    struct peri_slice address, struct peri_buffer *key) {
  if (!is_service(service) || !is_endpoint(address)) {
    return PERI_EINVAL;
  }
  size_t before = key->len;
  if (peri_buffer_add(key, prefix.ptr, prefix.len) < 0 ||
      peri_buffer_add(key, service.ptr, service.len) < 0 ||
      peri_buffer_add(key, "/", 1) < 0 ||
      peri_buffer_add(key, address.ptr, address.len) < 0) {
    key->len = before;
    return PERI_ENOMEM;
  }
  return 0;
}

static int set_text(struct peri_json *object, const char *key,
                    struct peri_slice text) {
  return text.len > 0 ? peri_json_set(object, key, peri_json_string(text)) : 0;
}

static int copy_member(void *ctx, const char *key,
                       const struct peri_json *value) {
  if (is_own(key)) {
    return 0;
  }
  // Only the count changes, and that may from any thread.
  return peri_json_set(ctx, key,
                       peri_json_ref((struct peri_json *)(uintptr_t)value));
}

static int make_metadata(const struct peri_record *record,
                         struct peri_json **ret_json) {
  struct peri_json *object = peri_json_object();
  int rc = object ? 0 : PERI_ENOMEM;

  if (rc == 0 && record->weight > 0) {
    rc = peri_json_set(object, "weight", peri_json_integer(record->weight));
  }
  if (rc == 0) {
    rc = set_text(object, "zone", record->zone);
  }
  if (rc == 0) {
    rc = set_text(object, "version", record->version);
  }
  if (rc == 0) {
    rc = set_text(object, "protocol", record->protocol);
  }
  if (rc == 0) {
    rc = peri_json_each(record->metadata, copy_member, object);
  }
  if (rc < 0) {
    peri_json_unref(object);
    return rc;
  }
  *ret_json = object;
  return 0;
}

static bool is_text(struct peri_slice text) {
  return peri_slice_is_utf8(text) &&
         (text.len == 0 || !memchr(text.ptr, '\0', text.len));
}

// Nobody shall write what peri_record_read() refuses.
static bool is_writable(const struct peri_record *record) {
  return record->weight <= HEAVIEST && is_endpoint(record->address) &&
         is_text(record->address) && is_text(record->zone) &&
         is_text(record->version) && is_text(record->protocol);
}

int peri_record_write(const struct peri_record *record,
                      struct peri_buffer *value) {
  struct peri_json *metadata = NULL;
  struct peri_json *root = NULL;
  size_t before = value->len;

  if (!is_writable(record)) {
    return PERI_EINVAL;
  }
  int rc = make_metadata(record, &metadata);
  if (rc < 0) {
    return rc;
  }
  // Go writes null for a Metadata that nobody set.
  if (peri_json_size(metadata) == 0) {
    peri_json_unref(metadata);
    metadata = peri_json_null();
  }
  root = peri_json_object();
  if (!root) {
    peri_json_unref(metadata);
    return PERI_ENOMEM;
  }
  rc = peri_json_set(root, "Op", peri_json_integer(0));
  if (rc == 0) {
    rc = peri_json_set(root, "Addr", peri_json_string(record->address));
  }
  if (rc == 0) {
    rc = peri_json_set(root, "Metadata", metadata);
  } else {
    peri_json_unref(metadata);
  }
  if (rc == 0) {
    rc = peri_json_dump(root, false, value);
  }
  if (rc == 0 && value->len - before > LONGEST_VALUE) {
    value->len = before;
    rc = PERI_EINVAL;
  }
  peri_json_unref(root);
  return rc;
}

static int check_operation(const struct peri_json *json,
                           struct peri_problem *ret_problem) {
  int type = peri_json_type(json);

  if (type == PERI_JSON_NULL ||
      (type == PERI_JSON_INTEGER && peri_json_to_integer(json) == 0)) {
    return 0;
  }
  if (type == PERI_JSON_INTEGER && peri_json_to_integer(json) == 1) {
    return peri_problem_set(ret_problem, PERI_EINVAL, "\"Op\" is a deletion");
  }
  return peri_problem_set(ret_problem, PERI_EINVAL, "\"Op\" is unknown");
}

static bool digits(struct peri_slice text, int64_t *ret_number) {
  int64_t number = 0;

  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9' || number > HEAVIEST) {
      return false;
    }
    number = number * 10 + (text.ptr[i] - '0');
  }
  *ret_number = number;
  return text.len > 0;
}

static int read_weight(const struct peri_json *json, uint32_t *ret_weight,
                       struct peri_problem *ret_problem) {
  int64_t weight = 0;
  bool known = false;

  switch (peri_json_type(json)) {
    case PERI_JSON_NULL:
      weight = 1;
      known = true;
      break;
    case PERI_JSON_INTEGER:
      weight = peri_json_to_integer(json);
      known = true;
      break;
    case PERI_JSON_REAL: {
      // Numbers that went through a language without integers.
      double real = peri_json_to_real(json);
      known = real >= 1 && real <= HEAVIEST && real == (double)(int64_t)real;
      weight = known ? (int64_t)real : 0;
      break;
    }
    case PERI_JSON_STRING:
      known = digits(peri_json_to_string(json), &weight);
      break;
    default:
      break;
  }
  if (!known || weight < 1 || weight > HEAVIEST) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "the weight in \"Metadata\" is not 1 to %d",
                            HEAVIEST);
  }
  *ret_weight = (uint32_t)weight;
  return 0;
}

// What is no text is left to whoever reads `metadata`.
static int read_text(const struct peri_json *metadata, const char *key,
                     struct peri_slice *ret_text,
                     struct peri_problem *ret_problem) {
  struct peri_slice text = peri_json_to_string(peri_json_get(metadata, key));

  if (text.len > 0 && memchr(text.ptr, '\0', text.len)) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "the %s in \"Metadata\" holds a NUL", key);
  }
  *ret_text = text;
  return 0;
}

static int read_metadata(const struct peri_json *metadata,
                         struct peri_record *record,
                         struct peri_problem *ret_problem) {
  int rc = read_weight(peri_json_get(metadata, "weight"), &record->weight,
                       ret_problem);
  if (rc == 0) {
    rc = read_text(metadata, "zone", &record->zone, ret_problem);
  }
  if (rc == 0) {
    rc = read_text(metadata, "version", &record->version, ret_problem);
  }
  if (rc == 0) {
    rc = read_text(metadata, "protocol", &record->protocol, ret_problem);
  }
  if (rc == 0 && record->protocol.len == 0) {
    record->protocol = peri_slice_of("grpc");
  }
  if (rc == 0 && peri_json_type(metadata) != PERI_JSON_NULL) {
    record->metadata = (struct peri_json *)(uintptr_t)metadata;
  }
  return rc;
}

// etcd's grpc-proxy writes its JSON as a string: what that holds takes the
// string's place. A string that holds no object stays what it is.
static int unwrap(struct peri_json *root) {
  const struct peri_json *metadata = peri_json_get(root, "Metadata");
  struct peri_json *inner = NULL;

  if (peri_json_type(metadata) != PERI_JSON_STRING) {
    return 0;
  }
  int rc = peri_json_parse(peri_json_to_string(metadata), &inner, NULL);
  if (rc < 0) {
    return rc == PERI_ENOMEM ? rc : 0;
  }
  if (peri_json_type(inner) != PERI_JSON_OBJECT) {
    peri_json_unref(inner);
    return 0;
  }
  return peri_json_set(root, "Metadata", inner);
}

static int read_root(struct peri_json *root, struct peri_record *record,
                     struct peri_problem *ret_problem) {
  if (peri_json_type(root) != PERI_JSON_OBJECT) {
    return peri_problem_set(ret_problem, PERI_EINVAL, "not a JSON object");
  }
  int rc = check_operation(peri_json_get(root, "Op"), ret_problem);
  if (rc < 0) {
    return rc;
  }
  record->address = peri_json_to_string(peri_json_get(root, "Addr"));
  if (record->address.len == 0) {
    return peri_problem_set(ret_problem, PERI_EINVAL, "no \"Addr\"");
  }
  if (!is_endpoint(record->address)) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "\"Addr\" is not an address such as HOST:PORT");
  }
  rc = unwrap(root);
  if (rc < 0) {
    return peri_problem_set(ret_problem, rc, "out of memory");
  }
  return read_metadata(peri_json_get(root, "Metadata"), record, ret_problem);
}

int peri_record_read(struct peri_slice value, struct peri_record_read *ret_read,
                     struct peri_problem *ret_problem) {
  struct peri_record_read read = {0};

  if (value.len > LONGEST_VALUE) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "%zu bytes are more than %d", value.len,
                            LONGEST_VALUE);
  }
  int rc = peri_json_parse(value, &read.json, ret_problem);
  if (rc < 0) {
    return rc;
  }
  rc = read_root(read.json, &read.record, ret_problem);
  if (rc < 0) {
    peri_json_unref(read.json);
    return rc;
  }
  *ret_read = read;
  return 0;
}

void peri_record_done(struct peri_record_read *read) {
  if (read) {
    peri_json_unref(read->json);
    *read = (struct peri_record_read){0};
  }
}
