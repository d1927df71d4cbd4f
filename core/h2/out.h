#pragma once

#include "base/types.h"

enum {
  PERI_OUT_SCRATCH_BYTES = 131072,  // copied bytes of one write
  PERI_OUT_PARTS = 256,             // iovecs of one write
  PERI_OUT_BYTES = 1048576,         // copied and borrowed bytes of one write
  PERI_OUT_FRAME_BYTES = 20480,     // room that one copied frame may need
  PERI_OUT_FRAME_PARTS = 40,        // parts that one DATA frame may need
  PERI_OUT_BORROW_BYTES = 2048      // smaller pieces are cheaper to copy
};

/// A run of bytes of a gathered write. `ptr` is NULL for copied bytes, which
/// lie at `offset` in the scratch.
struct peri_out_part {
  const char *ptr;
  size_t offset;
  size_t len;
  void (*release)(void *owner);  // NULL when nothing is to be given back
  void *owner;
};

/// Everything that one connection has to say in one loop iteration, gathered
/// for one write. One of these is shared by all connections of a loop: it is
/// filled and emptied within one turn. Loop thread only.
struct peri_out {
  char *scratch;
  struct peri_out_part *parts;
  size_t used;   // bytes in scratch
  size_t count;  // parts
  size_t bytes;  // of all parts
  bool full;     // something did not fit any more
};

/// @return 0 or PERI_ENOMEM.
int peri_out_init(struct peri_out *out);

/// Releases what is held and frees the memory. Fine on a zeroed struct.
void peri_out_done(struct peri_out *out);

/// Whether `frames` more copied frames of full size fit, whatever they hold.
static inline bool peri_out_fits(const struct peri_out *out, size_t frames) {
  return out->used + frames * PERI_OUT_FRAME_BYTES <= PERI_OUT_SCRATCH_BYTES &&
         out->count + frames * PERI_OUT_FRAME_PARTS <= PERI_OUT_PARTS &&
         out->bytes < PERI_OUT_BYTES;
}

/// Appends a copy. The caller has asked peri_out_fits().
void peri_out_copy(struct peri_out *out, const void *bytes, size_t len);

/// Appends bytes by reference; `release(owner)`, unless NULL, is called once
/// they have been written. The caller has asked peri_out_fits().
void peri_out_borrow(struct peri_out *out, const char *bytes, size_t len,
                     void (*release)(void *owner), void *owner);

/// Releases every part and leaves it empty.
void peri_out_clear(struct peri_out *out);
