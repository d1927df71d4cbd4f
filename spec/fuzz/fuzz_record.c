// Records as hostile writers put them: read, written again, and kept in a
// directory that is asked for its endpoints.
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "model/peers.h"
#include "registry/directory.h"
#include "registry/record.h"

enum { NS_PER_S = 1000000000, KEY_BYTES = 16 };

static const char prefix[] = "c/";

/// What was read can be written, and reads the same.
static void check_round_trip(struct peri_slice value) {
  struct peri_record_read first, second;
  struct peri_problem problem;
  struct peri_buffer text = {0};
  if (peri_record_read(value, &first, &problem) < 0) {
    return;
  }
  if (peri_record_write(&first.record, &text) == 0) {
    if (peri_record_read(peri_buffer_slice(&text), &second, &problem) < 0 ||
        !peri_slice_equal(first.record.address, second.record.address) ||
        first.record.weight != second.record.weight) {
      abort();
    }
    peri_record_done(&second);
  }
  peri_buffer_done(&text);
  peri_record_done(&first);
}

/// One byte says what is done, the next which key, then how long the value is.
static void play(struct peri_directory *directory, const uint8_t *data,
                 size_t size) {
  int64_t revision = 1;
  uint64_t now_ns = NS_PER_S;
  struct peri_problem problem;
  while (size >= 3) {
    char key[KEY_BYTES] = "c/";
    size_t len = data[2] < size - 3 ? data[2] : size - 3;
    struct peri_slice value = {(const char *)data + 3, len};
    key[2] = (char)('a' + data[1] % 8);
    struct peri_slice name = {key, 3};
    now_ns += (uint64_t)(data[0] >> 4) * (NS_PER_S / 4);
    if (data[0] % 4 == 0) {
      peri_directory_delete(directory, name, revision++, now_ns);
    } else if (data[0] % 4 == 1) {
      peri_directory_tick(directory, now_ns);
    } else {
      check_round_trip(value);
      peri_directory_put(directory, name, value, revision++, 1, now_ns,
                         &problem);
    }
    data += 3 + len;
    size -= 3 + len;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct peri_directory *directory = NULL;
  struct peri_peers *peers = NULL;
  struct peri_problem problem;
  if (peri_directory_new(peri_slice_of("c"), peri_slice_of(prefix), 30000,
                         &directory) < 0) {
    return 0;
  }
  peri_directory_load_begin(directory, false);
  peri_directory_load_end(directory, 1, NS_PER_S);
  play(directory, data, size);
  if (peri_directory_peers(directory, peri_slice_of("10.0.0.1:1"), &peers,
                           &problem) == 0) {
    peri_peers_unref(peers);
  }
  peri_directory_free(directory);
  return 0;
}
