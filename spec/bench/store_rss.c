/// Prints resident memory against the budget while ten million values of mixed
/// sizes go through a store, with removals, and readers that hold on to some.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"
#include "store/entry.h"
#include "store/store.h"

enum {
  INSERTIONS = 10000000,
  REPORTS = 5,
  HELD = 256,           // entries that readers keep for a while
  LARGEST = 300 * 1024  // the tail of the sizes
};

static const uint64_t BUDGET_BYTES = UINT64_C(256) << 20;
static const int64_t NOW_NS = 1000000000;

static uint64_t state = 88172645463325252U;

static uint64_t next_random(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static uint64_t resident_bytes(void) {
  FILE *file = fopen("/proc/self/statm", "r");
  unsigned long pages = 0;
  if (file == NULL || fscanf(file, "%*u %lu", &pages) != 1) {
    perror("bench_store_rss");
    exit(1);
  }
  fclose(file);
  return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/// A size between 8 bytes and 4 KiB whose logarithm is spread evenly around a
/// mean that drifts, as the sizes of a real cache do; one in 2,000 is large.
static size_t next_size(size_t turn) {
  if (next_random() % 2000 == 0) {
    return 4096 + next_random() % (LARGEST - 4096);
  }
  double drift = sin((double)turn / 700000.0);
  double power = 6.5 + 1.5 * drift + (double)(next_random() % 3000) / 1000.0;
  return (size_t)pow(2.0, power - 1.5);
}

static struct peri_entry *held[HELD];

static void insert(struct peri_store *store, const char *value, size_t turn) {
  char text[40];
  snprintf(text, sizeof(text), "key:%llu",
           (unsigned long long)(next_random() % (INSERTIONS / 2)));
  struct peri_slice key = peri_slice_of(text);
  struct peri_entry *entry = NULL;
  if (peri_entry_new(key,
                     (struct peri_slice){.ptr = value, .len = next_size(turn)},
                     0, false, &entry) < 0) {
    perror("bench_store_rss");
    exit(1);
  }
  peri_store_set(store, entry, NOW_NS);
  size_t slot = next_random() % (HELD * 64);
  if (slot < HELD) {
    peri_entry_unref(held[slot]);
    held[slot] = peri_entry_ref(entry);
  }
  peri_entry_unref(entry);
  if (turn % 16 == 0) {
    snprintf(text, sizeof(text), "key:%llu",
             (unsigned long long)(next_random() % (INSERTIONS / 2)));
    peri_store_remove(store, peri_slice_of(text), NOW_NS);
  } else if (turn % 2 == 0) {
    snprintf(text, sizeof(text), "key:%llu",
             (unsigned long long)(next_random() % (INSERTIONS / 2)));
    struct peri_entry *found = NULL;
    if (peri_store_get(store, peri_slice_of(text), NOW_NS, &found) == 0) {
      peri_entry_unref(found);
    }
  }
}

int main(void) {
  struct peri_store_options options = {.budget_bytes = BUDGET_BYTES};
  struct peri_store *store = NULL;
  char *value = malloc(LARGEST);
  uint64_t idle_bytes = resident_bytes();
  if (value == NULL || peri_store_new(&options, &store) < 0) {
    return 1;
  }
  memset(value, 'v', LARGEST);
  double worst = 0;
  printf("insertions  charged MiB  resident MiB  of budget\n");
  for (size_t turn = 1; turn <= INSERTIONS; turn++) {
    insert(store, value, turn);
    if (turn % (INSERTIONS / REPORTS / 10) != 0) {
      continue;
    }
    double part = (double)(resident_bytes() - idle_bytes) / BUDGET_BYTES;
    worst = part > worst ? part : worst;
    if (turn % (INSERTIONS / REPORTS) == 0) {
      struct peri_store_stats stats;
      peri_store_stats(store, &stats);
      printf("%10zu  %11.1f  %12.1f  %9.3f\n", turn,
             (double)stats.bytes / 1048576.0,
             (double)(resident_bytes() - idle_bytes) / 1048576.0, part);
    }
  }
  printf("resident at its worst: %.3f of the budget (at most 1.15)\n", worst);
  for (size_t i = 0; i < HELD; i++) {
    peri_entry_unref(held[i]);
  }
  peri_store_free(store);
  free(value);
  return worst <= 1.15 ? 0 : 1;
}
