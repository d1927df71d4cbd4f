#include "cache/wire.h"

#include "base/error.h"

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };
enum { MAX_VARINT = 10, MAX_NUMBER = (1 << 29) - 1 };

// Takes a varint off `message`; false when it is cut or too long.
static bool take_varint(struct peri_slice *message, uint64_t *ret_value) {
  uint64_t value = 0;
  for (size_t i = 0; i < MAX_VARINT && i < message->len; i++) {
    uint8_t byte = (uint8_t)message->ptr[i];
    value |= (uint64_t)(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      if (i == MAX_VARINT - 1 && byte > 1) {
        return false;
      }
      message->ptr += i + 1;
      message->len -= i + 1;
      *ret_value = value;
      return true;
    }
  }
  return false;
}

static bool take_bytes(struct peri_slice *message, uint64_t count,
                       struct peri_slice *ret_bytes) {
  if (count > message->len) {
    return false;
  }
  *ret_bytes = (struct peri_slice){message->ptr, (size_t)count};
  message->ptr += count;
  message->len -= (size_t)count;
  return true;
}

int peri_pb_next(struct peri_slice *message, struct peri_pb_field *ret_field) {
  uint64_t tag = 0;
  bool whole = false;
  struct peri_pb_field field = {.value = 0};
  if (message->len == 0) {
    return 0;
  }
  if (!take_varint(message, &tag) || tag >> 3 == 0 || tag >> 3 > MAX_NUMBER) {
    return PERI_EPROTO;
  }
  field.number = (uint32_t)(tag >> 3);
  field.type = (uint32_t)(tag & 7);
  switch (field.type) {
    case VARINT:
      whole = take_varint(message, &field.value);
      break;
    case BYTES:
      whole = take_varint(message, &field.value) &&
              take_bytes(message, field.value, &field.bytes);
      break;
    case FIXED64:
      whole = take_bytes(message, 8, &field.bytes);
      break;
    case FIXED32:
      whole = take_bytes(message, 4, &field.bytes);
      break;
    default:
      break;
  }
  if (!whole) {
    return PERI_EPROTO;
  }
  *ret_field = field;
  return 1;
}

int peri_pb_read_request(struct peri_slice message,
                         struct peri_pb_request *ret_request) {
  struct peri_pb_request request = {.expire_ns = 0};
  struct peri_pb_field field;
  int rc = 0;
  while ((rc = peri_pb_next(&message, &field)) > 0) {
    if (field.type == BYTES && field.number == 1) {
      request.group = field.bytes;
    } else if (field.type == BYTES && field.number == 2) {
      request.key = field.bytes;
      request.key_count++;
    } else if (field.type == BYTES && field.number == 3) {
      request.value = field.bytes;
    } else if (field.type == VARINT && field.number == 4) {
      request.expire_ns = (int64_t)field.value;
    }
  }
  if (rc == 0) {
    *ret_request = request;
  }
  return rc;
}

void peri_pb_read_keys(struct peri_slice message, struct peri_slice *ret_keys) {
  struct peri_pb_field field;
  while (peri_pb_next(&message, &field) > 0) {
    if (field.type == BYTES && field.number == 2) {
      *ret_keys = field.bytes;
      ret_keys++;
    }
  }
}

int peri_pb_read_value(struct peri_slice message, struct peri_slice *ret_value,
                       int64_t *ret_expire_ns) {
  struct peri_slice value = {NULL, 0};
  int64_t expire_ns = 0;
  struct peri_pb_field field;
  int rc = 0;
  while ((rc = peri_pb_next(&message, &field)) > 0) {
    if (field.type == BYTES && field.number == 1) {
      value = field.bytes;
    } else if (field.type == VARINT && field.number == 3) {
      expire_ns = (int64_t)field.value;
    }
  }
  if (rc == 0) {
    *ret_value = value;
    *ret_expire_ns = expire_ns;
  }
  return rc;
}

int peri_pb_read_removed(struct peri_slice message, bool *ret_removed) {
  bool removed = false;
  struct peri_pb_field field;
  int rc = 0;
  while ((rc = peri_pb_next(&message, &field)) > 0) {
    if (field.type == VARINT && field.number == 1) {
      removed = field.value != 0;
    }
  }
  if (rc == 0) {
    *ret_removed = removed;
  }
  return rc;
}

static size_t put_varint(char *ret_text, uint64_t value) {
  size_t len = 0;
  while (value >= 0x80) {
    ret_text[len] = (char)(value | 0x80);
    len++;
    value >>= 7;
  }
  ret_text[len] = (char)value;
  return len + 1;
}

static size_t put_field(char *ret_text, uint32_t tag, uint64_t value) {
  size_t len = put_varint(ret_text, tag);
  return len + put_varint(ret_text + len, value);
}

size_t peri_pb_put_length(char *ret_text, uint32_t number, size_t length) {
  return length == 0 ? 0 : put_field(ret_text, number << 3 | BYTES, length);
}

size_t peri_pb_put_number(char *ret_text, uint32_t number, uint64_t value) {
  return value == 0 ? 0 : put_field(ret_text, number << 3 | VARINT, value);
}

int peri_pb_add_element(struct peri_buffer *buffer, uint32_t number,
                        struct peri_slice bytes) {
  char head[PERI_PB_FIELD_BYTES];
  size_t len = put_field(head, number << 3 | BYTES, bytes.len);
  // Both or nothing: a tag without its bytes would spoil the message.
  int rc = peri_buffer_reserve(buffer, len + bytes.len);
  if (rc == 0) {
    rc = peri_buffer_add(buffer, head, len);
  }
  if (rc == 0 && bytes.len > 0) {
    rc = peri_buffer_add(buffer, bytes.ptr, bytes.len);
  }
  return rc;
}

int peri_pb_add_bytes(struct peri_buffer *buffer, uint32_t number,
                      struct peri_slice bytes) {
  return bytes.len == 0 ? 0 : peri_pb_add_element(buffer, number, bytes);
}

int peri_pb_add_number(struct peri_buffer *buffer, uint32_t number,
                       uint64_t value) {
  char text[PERI_PB_FIELD_BYTES];
  return peri_buffer_add(buffer, text, peri_pb_put_number(text, number, value));
}

int peri_pb_add_item(struct peri_buffer *buffer,
                     const struct peri_pb_item *item) {
  char scratch[PERI_PB_FIELD_BYTES];
  size_t key = peri_pb_put_length(scratch, 1, item->key.len);
  size_t value = peri_pb_put_length(scratch, 2, item->value.len);
  size_t expire = peri_pb_put_number(scratch, 3, (uint64_t)item->expire_ns);
  size_t code = peri_pb_put_number(scratch, 4, (uint64_t)item->code);
  size_t body = key + item->key.len + value + item->value.len + expire + code;
  size_t head = put_field(scratch, 1 << 3 | BYTES, body);
  int rc = peri_buffer_reserve(buffer, head + body);
  if (rc == 0) {
    rc = peri_buffer_add(buffer, scratch, head);
  }
  if (rc == 0) {
    rc = peri_pb_add_bytes(buffer, 1, item->key);
  }
  if (rc == 0) {
    rc = peri_pb_add_bytes(buffer, 2, item->value);
  }
  if (rc == 0) {
    rc = peri_pb_add_number(buffer, 3, (uint64_t)item->expire_ns);
  }
  if (rc == 0) {
    rc = peri_pb_add_number(buffer, 4, (uint64_t)item->code);
  }
  return rc;
}
