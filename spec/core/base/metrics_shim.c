#include "base/metrics_shim.h"

#include <pthread.h>

enum { MOST_THREADS = 16 };

struct hammer {
  struct peri_metric *metric;
  struct peri_histogram *histogram;
  int rounds;
};

static void *strike(void *ctx) {
  const struct hammer *hammer = ctx;
  for (int i = 0; i < hammer->rounds; i++) {
    peri_metric_add(hammer->metric, 1);
    peri_histogram_observe(hammer->histogram, 1000000);
  }
  return NULL;
}

void shim_metrics_hammer(struct peri_metric *metric,
                         struct peri_histogram *histogram, int threads,
                         int rounds) {
  struct hammer hammer = {metric, histogram, rounds};
  pthread_t started[MOST_THREADS];
  int count = 0;
  while (count < threads && count < MOST_THREADS &&
         pthread_create(&started[count], NULL, strike, &hammer) == 0) {
    count++;
  }
  for (int i = 0; i < count; i++) {
    pthread_join(started[i], NULL);
  }
}

static void list(void *ctx, const char *name, const char *labels,
                 int64_t value) {
  // A missing line fails the spec that reads the list.
  (void)peri_buffer_printf(ctx, "%s{%s}=%lld;", name, labels, (long long)value);
}

void shim_metrics_list(struct peri_metrics *metrics,
                       struct peri_buffer *buffer) {
  peri_metrics_each(metrics, list, buffer);
}
