#include "model/ring_shim.h"

uint64_t ring_shim_numeric(struct peri_slice bytes) {
  uint64_t number = 0;

  for (size_t i = 0; i < bytes.len; i++) {
    number = number * 10 + (uint64_t)(bytes.ptr[i] - '0');
  }
  return number;
}

uint64_t ring_shim_constant(struct peri_slice bytes) {
  (void)bytes;
  return 7;
}
