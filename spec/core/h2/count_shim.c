#include "h2/count_shim.h"

void count_release(void *owner) {
  struct count_owner *count = owner;
  count->released++;
}

bool count_fits(const struct peri_out *out, size_t frames) {
  return peri_out_fits(out, frames);
}
