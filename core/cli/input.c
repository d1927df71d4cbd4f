#include "cli/input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MOST_BYTES = 64 << 20, READ_BYTES = 65536 };

static int read_all(FILE *from, struct peri_buffer *bytes,
                    struct peri_problem *ret_problem) {
  for (;;) {
    if (peri_buffer_reserve(bytes, READ_BYTES) < 0) {
      return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
    }
    size_t got = fread(bytes->ptr + bytes->len, 1, READ_BYTES, from);
    bytes->len += got;
    if (ferror(from)) {
      return peri_problem_set(ret_problem, PERI_EIO, "%s", strerror(errno));
    }
    if (bytes->len > MOST_BYTES) {
      return peri_problem_set(ret_problem, PERI_ELIMIT,
                              "the input is larger than 64 MiB");
    }
    if (got == 0) {
      return 0;
    }
  }
}

int peri_cli_read(const char *file, struct peri_buffer *bytes,
                  struct peri_problem *ret_problem) {
  if (strcmp(file, "-") == 0) {
    return read_all(stdin, bytes, ret_problem);
  }
  FILE *from = fopen(file, "rb");
  if (from == NULL) {
    return peri_problem_set(ret_problem, PERI_EIO, "%s: %s", file,
                            strerror(errno));
  }
  int rc = read_all(from, bytes, ret_problem);
  fclose(from);
  return rc;
}

static bool is_space(char byte) {
  return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/// How many bytes the value has that `text` begins with.
static size_t length_of(struct peri_slice text) {
  size_t depth = 0;
  bool string = false;
  for (size_t i = 0; i < text.len; i++) {
    char byte = text.ptr[i];
    if (string && byte == '\\') {
      i++;
    } else if (byte == '"') {
      string = !string;
    } else if (!string && (byte == '{' || byte == '[')) {
      depth++;
    } else if (!string && (byte == '}' || byte == ']') && depth > 0) {
      depth--;
    } else if (string || depth > 0 || !is_space(byte)) {
      continue;
    } else {
      return i;
    }
    if (!string && depth == 0 && byte != '\\') {
      return i + 1;
    }
  }
  return text.len;
}

struct peri_slice peri_cli_next_json(struct peri_slice *left) {
  while (left->len > 0 && is_space(left->ptr[0])) {
    left->ptr++;
    left->len--;
  }
  struct peri_slice value = {left->ptr, length_of(*left)};
  left->ptr += value.len;
  left->len -= value.len;
  return value;
}
