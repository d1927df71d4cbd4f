#include "h2/out.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

int peri_out_init(struct peri_out *out) {
  char *scratch = malloc(PERI_OUT_SCRATCH_BYTES);
  struct peri_out_part *parts = malloc(PERI_OUT_PARTS * sizeof(*parts));
  memset(out, 0, sizeof(*out));
  if (scratch == NULL || parts == NULL) {
    free(scratch);
    free(parts);
    return PERI_ENOMEM;
  }
  out->scratch = scratch;
  out->parts = parts;
  return 0;
}

void peri_out_done(struct peri_out *out) {
  peri_out_clear(out);
  free(out->scratch);
  free(out->parts);
  memset(out, 0, sizeof(*out));
}

void peri_out_copy(struct peri_out *out, const void *bytes, size_t len) {
  memcpy(out->scratch + out->used, bytes, len);
  if (out->count > 0 && out->parts[out->count - 1].ptr == NULL) {
    out->parts[out->count - 1].len += len;
  } else {
    struct peri_out_part part = {.offset = out->used, .len = len};
    out->parts[out->count++] = part;
  }
  out->used += len;
  out->bytes += len;
}

void peri_out_borrow(struct peri_out *out, const char *bytes, size_t len,
                     void (*release)(void *owner), void *owner) {
  struct peri_out_part part = {
      .ptr = bytes, .len = len, .release = release, .owner = owner};
  out->parts[out->count++] = part;
  out->bytes += len;
}

void peri_out_clear(struct peri_out *out) {
  for (size_t i = 0; i < out->count; i++) {
    if (out->parts[i].release != NULL) {
      out->parts[i].release(out->parts[i].owner);
    }
  }
  out->used = 0;
  out->count = 0;
  out->bytes = 0;
  out->full = false;
}
