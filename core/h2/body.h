#pragma once

#include "base/types.h"
#include "h2/out.h"
#include "h2/stream.h"

/// What a body holds without an allocation.
enum {
  PERI_BODY_SEGMENTS = 6,  // held without an allocation
  // Small copied pieces held without an allocation; below
  // PERI_OUT_BORROW_BYTES, since what is here must be copied into a write.
  PERI_BODY_ROOM_BYTES = 1536
};

/// A piece in line: copied, or borrowed until it is released.
struct peri_h2_segment {
  const char *ptr;
  size_t len;
  void (*release)(void *owner);
  void *owner;
};

/// The unsent body bytes of one stream, oldest first: borrowed pieces by
/// reference, small ones copied together. Zero-initialise it, then
/// peri_h2_body_init(). Loop thread only.
struct peri_h2_body {
  struct peri_h2_segment *segments;  // a ring
  uint32_t capacity;
  uint32_t head;
  uint32_t count;
  uint32_t room_used;
  size_t bytes;
  bool split;        // a part of the first segment is in a write already
  const void *lent;  // the copied block that a write refers to, or NULL
  struct peri_h2_segment own[PERI_BODY_SEGMENTS];
  char room[PERI_BODY_ROOM_BYTES];
};

/// Makes it empty.
void peri_h2_body_init(struct peri_h2_body *body);

/// Queues pieces. @return 0, or PERI_ENOMEM: nothing was queued and nothing
/// released.
int peri_h2_body_add(struct peri_h2_body *body,
                     const struct peri_h2_piece *pieces, size_t count);

/// Moves the first `len` bytes (at most `bytes`) into `out`.
void peri_h2_body_take(struct peri_h2_body *body, size_t len,
                       struct peri_out *out);

/// Releases everything and frees what was allocated.
void peri_h2_body_done(struct peri_h2_body *body);

/// Calls the release of every piece that has one.
void peri_h2_pieces_release(const struct peri_h2_piece *pieces, size_t count);
