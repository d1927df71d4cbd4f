#include "h2/framing_shim.h"

#include <string.h>
#include <zlib.h>

#include "base/error.h"
#include "base/slice.h"

struct run {
  struct peri_framing framing;
  struct shim_framing_result result;
  struct peri_slice piece;
  struct peri_buffer *buffer;
  bool keep;
};

static int message(void *ctx, bool compressed, struct peri_slice bytes) {
  struct run *run = ctx;
  struct peri_buffer kept = {.ptr = NULL};
  run->result.messages++;
  run->result.direct += bytes.ptr >= run->piece.ptr &&
                        bytes.ptr <= run->piece.ptr + run->piece.len;
  if (peri_slice_is(bytes, "stop")) {
    return 7;
  }
  if (run->keep && peri_framing_keep(&run->framing, bytes, &kept) == 0) {
    bytes = peri_buffer_slice(&kept);
  }
  int rc = peri_buffer_printf(run->buffer, "%d:", compressed);
  rc = rc < 0 ? rc : peri_buffer_add(run->buffer, bytes.ptr, bytes.len);
  rc = rc < 0 ? rc : peri_buffer_add(run->buffer, ";", 1);
  peri_buffer_done(&kept);
  return rc;
}

struct shim_framing_result shim_framing_run(struct peri_slice bytes,
                                            size_t first, size_t step,
                                            uint32_t limit, bool keep,
                                            struct peri_buffer *buffer) {
  struct run run = {.buffer = buffer, .keep = keep};
  size_t len = first;
  peri_framing_init(&run.framing, limit);
  while (bytes.len > 0 && run.result.code == 0) {
    len = len > bytes.len ? bytes.len : len;
    run.piece = (struct peri_slice){bytes.ptr, len};
    run.result.code = peri_framing_feed(&run.framing, run.piece, message, &run);
    bytes.ptr += len;
    bytes.len -= len;
    len = step;
  }
  run.result.partial = peri_framing_partial(&run.framing);
  run.result.held_bytes = run.framing.buffer.cap;
  peri_framing_done(&run.framing);
  return run.result;
}

int shim_framing_deflate(struct peri_slice bytes, bool gzip,
                         struct peri_buffer *buffer) {
  z_stream stream = {.next_in = (Bytef *)(uintptr_t)bytes.ptr,
                     .avail_in = (uInt)bytes.len};
  int window = MAX_WBITS + (gzip ? 16 : 0);
  if (deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    return PERI_ENOMEM;
  }
  size_t most = deflateBound(&stream, (uLong)bytes.len);
  int rc = peri_buffer_reserve(buffer, most);
  if (rc == 0) {
    stream.next_out = (Bytef *)(buffer->ptr + buffer->len);
    stream.avail_out = (uInt)most;
    rc = deflate(&stream, Z_FINISH) == Z_STREAM_END ? 0 : PERI_EIO;
    buffer->len += most - stream.avail_out;
  }
  deflateEnd(&stream);
  return rc;
}
