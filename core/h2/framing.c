#include "h2/framing.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/error.h"
#include "base/status.h"

enum {
  GZIP_OR_ZLIB = 32,  // inflateInit2() then looks at the header
  INFLATE_STEP_BYTES = 4096,
  MOST_DIGITS = 8,
  MOST_VALUE = 99999999
};

void peri_framing_init(struct peri_framing *framing, uint32_t message_bytes) {
  framing->buffer = (struct peri_buffer){.ptr = NULL};
  framing->message_bytes = message_bytes;
  framing->length = 0;
  framing->prefix_len = 0;
}

void peri_framing_done(struct peri_framing *framing) {
  peri_buffer_done(&framing->buffer);
  framing->prefix_len = 0;
}

bool peri_framing_partial(const struct peri_framing *framing) {
  return framing->prefix_len > 0;
}

static struct peri_slice skip(struct peri_slice bytes, size_t len) {
  struct peri_slice rest = {bytes.ptr + len, bytes.len - len};
  return rest;
}

// Takes the prefix off the input; it is whole when prefix_len says so.
static int take_prefix(struct peri_framing *framing, struct peri_slice *bytes) {
  size_t missing = PERI_FRAMING_PREFIX_BYTES - framing->prefix_len;
  size_t taken = bytes->len < missing ? bytes->len : missing;
  memcpy(framing->prefix + framing->prefix_len, bytes->ptr, taken);
  framing->prefix_len = (uint8_t)(framing->prefix_len + taken);
  *bytes = skip(*bytes, taken);
  if (framing->prefix[0] > 1) {
    return PERI_EPROTO;
  }
  if (framing->prefix_len < PERI_FRAMING_PREFIX_BYTES) {
    return 0;
  }
  const unsigned char *prefix = framing->prefix;
  framing->length = (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 |
                    (uint32_t)prefix[3] << 8 | prefix[4];
  return framing->length > framing->message_bytes ? PERI_ELIMIT : 0;
}

// The message under way, if it is whole now; false when more must come.
static int take_message(struct peri_framing *framing, struct peri_slice *bytes,
                        struct peri_slice *ret_message) {
  size_t missing = framing->length - framing->buffer.len;
  if (framing->buffer.len == 0 && bytes->len >= missing) {
    ret_message->ptr = bytes->ptr;
    ret_message->len = missing;
    *bytes = skip(*bytes, missing);
    return 1;
  }
  size_t taken = bytes->len < missing ? bytes->len : missing;
  int rc = peri_buffer_add(&framing->buffer, bytes->ptr, taken);
  if (rc < 0) {
    return rc;
  }
  *bytes = skip(*bytes, taken);
  *ret_message = peri_buffer_slice(&framing->buffer);
  return taken == missing;
}

int peri_framing_feed(struct peri_framing *framing, struct peri_slice bytes,
                      int (*message)(void *ctx, bool compressed,
                                     struct peri_slice bytes),
                      void *ctx) {
  while (bytes.len > 0) {
    struct peri_slice whole;
    if (framing->prefix_len < PERI_FRAMING_PREFIX_BYTES) {
      int rc = take_prefix(framing, &bytes);
      if (rc < 0 || framing->prefix_len < PERI_FRAMING_PREFIX_BYTES) {
        return rc;
      }
    }
    int rc = take_message(framing, &bytes, &whole);
    if (rc <= 0) {
      return rc;
    }
    framing->prefix_len = 0;
    rc = message(ctx, framing->prefix[0] != 0, whole);
    framing->buffer.len = 0;
    if (rc != 0) {
      return rc;
    }
  }
  return 0;
}

int peri_framing_keep(struct peri_framing *framing, struct peri_slice bytes,
                      struct peri_buffer *buffer) {
  if (bytes.len > 0 && bytes.ptr == framing->buffer.ptr) {
    peri_buffer_done(buffer);
    *buffer = framing->buffer;
    framing->buffer = (struct peri_buffer){.ptr = NULL};
    return 0;
  }
  return peri_buffer_add(buffer, bytes.ptr, bytes.len);
}

void peri_framing_prefix(bool compressed, uint32_t length,
                         char ret_prefix[PERI_FRAMING_PREFIX_BYTES]) {
  ret_prefix[0] = compressed ? 1 : 0;
  ret_prefix[1] = (char)(unsigned char)(length >> 24);
  ret_prefix[2] = (char)(unsigned char)(length >> 16);
  ret_prefix[3] = (char)(unsigned char)(length >> 8);
  ret_prefix[4] = (char)(unsigned char)length;
}

// Inflates until the end of the stream; one byte more than the limit is room
// enough to see that it would be exceeded.
static int inflate_all(z_stream *stream, size_t limit,
                       struct peri_buffer *buffer) {
  size_t before = buffer->len;
  for (;;) {
    size_t done = buffer->len - before;
    if (done > limit) {
      return PERI_ELIMIT;
    }
    int rc = peri_buffer_reserve(buffer, INFLATE_STEP_BYTES);
    if (rc < 0) {
      return rc;
    }
    size_t room = buffer->cap - buffer->len;
    room = room < limit + 1 - done ? room : limit + 1 - done;
    stream->next_out = (Bytef *)(buffer->ptr + buffer->len);
    stream->avail_out = (uInt)room;
    rc = inflate(stream, Z_NO_FLUSH);
    buffer->len += room - stream->avail_out;
    if (rc == Z_STREAM_END) {
      bool over = buffer->len - before > limit;
      return over ? PERI_ELIMIT : stream->avail_in > 0 ? PERI_EPROTO : 0;
    }
    if (rc == Z_MEM_ERROR) {
      return PERI_ENOMEM;
    }
    // With room left and nothing to read, the input was cut short.
    if (rc != Z_OK || (stream->avail_out > 0 && stream->avail_in == 0)) {
      return PERI_EPROTO;
    }
  }
}

int peri_framing_gunzip(struct peri_slice bytes, uint32_t limit_bytes,
                        struct peri_buffer *buffer) {
  z_stream stream = {.next_in = (Bytef *)(uintptr_t)bytes.ptr,
                     .avail_in = (uInt)bytes.len};
  if (bytes.len == 0 || bytes.len > UINT32_MAX) {
    return PERI_EPROTO;
  }
  if (inflateInit2(&stream, MAX_WBITS + GZIP_OR_ZLIB) != Z_OK) {
    return PERI_ENOMEM;
  }
  int rc = inflate_all(&stream, limit_bytes, buffer);
  inflateEnd(&stream);
  return rc;
}

struct unit {
  char letter;
  uint64_t ns;
};

// From fine to coarse, as formatting tries them.
static const struct unit units[] = {
    {'n', 1},
    {'u', 1000},
    {'m', 1000000},
    {'S', UINT64_C(1000000000)},
    {'M', UINT64_C(60000000000)},
    {'H', UINT64_C(3600000000000)},
};

enum { UNIT_COUNT = sizeof(units) / sizeof(units[0]) };

int peri_framing_timeout_parse(struct peri_slice text, uint64_t *ret_ns) {
  uint64_t value = 0;
  if (text.len < 2 || text.len > MOST_DIGITS + 1) {
    return PERI_EINVAL;
  }
  for (size_t i = 0; i + 1 < text.len; i++) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9') {
      return PERI_EINVAL;
    }
    value = value * 10 + (uint64_t)(text.ptr[i] - '0');
  }
  for (size_t i = 0; i < UNIT_COUNT; i++) {
    if (units[i].letter == text.ptr[text.len - 1]) {
      *ret_ns =
          value > INT64_MAX / units[i].ns ? INT64_MAX : value * units[i].ns;
      return 0;
    }
  }
  return PERI_EINVAL;
}

void peri_framing_timeout_format(uint64_t ns,
                                 char ret_text[PERI_FRAMING_TIMEOUT_BYTES]) {
  for (size_t i = 0; i < UNIT_COUNT; i++) {
    uint64_t value = ns / units[i].ns + (ns % units[i].ns > 0 ? 1 : 0);
    if (value <= MOST_VALUE) {
      (void)snprintf(ret_text, PERI_FRAMING_TIMEOUT_BYTES, "%u%c",
                     (unsigned)value, units[i].letter);
      return;
    }
  }
}

int peri_framing_status_read(struct peri_slice text) {
  int value = 0;
  if (text.len == 0 || text.len > 3) {
    return -1;
  }
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9') {
      return -1;
    }
    value = value * 10 + (text.ptr[i] - '0');
  }
  return value;
}

int peri_framing_status_of_h2(uint32_t h2_error) {
  static const uint8_t statuses[] = {
      [0x0] = PERI_STATUS_INTERNAL,            // NO_ERROR
      [0x1] = PERI_STATUS_INTERNAL,            // PROTOCOL_ERROR
      [0x2] = PERI_STATUS_INTERNAL,            // INTERNAL_ERROR
      [0x3] = PERI_STATUS_INTERNAL,            // FLOW_CONTROL_ERROR
      [0x4] = PERI_STATUS_INTERNAL,            // SETTINGS_TIMEOUT
      [0x5] = PERI_STATUS_UNKNOWN,             // STREAM_CLOSED has no mapping
      [0x6] = PERI_STATUS_INTERNAL,            // FRAME_SIZE_ERROR
      [0x7] = PERI_STATUS_UNAVAILABLE,         // REFUSED_STREAM
      [0x8] = PERI_STATUS_CANCELLED,           // CANCEL
      [0x9] = PERI_STATUS_INTERNAL,            // COMPRESSION_ERROR
      [0xa] = PERI_STATUS_INTERNAL,            // CONNECT_ERROR
      [0xb] = PERI_STATUS_RESOURCE_EXHAUSTED,  // ENHANCE_YOUR_CALM
      [0xc] = PERI_STATUS_PERMISSION_DENIED,   // INADEQUATE_SECURITY
  };
  return h2_error < sizeof(statuses) ? statuses[h2_error] : PERI_STATUS_UNKNOWN;
}

int peri_framing_status_of_http(int http_status) {
  switch (http_status) {
    case 400:
      return PERI_STATUS_INTERNAL;
    case 401:
      return PERI_STATUS_UNAUTHENTICATED;
    case 403:
      return PERI_STATUS_PERMISSION_DENIED;
    case 404:
      return PERI_STATUS_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return PERI_STATUS_UNAVAILABLE;
    default:
      return PERI_STATUS_UNKNOWN;
  }
}
