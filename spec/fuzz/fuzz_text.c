// Everything in base that reads text from outside: durations, sizes, addresses,
// percent encoding, UTF-8 and JSON. What is accepted must survive being written
// and read again.
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/address.h"
#include "base/json.h"
#include "base/slice.h"
#include "base/text.h"

enum { TEXT_BYTES = 4096 };

static void insist(bool truth) {
  if (!truth) {
    abort();
  }
}

static void try_address(struct peri_slice text) {
  struct peri_address first;
  struct peri_address again;
  struct sockaddr_storage socket;
  char written[300];
  if (peri_address_parse(text, &first) < 0) {
    return;
  }
  size_t len = peri_address_format(&first, written, sizeof(written));
  insist(len < sizeof(written) && strlen(written) == len);
  insist(peri_address_parse(peri_slice_of(written), &again) == 0);
  insist(again.kind == first.kind && again.port == first.port);
  (void)peri_address_sockaddr(&first, (struct sockaddr *)&socket);
}

static void try_percent(struct peri_slice text) {
  char encoded[3 * TEXT_BYTES + 1];
  char decoded[3 * TEXT_BYTES + 1];
  char cut[17];
  (void)peri_text_percent_decode(text, decoded, sizeof(decoded));
  insist(peri_text_percent_decode(text, cut, sizeof(cut)) < sizeof(cut));
  insist(peri_text_percent_encode(text, cut, sizeof(cut)) < sizeof(cut));
  size_t len = peri_text_percent_encode(text, encoded, sizeof(encoded));
  struct peri_slice whole = {encoded, len};
  len = peri_text_percent_decode(whole, decoded, sizeof(decoded));
  if (peri_slice_is_utf8(text)) {
    insist(len == text.len && memcmp(decoded, text.ptr, len) == 0);
  }
}

static void try_json(struct peri_slice text) {
  struct peri_problem problem;
  struct peri_json *json = NULL;
  struct peri_json *again = NULL;
  struct peri_buffer written = {.ptr = NULL};
  if (peri_json_parse(text, &json, &problem) < 0) {
    return;
  }
  insist(peri_json_dump(json, false, &written) == 0);
  insist(peri_json_parse(peri_buffer_slice(&written), &again, &problem) == 0);
  insist(peri_json_type(json) == peri_json_type(again) &&
         peri_json_size(json) == peri_json_size(again));
  peri_buffer_done(&written);
  peri_json_unref(json);
  peri_json_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  static const char *const words[] = {"workers", "listen", "groups", ""};
  char word[TEXT_BYTES + 1];
  struct peri_slice text = {(const char *)bytes, len};
  int64_t ns = 0;
  uint64_t size = 0;
  if (len > TEXT_BYTES) {
    return 0;
  }
  insist(peri_text_duration(text, &ns) < 0 || ns >= 0);
  (void)peri_text_size(text, &size);
  memcpy(word, bytes, len);
  word[len] = '\0';
  (void)peri_text_nearest(word, words, 4);
  try_address(text);
  try_percent(text);
  try_json(text);
  return 0;
}
