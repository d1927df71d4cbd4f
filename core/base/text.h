#pragma once

#include "base/types.h"

/// Parses "250ms", "2s", "5m", "1h", "3d", "1.5s", "10us", "7ns"; a unit is
/// required except for "0". @return 0, or PERI_EINVAL (also when it is negative
/// or would not fit).
int peri_text_duration(struct peri_slice text, int64_t *ret_ns);

/// Parses "64MiB", "10KB", "512B", "4096" (KB, MB, GB are powers of 1000; KiB,
/// MiB, GiB of 1024; bare numbers are bytes). @return 0, or PERI_EINVAL.
int peri_text_size(struct peri_slice text, uint64_t *ret_bytes);

/// The element of `words` that is nearest to `word` by edit distance, or NULL
/// when none is near enough to be meant (distance > 1 + len/3).
const char *peri_text_nearest(const char *word, const char *const *words,
                              size_t count);

/// Writes `bytes` percent-encoded as gRPC does for `grpc-message` (every byte
/// outside 0x20–0x7E and '%' itself becomes %XX, and so does a space at either
/// end). `ret_text` holds `capacity` bytes with the final NUL; longer texts are
/// cut at a whole character. Returns the length without the NUL.
size_t peri_text_percent_encode(struct peri_slice bytes, char *ret_text,
                                size_t capacity);

/// Undoes percent encoding; what is not a valid escape is kept as it is (as
/// gRPC asks). Same rules for `ret_text` and the return value.
size_t peri_text_percent_decode(struct peri_slice text, char *ret_text,
                                size_t capacity);

/// Whether the value of something by that name (a header, a key of metadata or
/// of a configuration) sounds as if it were nobody's business: rather too often
/// than too seldom.
bool peri_text_is_secret(const char *name);

/// Makes bytes from others fit to be printed, in place: tabs and new lines
/// become spaces; each control character (those of U+0080 to U+009F, too), each
/// mark that turns the direction of text or ends a line, and each byte that is
/// not UTF-8 becomes a '?'. Returns the length, which never grows.
size_t peri_text_clean(char *bytes, size_t len);
