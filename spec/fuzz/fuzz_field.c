// Fields of a gRPC body by their path: what is found lies in the body, and
// neither more bytes nor fewer change a number that was whole.
#include <stdlib.h>
#include <string.h>

#include "script/field.h"

enum { PATH_BYTES = 6 };

static void insist(bool truth) {
  if (!truth) {
    abort();
  }
}

static bool within(struct peri_slice part, struct peri_slice whole) {
  return part.len == 0 ||
         (part.ptr >= whole.ptr && part.len <= whole.len &&
          part.ptr - whole.ptr <= (ptrdiff_t)(whole.len - part.len));
}

static void look(struct peri_slice body, const struct peri_field_path *path) {
  char digits[PERI_FIELD_DIGITS];
  char again[PERI_FIELD_DIGITS];
  struct peri_slice value, longer;

  if (!peri_field_find(body, path, digits, &value)) {
    return;
  }
  insist(value.ptr == digits ? value.len < sizeof(digits)
                             : within(value, body));
  // With one byte more, the same is found, unless that was beyond a message.
  char *more = malloc(body.len + 1);
  insist(more != NULL);
  memcpy(more, body.ptr, body.len);
  more[body.len] = 8;
  struct peri_slice whole = {more, body.len + 1};
  insist(peri_field_find(whole, path, again, &longer));
  insist(longer.len == value.len &&
         (value.len == 0 || memcmp(longer.ptr, value.ptr, value.len) == 0));
  free(more);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
  struct peri_field_path path;

  if (size < PATH_BYTES) {
    return 0;
  }
  struct peri_slice text = {(const char *)data, PATH_BYTES};
  while (text.len > 0 && text.ptr[text.len - 1] == ' ') {
    text.len--;
  }
  struct peri_slice body = {(const char *)data + PATH_BYTES, size - PATH_BYTES};
  if (peri_field_path(text, &path) == 0) {
    look(body, &path);
  }
  path = (struct peri_field_path){{data[0] % 4 + 1u, data[1] % 4 + 1u},
                                  1 + data[2] % 2};
  look(body, &path);
  return 0;
}
