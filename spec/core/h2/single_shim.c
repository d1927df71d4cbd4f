#include "h2/single_shim.h"

struct peri_single_fault shim_single_run(struct peri_slice bytes, size_t step,
                                         int encoding, uint32_t limit,
                                         struct peri_buffer *buffer) {
  struct peri_single single;
  struct peri_single_fault fault = {.code = 0};
  struct peri_slice message;
  int rc = 0;
  peri_single_init(&single, limit);
  while (bytes.len > 0 && rc == 0) {
    struct peri_slice piece = {bytes.ptr, bytes.len < step ? bytes.len : step};
    rc = peri_single_feed(&single, piece, &fault);
    bytes.ptr += piece.len;
    bytes.len -= piece.len;
  }
  if (rc == 0 &&
      peri_single_finish(&single, (enum peri_single_encoding)encoding, &message,
                         &fault) == 0) {
    (void)peri_buffer_add(buffer, message.ptr, message.len);
  }
  peri_single_done(&single);
  return fault;
}
