#include "app/memory.h"

#include <malloc.h>

enum { LEAST_SPARE_BYTES = 64 << 20 };

static const uint64_t look_every_ns = 10000000000;

bool peri_memory_trim(struct peri_memory *memory, uint64_t now_ns) {
  if (memory->looked_ns != 0 && now_ns - memory->looked_ns < look_every_ns) {
    return false;
  }
  memory->looked_ns = now_ns;
  // What was given back still counts as unused, so only more of it says that
  // there is something to give.
  size_t spare_bytes = mallinfo2().fordblks;
  bool much = spare_bytes >= memory->spare_bytes + LEAST_SPARE_BYTES;
  if (much) {
    (void)malloc_trim(0);
  }
  if (much || spare_bytes < memory->spare_bytes) {
    memory->spare_bytes = spare_bytes;
  }
  return much;
}
