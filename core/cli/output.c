#include "cli/output.h"

#include <errno.h>
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/proto.h"
#include "base/slice.h"
#include "base/text.h"

enum { PADDING = 64 };  // where the digits hold '='

int peri_cli_add_clean(struct peri_slice words, struct peri_buffer *text) {
  size_t before = text->len;
  int rc = peri_buffer_add(text, words.ptr, words.len);
  if (rc == 0 && words.len > 0) {
    text->len = before + peri_text_clean(text->ptr + before, words.len);
  }
  return rc;
}

int peri_cli_add_lines(struct peri_slice words, const char *indent,
                       struct peri_buffer *text) {
  int rc = 0;
  for (size_t at = 0; rc == 0 && at < words.len;) {
    const char *from = words.ptr + at;
    const char *end = memchr(from, '\n', words.len - at);
    size_t len = end != NULL ? (size_t)(end - from) : words.len - at;
    if (at > 0) {
      rc = peri_buffer_printf(text, "\n%s", indent);
    }
    if (rc == 0) {
      rc = peri_cli_add_clean((struct peri_slice){from, len}, text);
    }
    at += len + 1;
  }
  return rc;
}

int peri_cli_base64(struct peri_slice bytes, struct peri_buffer *text) {
  static const char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
  for (size_t i = 0; i < bytes.len; i += 3) {
    size_t left = bytes.len - i;
    uint32_t group = (uint32_t)(unsigned char)bytes.ptr[i] << 16;
    if (left > 1) {
      group |= (uint32_t)(unsigned char)bytes.ptr[i + 1] << 8;
    }
    if (left > 2) {
      group |= (uint32_t)(unsigned char)bytes.ptr[i + 2];
    }
    char quad[4] = {digits[group >> 18], digits[group >> 12 & 63],
                    digits[left > 1 ? group >> 6 & 63 : PADDING],
                    digits[left > 2 ? group & 63 : PADDING]};
    int rc = peri_buffer_add(text, quad, sizeof(quad));
    if (rc < 0) {
      return rc;
    }
  }
  return 0;
}

int peri_cli_json_bytes(struct peri_json *object, const char *key,
                        struct peri_slice bytes) {
  char name[64];
  struct peri_buffer text = {0};
  if (bytes.len == 0) {
    bytes.ptr = "";
  }
  if (peri_slice_is_utf8(bytes)) {
    return peri_json_set(object, key, peri_json_string(bytes));
  }
  snprintf(name, sizeof(name), "%s_base64", key);
  int rc = peri_cli_base64(bytes, &text);
  if (rc == 0) {
    rc =
        peri_json_set(object, name, peri_json_string(peri_buffer_slice(&text)));
  }
  peri_buffer_done(&text);
  return rc;
}

struct peri_json *peri_cli_json_with(struct peri_json *object, const char *key,
                                     struct peri_json *value) {
  if (object == NULL) {
    if (value != NULL) {
      peri_json_unref(value);
    }
    return NULL;
  }
  if (peri_json_set(object, key, value) < 0) {
    peri_json_unref(object);
    return NULL;
  }
  return object;
}

struct peri_json *peri_cli_json_object(const struct peri_cli_member *members,
                                       size_t count) {
  struct peri_json *object = peri_json_object();
  for (size_t i = 0; i < count; i++) {
    object = peri_cli_json_with(object, members[i].key, members[i].value);
  }
  return object;
}

struct peri_json *peri_cli_json_append(struct peri_json *array,
                                       struct peri_json *item) {
  if (array == NULL || peri_json_append(array, item) < 0) {
    peri_json_unref(array != NULL ? array : item);
    return NULL;
  }
  return array;
}

struct peri_json *peri_cli_json_data(struct ProtobufCBinaryData data) {
  return peri_json_string(peri_proto_slice(data));
}

struct peri_json *peri_cli_json_number(uint64_t value) {
  return peri_json_integer((int64_t)value);
}

/// Undoes the escapes of a label's value, which begins behind its quote, and
/// returns where it ends: at the closing quote, or the end of everything.
static size_t read_value(struct peri_slice labels, size_t at,
                         struct peri_buffer *value, int *rc) {
  while (at < labels.len && labels.ptr[at] != '"') {
    char byte = labels.ptr[at++];
    if (byte == '\\' && at < labels.len) {
      byte = labels.ptr[at++];
      if (byte == 'n') {
        byte = '\n';
      }
    }
    if (*rc == 0) {
      *rc = peri_buffer_add(value, &byte, 1);
    }
  }
  return at;
}

struct peri_json *peri_cli_labels(struct peri_slice labels) {
  struct peri_json *object = peri_json_object();
  int rc = object == NULL ? PERI_ENOMEM : 0;
  size_t at = 0;
  while (rc == 0 && at < labels.len) {
    char name[128];
    struct peri_buffer value = {0};
    size_t len = 0;
    while (at < labels.len && labels.ptr[at] != '=') {
      if (len + 1 < sizeof(name)) {
        name[len++] = labels.ptr[at];
      }
      at++;
    }
    name[len] = '\0';
    at = read_value(labels, at + 2, &value, &rc);
    if (rc == 0) {
      rc = peri_cli_json_bytes(object, name, peri_buffer_slice(&value));
    }
    peri_buffer_done(&value);
    at += 2;  // the quote and the comma
  }
  if (rc < 0 && object != NULL) {
    peri_json_unref(object);
    return NULL;
  }
  return object;
}

int peri_cli_print(struct peri_slice bytes, bool line) {
  bool ends = bytes.len > 0 && bytes.ptr[bytes.len - 1] == '\n';
  bool failed =
      bytes.len > 0 && fwrite(bytes.ptr, 1, bytes.len, stdout) != bytes.len;
  if (!failed && line && !ends) {
    failed = fputc('\n', stdout) == EOF;
  }
  if (failed || fflush(stdout) != 0) {
    fprintf(stderr, "perigee: cannot write the answer: %s\n", strerror(errno));
    return PERI_EIO;
  }
  return 0;
}

int peri_cli_print_text(struct peri_buffer *text, int rc, bool line) {
  if (rc == 0) {
    rc = peri_cli_print(peri_buffer_slice(text), line);
  } else if (rc == PERI_ENOMEM) {
    fprintf(stderr, "perigee: out of memory\n");
  }
  peri_buffer_done(text);
  return rc;
}

int peri_cli_print_json(struct peri_json *json) {
  struct peri_buffer text = {0};
  int rc = json == NULL ? PERI_ENOMEM : peri_json_dump(json, true, &text);
  if (rc < 0) {
    fprintf(stderr, "perigee: out of memory\n");
  } else {
    rc = peri_cli_print(peri_buffer_slice(&text), true);
  }
  peri_buffer_done(&text);
  if (json != NULL) {
    peri_json_unref(json);
  }
  return rc;
}
