#include "script/records.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/slice.h"

enum { MOST_BYTES = 1 << 30, NAME_BYTES = 256, NUMBER_BYTES = 40 };

struct entry {
  uint64_t hash;
  uint32_t key, key_len;  // in the texts
  uint32_t row, row_len;
};

struct peri_records {
  struct peri_buffer texts;  // of rows and keys, one behind the other
  struct entry *entries;
  size_t count, capacity;
  uint32_t *slots;    // of a hash table: an entry's number, from 1; 0: none
  size_t slot_count;  // a power of two
};

struct making {
  struct peri_records *records;
  const struct peri_records_query *query;
  int rc;
};

static struct peri_slice text_at(const struct peri_records *records,
                                 uint32_t at, uint32_t len) {
  return (struct peri_slice){records->texts.ptr + at, len};
}

// The slot of a key, or the free one where it belongs.
static uint32_t *slot_of(const struct peri_records *records, uint64_t hash,
                         struct peri_slice key) {
  size_t mask = records->slot_count - 1;
  size_t at = (size_t)hash & mask;
  for (;; at = (at + 1) & mask) {
    uint32_t number = records->slots[at];
    if (number == 0) {
      return &records->slots[at];
    }
    const struct entry *entry = &records->entries[number - 1];
    if (entry->hash == hash &&
        peri_slice_equal(text_at(records, entry->key, entry->key_len), key)) {
      return &records->slots[at];
    }
  }
}

static int grow(struct peri_records *records) {
  size_t capacity = records->capacity > 0 ? records->capacity * 2 : 64;
  struct entry *entries =
      realloc(records->entries, capacity * sizeof(*entries));
  if (entries == NULL) {
    return PERI_ENOMEM;
  }
  records->entries = entries;
  records->capacity = capacity;
  uint32_t *slots = calloc(capacity * 2, sizeof(*slots));
  if (slots == NULL) {
    return PERI_ENOMEM;
  }
  free(records->slots);
  records->slots = slots;
  records->slot_count = capacity * 2;
  for (size_t i = 0; i < records->count; i++) {
    const struct entry *entry = &entries[i];
    struct peri_slice key = text_at(records, entry->key, entry->key_len);
    *slot_of(records, entry->hash, key) = (uint32_t)i + 1;
  }
  return 0;
}

// Adds a text. @return 0, PERI_ELIMIT or PERI_ENOMEM.
static int add_text(struct peri_records *records, struct peri_slice text,
                    uint32_t *ret_at) {
  if (records->texts.len + text.len > MOST_BYTES) {
    return PERI_ELIMIT;
  }
  *ret_at = (uint32_t)records->texts.len;
  return peri_buffer_add(&records->texts, text.ptr, text.len);
}

static int add_key(struct peri_records *records, struct peri_slice key,
                   uint32_t row, uint32_t row_len) {
  uint64_t hash = peri_hash_xxh3(key, 0);
  int rc = records->count == records->capacity ? grow(records) : 0;
  if (rc < 0) {
    return rc;
  }
  uint32_t *slot = slot_of(records, hash, key);
  if (*slot != 0) {
    records->entries[*slot - 1].row = row;
    records->entries[*slot - 1].row_len = row_len;
    return 0;
  }
  struct entry entry = {hash, 0, (uint32_t)key.len, row, row_len};
  rc = add_text(records, key, &entry.key);
  if (rc == 0) {
    records->entries[records->count++] = entry;
    *slot = (uint32_t)records->count;
  }
  return rc;
}

// The key that a value is: a text or a number. False for others.
static bool key_of(const struct peri_json *value, char room[NUMBER_BYTES],
                   struct peri_slice *ret_key) {
  int len = 0;
  switch (peri_json_type(value)) {
    case PERI_JSON_STRING:
      *ret_key = peri_json_to_string(value);
      return true;
    case PERI_JSON_INTEGER:
      len =
          snprintf(room, NUMBER_BYTES, "%" PRId64, peri_json_to_integer(value));
      break;
    case PERI_JSON_REAL:
      len = snprintf(room, NUMBER_BYTES, "%.14g", peri_json_to_real(value));
      break;
    default:
      return false;
  }
  *ret_key = (struct peri_slice){room, (size_t)len};
  return true;
}

static int add_row(struct making *making, struct peri_slice name,
                   const struct peri_json *row) {
  const struct peri_records_query *query = making->query;
  struct peri_records *records = making->records;
  uint32_t at = (uint32_t)records->texts.len;
  int rc = peri_json_dump(row, false, &records->texts);
  if (rc == 0 && records->texts.len > MOST_BYTES) {
    rc = PERI_ELIMIT;
  }
  uint32_t len = (uint32_t)(records->texts.len - at);
  if (rc == 0 && query->field_count == 0) {
    rc = add_key(records, name, at, len);
  }
  for (size_t i = 0; i < query->field_count && rc == 0; i++) {
    char room[NUMBER_BYTES];
    struct peri_slice key;
    if (key_of(peri_json_get(row, query->fields[i]), room, &key)) {
      rc = add_key(records, key, at, len);
    }
  }
  making->rc = rc;
  return rc;
}

static int add_member(void *ctx, const char *name,
                      const struct peri_json *row) {
  return add_row(ctx, peri_slice_of(name), row);
}

static int add_rows(struct making *making, const struct peri_json *rows) {
  char name[NUMBER_BYTES];
  if (peri_json_type(rows) == PERI_JSON_OBJECT) {
    peri_json_each(rows, add_member, making);
    return making->rc;
  }
  size_t count = peri_json_size(rows);
  for (size_t i = 0; i < count && making->rc == 0; i++) {
    int len = snprintf(name, sizeof(name), "%zu", i + 1);
    add_row(making, (struct peri_slice){name, (size_t)len},
            peri_json_at(rows, i));
  }
  return making->rc;
}

// What the dotted path leads to when it is an object or a list, else NULL.
static const struct peri_json *find_rows(const struct peri_json *document,
                                         const char *path) {
  char name[NAME_BYTES];
  const struct peri_json *at = document;
  while (*path != '\0' && at != NULL) {
    size_t len = strcspn(path, ".");
    if (len >= sizeof(name)) {
      return NULL;
    }
    memcpy(name, path, len);
    name[len] = '\0';
    if (len > 0) {
      at = peri_json_get(at, name);
    }
    path += len + (path[len] == '.');
  }
  int type = peri_json_type(at);
  return type == PERI_JSON_OBJECT || type == PERI_JSON_ARRAY ? at : NULL;
}

// Gives back what was kept for growing.
static void fit(struct peri_buffer *texts) {
  char *ptr = texts->len > 0 ? realloc(texts->ptr, texts->len) : NULL;
  if (ptr != NULL) {
    texts->ptr = ptr;
    texts->cap = texts->len;
  }
}

int peri_records_new(struct peri_slice text,
                     const struct peri_records_query *query,
                     struct peri_records **ret_records,
                     struct peri_problem *ret_problem) {
  struct peri_json *document = NULL;
  int rc = peri_json_parse(text, &document, ret_problem);
  if (rc < 0) {
    return rc;
  }
  const struct peri_json *rows = find_rows(document, query->rows);
  struct peri_records *records = calloc(1, sizeof(*records));
  struct making making = {records, query, 0};
  if (rows == NULL) {
    rc = peri_problem_set(ret_problem, PERI_EINVAL, "it has no rows at \"%s\"",
                          query->rows);
    goto done;
  }
  rc = records != NULL ? add_rows(&making, rows) : PERI_ENOMEM;
  if (rc < 0) {
    peri_problem_set(ret_problem, rc, "%s", peri_error_text(rc));
  }

done:
  peri_json_unref(document);
  if (rc < 0) {
    peri_records_free(records);
    return rc;
  }
  fit(&records->texts);
  *ret_records = records;
  return 0;
}

void peri_records_free(struct peri_records *records) {
  if (records == NULL) {
    return;
  }
  peri_buffer_done(&records->texts);
  free(records->entries);
  free(records->slots);
  free(records);
}

bool peri_records_find(const struct peri_records *records,
                       struct peri_slice key, struct peri_slice *ret_row) {
  if (records->count == 0) {
    return false;
  }
  uint32_t number = *slot_of(records, peri_hash_xxh3(key, 0), key);
  if (number == 0) {
    return false;
  }
  const struct entry *entry = &records->entries[number - 1];
  *ret_row = text_at(records, entry->row, entry->row_len);
  return true;
}

size_t peri_records_count(const struct peri_records *records) {
  return records->count;
}

size_t peri_records_bytes(const struct peri_records *records) {
  return sizeof(*records) + records->texts.cap +
         records->capacity * sizeof(struct entry) +
         records->slot_count * sizeof(uint32_t);
}
