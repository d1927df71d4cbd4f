/// Prints the operations per second of the store with 16 shards and with one,
/// at one and at two threads: nineteen gets to one set, keys drawn evenly or by
/// Zipf, with the key written and the value copied out as a call would. Rates
/// are per second that the threads had a processor, so that other work on the
/// machine does not show as contention; spinning and yielding does.
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/types.h"
#include "store/entry.h"
#include "store/store.h"

enum {
  KEYS = 1000000,
  SEQUENCE = 1 << 22,
  BATCH = 256,
  VALUE_BYTES = 100,
  RUN_MS = 300,
  RUNS = 5,
  KEY_BYTES = 24,
  MAX_THREADS = 2
};

static const int64_t NOW_NS = 1000000000;

struct bench {
  struct peri_store *store;
  uint32_t *sequence;  // key numbers by popularity
  atomic_bool go;
  atomic_bool stop;
};

struct runner {
  _Alignas(128) pthread_t thread;
  struct bench *bench;
  size_t start;
  double rate;  // operations per second
};

static void *must(void *memory) {
  if (memory == NULL) {
    perror("bench_store");
    exit(1);
  }
  return memory;
}

/// Draws the sequence by inverting the sums of Zipf's distribution, which is
/// even for an exponent of 0.
static void draw(struct bench *bench, double exponent) {
  double *sums = must(malloc(KEYS * sizeof(*sums)));
  double sum = 0;
  for (int i = 0; i < KEYS; i++) {
    sum += 1.0 / pow(i + 1, exponent);
    sums[i] = sum;
  }
  uint64_t random = 88172645463325252U;
  for (size_t i = 0; i < SEQUENCE; i++) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    double at = (double)(random >> 11) / 9007199254740992.0 * sum;
    size_t low = 0;
    size_t high = KEYS - 1;
    while (low < high) {
      size_t middle = (low + high) / 2;
      if (sums[middle] < at) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    bench->sequence[i] = (uint32_t)low;
  }
  free(sums);
}

static struct peri_slice key_of(uint32_t number, char text[KEY_BYTES]) {
  int len = snprintf(text, KEY_BYTES, "bench:key:%08u", number);
  return (struct peri_slice){.ptr = text, .len = (size_t)len};
}

static void set(struct bench *bench, uint32_t number) {
  static const char bytes[VALUE_BYTES];
  struct peri_slice value = {.ptr = bytes, .len = sizeof(bytes)};
  char text[KEY_BYTES];
  struct peri_entry *entry = NULL;
  if (peri_entry_new(key_of(number, text), value, 0, false, &entry) == 0) {
    peri_store_set(bench->store, entry, NOW_NS);
    peri_entry_unref(entry);
  }
}

static void operate(struct bench *bench, size_t at, char *out) {
  uint32_t number = bench->sequence[at % SEQUENCE];
  char text[KEY_BYTES];
  struct peri_entry *entry = NULL;
  if (at % 20 == 0) {
    set(bench, number);
  } else if (peri_store_get(bench->store, key_of(number, text), NOW_NS,
                            &entry) == 0) {
    struct peri_slice value = peri_entry_value(entry);
    memcpy(out, value.ptr, value.len);
    peri_entry_unref(entry);
  }
}

static double processor_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void *run(void *arg) {
  struct runner *runner = arg;
  struct bench *bench = runner->bench;
  size_t at = runner->start;
  uint64_t ops = 0;
  char out[VALUE_BYTES];
  while (!atomic_load(&bench->go)) {
  }
  double before = processor_seconds();
  while (!atomic_load_explicit(&bench->stop, memory_order_relaxed)) {
    for (int i = 0; i < BATCH; i++) {
      operate(bench, at, out);
      at++;
    }
    ops += BATCH;
  }
  runner->rate = (double)ops / (processor_seconds() - before);
  return NULL;
}

/// Operations per second of one run.
static double measure(struct bench *bench, unsigned threads) {
  struct runner runners[MAX_THREADS] = {0};
  atomic_store(&bench->go, false);
  atomic_store(&bench->stop, false);
  for (unsigned i = 0; i < threads; i++) {
    runners[i].bench = bench;
    runners[i].start = i * (SEQUENCE / 2 + 7);
    if (pthread_create(&runners[i].thread, NULL, run, &runners[i]) != 0) {
      must(NULL);
    }
  }
  struct timespec span = {.tv_nsec = RUN_MS * 1000000L};
  atomic_store(&bench->go, true);
  nanosleep(&span, NULL);
  atomic_store(&bench->stop, true);
  double rate = 0;
  for (unsigned i = 0; i < threads; i++) {
    pthread_join(runners[i].thread, NULL);
    rate += runners[i].rate;
  }
  return rate;
}

static double middle(double values[RUNS]) {
  for (int i = 1; i < RUNS; i++) {
    for (int j = i; j > 0 && values[j] < values[j - 1]; j--) {
      double other = values[j];
      values[j] = values[j - 1];
      values[j - 1] = other;
    }
  }
  return values[RUNS / 2];
}

/// The median of runs at one and at two threads, taken in turns so that both
/// see the same weather.
static void table_row(struct bench *bench, uint32_t shards,
                      double ret_ops[MAX_THREADS]) {
  struct peri_store_options options = {.shards = shards};
  if (peri_store_new(&options, &bench->store) < 0) {
    must(NULL);
  }
  for (uint32_t i = 0; i < KEYS; i++) {
    set(bench, i);
  }
  double ops[MAX_THREADS][RUNS];
  for (int i = 0; i < RUNS; i++) {
    ops[0][i] = measure(bench, 1);
    ops[1][i] = measure(bench, 2);
  }
  ret_ops[0] = middle(ops[0]);
  ret_ops[1] = middle(ops[1]);
  printf("%6u  %12.2f  %12.2f  %6.2f\n", shards, ret_ops[0] / 1e6,
         ret_ops[1] / 1e6, ret_ops[1] / ret_ops[0]);
  peri_store_free(bench->store);
}

static void table(struct bench *bench, const char *name, double exponent) {
  double sharded[MAX_THREADS];
  double single[MAX_THREADS];
  draw(bench, exponent);
  printf("%s\nshards  1 thr Mops/s  2 thr Mops/s   ratio\n", name);
  table_row(bench, 16, sharded);
  table_row(bench, 1, single);
  printf("two threads: 16 shards do %.2f x the operations of one lock\n",
         sharded[1] / single[1]);
}

int main(void) {
  struct bench bench = {
      .sequence = must(malloc(SEQUENCE * sizeof(*bench.sequence))),
  };
  table(&bench, "a million keys, drawn evenly", 0);
  table(&bench, "a million keys, Zipf 0.99", 0.99);
  free(bench.sequence);
  return 0;
}
