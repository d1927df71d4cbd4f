// The gRPC framing: the same messages must come out however the input is cut,
// for the bare codec as for the collector of single messages; decompression and
// timeouts besides.
#include <stdlib.h>
#include <string.h>

#include "h2/framing.h"
#include "h2/single.h"

enum { LIMIT_BYTES = 2000 };

struct seen {
  struct peri_framing framing;
  struct peri_buffer all;
  bool keep;
};

static void insist(bool truth) {
  if (!truth) {
    abort();
  }
}

static int message(void *ctx, bool compressed, struct peri_slice bytes) {
  struct seen *seen = ctx;
  struct peri_buffer kept = {.ptr = NULL};
  char head[2] = {compressed ? 'c' : 'p', ';'};
  insist(bytes.len <= LIMIT_BYTES);
  if (seen->keep) {
    insist(peri_framing_keep(&seen->framing, bytes, &kept) == 0);
    bytes = peri_buffer_slice(&kept);
  }
  insist(peri_buffer_add(&seen->all, head, sizeof(head)) == 0);
  insist(peri_buffer_add(&seen->all, bytes.ptr, bytes.len) == 0);
  peri_buffer_done(&kept);
  return 0;
}

static int feed(struct seen *seen, struct peri_slice bytes, size_t step) {
  int rc = 0;
  peri_framing_init(&seen->framing, LIMIT_BYTES);
  while (bytes.len > 0 && rc == 0) {
    struct peri_slice piece = {bytes.ptr, bytes.len < step ? bytes.len : step};
    rc = peri_framing_feed(&seen->framing, piece, message, seen);
    bytes.ptr += piece.len;
    bytes.len -= piece.len;
  }
  return rc;
}

static void try_framing(struct peri_slice bytes, size_t step) {
  struct seen whole = {.keep = false};
  struct seen cut = {.keep = true};
  int whole_rc = feed(&whole, bytes, bytes.len);
  insist(feed(&cut, bytes, step) == whole_rc);
  insist(whole.all.len == cut.all.len);
  insist(whole.all.len == 0 ||
         memcmp(whole.all.ptr, cut.all.ptr, whole.all.len) == 0);
  insist(peri_framing_partial(&whole.framing) ==
         peri_framing_partial(&cut.framing));
  peri_framing_done(&whole.framing);
  peri_framing_done(&cut.framing);
  peri_buffer_done(&whole.all);
  peri_buffer_done(&cut.all);
}

static void try_single(struct peri_slice bytes, size_t step) {
  struct peri_single single;
  struct peri_single_fault fault = {.code = 0};
  struct peri_slice got;
  int rc = 0;
  peri_single_init(&single, LIMIT_BYTES);
  while (bytes.len > 0 && rc == 0) {
    struct peri_slice piece = {bytes.ptr, bytes.len < step ? bytes.len : step};
    rc = peri_single_feed(&single, piece, &fault);
    bytes.ptr += piece.len;
    bytes.len -= piece.len;
  }
  if (rc == 0) {
    rc = peri_single_finish(&single, PERI_ENCODING_ZLIB, &got, &fault);
  }
  insist(rc == fault.code && (rc < 0 || got.len <= LIMIT_BYTES));
  insist(rc == 0 || (fault.status > 0 && fault.words[0] != '\0'));
  peri_single_done(&single);
}

static void try_timeout(struct peri_slice bytes) {
  char text[PERI_FRAMING_TIMEOUT_BYTES];
  uint64_t ns = 0;
  uint64_t again = 0;
  if (peri_framing_timeout_parse(bytes, &ns) < 0) {
    return;
  }
  peri_framing_timeout_format(ns, text);
  struct peri_slice written = {text, strlen(text)};
  insist(peri_framing_timeout_parse(written, &again) == 0 && again >= ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  struct peri_buffer plain = {.ptr = NULL};
  if (len == 0) {
    return 0;
  }
  // The first byte says how the rest is cut.
  size_t step = (size_t)bytes[0] + 1;
  struct peri_slice rest = {(const char *)bytes + 1, len - 1};
  try_framing(rest, step);
  try_single(rest, step);
  try_timeout(rest);
  if (peri_framing_gunzip(rest, LIMIT_BYTES, &plain) == 0) {
    insist(plain.len <= LIMIT_BYTES);
  }
  peri_buffer_done(&plain);
  return 0;
}
