#pragma once

#include "h2/framing.h"

/// What a run of messages gave.
struct shim_framing_result {
  int code;           // of the last feed
  int messages;       // seen
  int direct;         // of these, how many lay within the input
  bool partial;       // a message was under way at the end
  size_t held_bytes;  // memory that still collects
};

/// Feeds `bytes` as a first piece of `first` bytes and then pieces of `step`,
/// and appends `<flag>:<bytes>;` for each message. A message equal to "stop"
/// ends the feed with 7. Messages are kept with peri_framing_keep() when
/// `keep`.
struct shim_framing_result shim_framing_run(struct peri_slice bytes,
                                            size_t first, size_t step,
                                            uint32_t limit, bool keep,
                                            struct peri_buffer *buffer);

/// Compresses with zlib at its best; `gzip` adds a gzip header, else zlib's.
int shim_framing_deflate(struct peri_slice bytes, bool gzip,
                         struct peri_buffer *buffer);
