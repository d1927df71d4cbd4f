#include "base/metrics.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/slice.h"

enum {
  SLOTS = 8,
  CACHE_LINE = 64,
  BUCKETS = 16,
  MOST_SERIES = 1000,
  MOST_FAMILIES = 1000,
  NANOS = 1000000000
};

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct slot {
  alignas(CACHE_LINE) int64_t value;
};

struct peri_metric {
  struct slot slots[SLOTS];
};

struct timing_slot {
  alignas(CACHE_LINE) uint64_t counts[BUCKETS + 1];
  uint64_t sum_ns;
};

struct peri_histogram {
  struct timing_slot slots[SLOTS];
};

// `value` is a struct peri_metric or peri_histogram, as the family's kind says.
struct series {
  struct series *next;
  uint64_t hash;
  char *labels;
  void *value;
};

struct family {
  struct family *next;
  enum kind kind;
  char *name;
  char *help;
  size_t count;
  struct series *first;
  struct series **last;
};

struct peri_metrics {
  pthread_mutex_t lock;
  struct family *first;
  struct family **last;
  size_t count;
  // Written where memory ran out, and never shown.
  struct peri_metric lost_metric;
  struct peri_histogram lost_histogram;
};

static const uint64_t bounds_ns[BUCKETS] = {
    100000,     250000,     500000,     1000000,    2500000,   5000000,
    10000000,   25000000,   50000000,   100000000,  250000000, 500000000,
    1000000000, 2500000000, 5000000000, 10000000000};

static const char *const bounds_text[BUCKETS + 1] = {
    "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005",
    "0.01",   "0.025",   "0.05",   "0.1",   "0.25",   "0.5",
    "1",      "2.5",     "5",      "10",    "+Inf"};

static const char *const kinds[] = {"counter", "gauge", "histogram"};

// Each thread keeps to one slot, so its increments stay in its own cache.
static size_t own_slot(void) {
  static size_t threads;
  static _Thread_local size_t own;
  if (own == 0) {
    own = 1 + __atomic_fetch_add(&threads, 1, __ATOMIC_RELAXED) % SLOTS;
  }
  return own - 1;
}

struct peri_metrics *peri_metrics_new(void) {
  struct peri_metrics *metrics = aligned_alloc(CACHE_LINE, sizeof(*metrics));
  if (metrics == NULL) {
    return NULL;
  }
  memset(metrics, 0, sizeof(*metrics));
  if (pthread_mutex_init(&metrics->lock, NULL) != 0) {
    free(metrics);
    return NULL;
  }
  metrics->last = &metrics->first;
  return metrics;
}

static void series_free(struct series *series) {
  free(series->labels);
  free(series->value);
  free(series);
}

static void family_free(struct family *family) {
  struct series *series = family->first;
  while (series != NULL) {
    struct series *next = series->next;
    series_free(series);
    series = next;
  }
  free(family->name);
  free(family->help);
  free(family);
}

void peri_metrics_free(struct peri_metrics *metrics) {
  if (metrics == NULL) {
    return;
  }
  struct family *family = metrics->first;
  while (family != NULL) {
    struct family *next = family->next;
    family_free(family);
    family = next;
  }
  pthread_mutex_destroy(&metrics->lock);
  free(metrics);
}

static struct family *family_new(enum kind kind, const char *name,
                                 const char *help) {
  struct family *family = calloc(1, sizeof(*family));
  if (family == NULL) {
    return NULL;
  }
  family->kind = kind;
  family->name = peri_slice_dup(peri_slice_of(name));
  family->help = peri_slice_dup(peri_slice_of(help));
  family->last = &family->first;
  if (family->name == NULL || family->help == NULL) {
    family_free(family);
    return NULL;
  }
  return family;
}

static struct family *family_find(struct peri_metrics *metrics, enum kind kind,
                                  const char *name, const char *help) {
  for (struct family *family = metrics->first; family != NULL;
       family = family->next) {
    if (strcmp(family->name, name) == 0) {
      // One name cannot be two kinds; the second user gets nothing shown.
      return family->kind == kind ? family : NULL;
    }
  }
  if (metrics->count == MOST_FAMILIES) {
    return NULL;
  }
  struct family *family = family_new(kind, name, help);
  if (family != NULL) {
    *metrics->last = family;
    metrics->last = &family->next;
    metrics->count++;
  }
  return family;
}

static struct series *series_new(enum kind kind, struct peri_slice labels,
                                 uint64_t hash) {
  size_t bytes = kind == HISTOGRAM ? sizeof(struct peri_histogram)
                                   : sizeof(struct peri_metric);
  struct series *series = calloc(1, sizeof(*series));
  if (series == NULL) {
    return NULL;
  }
  series->hash = hash;
  series->labels = peri_slice_dup(labels);
  series->value = aligned_alloc(CACHE_LINE, bytes);
  if (series->labels == NULL || series->value == NULL) {
    series_free(series);
    return NULL;
  }
  memset(series->value, 0, bytes);
  return series;
}

static struct series *series_lookup(const struct family *family,
                                    struct peri_slice labels, uint64_t hash) {
  struct series *series = family->first;
  while (series != NULL &&
         (series->hash != hash || !peri_slice_is(labels, series->labels))) {
    series = series->next;
  }
  return series;
}

static struct series *series_find(struct family *family,
                                  struct peri_slice labels) {
  uint64_t hash = peri_hash_xxh3(labels, 0);
  struct series *series = series_lookup(family, labels, hash);
  if (series == NULL && family->count >= MOST_SERIES) {
    labels = peri_slice_of("overflow=\"true\"");
    hash = peri_hash_xxh3(labels, 0);
    series = series_lookup(family, labels, hash);
  }
  if (series != NULL) {
    return series;
  }
  series = series_new(family->kind, labels, hash);
  if (series != NULL) {
    *family->last = series;
    family->last = &series->next;
    family->count++;
  }
  return series;
}

static void *find(struct peri_metrics *metrics, enum kind kind,
                  const char *name, const char *help, const char *labels) {
  struct series *series = NULL;
  pthread_mutex_lock(&metrics->lock);
  struct family *family = family_find(metrics, kind, name, help);
  if (family != NULL) {
    series = series_find(family, peri_slice_of(labels));
  }
  pthread_mutex_unlock(&metrics->lock);
  return series != NULL ? series->value : NULL;
}

struct peri_metric *peri_metrics_counter(struct peri_metrics *metrics,
                                         const char *name, const char *help,
                                         const char *labels) {
  struct peri_metric *metric = find(metrics, COUNTER, name, help, labels);
  return metric != NULL ? metric : &metrics->lost_metric;
}

struct peri_metric *peri_metrics_gauge(struct peri_metrics *metrics,
                                       const char *name, const char *help,
                                       const char *labels) {
  struct peri_metric *metric = find(metrics, GAUGE, name, help, labels);
  return metric != NULL ? metric : &metrics->lost_metric;
}

struct peri_histogram *peri_metrics_histogram(struct peri_metrics *metrics,
                                              const char *name,
                                              const char *help,
                                              const char *labels) {
  struct peri_histogram *histogram =
      find(metrics, HISTOGRAM, name, help, labels);
  return histogram != NULL ? histogram : &metrics->lost_histogram;
}

// Appends to `ret_text` of `capacity` bytes; false when it does not fit.
static bool put(char *ret_text, size_t capacity, size_t *at, const char *bytes,
                size_t len) {
  if (len >= capacity - *at) {
    return false;
  }
  memcpy(ret_text + *at, bytes, len);
  *at += len;
  return true;
}

static bool put_value(char *ret_text, size_t capacity, size_t *at,
                      struct peri_slice value) {
  while (value.len > 0) {
    size_t taken = peri_slice_utf8_length(value);
    struct peri_slice shown = {value.ptr, taken};
    if (taken == 0) {
      // Prometheus takes UTF-8 only; U+FFFD stands for what is not.
      shown = peri_slice_of("\xEF\xBF\xBD");
      taken = 1;
    } else if (*value.ptr == '\n') {
      shown = peri_slice_of("\\n");
    } else if (*value.ptr == '"') {
      shown = peri_slice_of("\\\"");
    } else if (*value.ptr == '\\') {
      shown = peri_slice_of("\\\\");
    } else if (*value.ptr == '\0') {
      shown = peri_slice_of("\\\\0");
    }
    if (!put(ret_text, capacity, at, shown.ptr, shown.len)) {
      return false;
    }
    value.ptr += taken;
    value.len -= taken;
  }
  return true;
}

bool peri_metrics_label(char *ret_text, size_t capacity, const char *name,
                        struct peri_slice value) {
  size_t before = strlen(ret_text);
  size_t at = before;
  if ((before > 0 && !put(ret_text, capacity, &at, ",", 1)) ||
      !put(ret_text, capacity, &at, name, strlen(name)) ||
      !put(ret_text, capacity, &at, "=\"", 2) ||
      !put_value(ret_text, capacity, &at, value) ||
      !put(ret_text, capacity, &at, "\"", 1)) {
    ret_text[before] = '\0';
    return false;
  }
  ret_text[at] = '\0';
  return true;
}

void peri_metric_add(struct peri_metric *metric, int64_t amount) {
  __atomic_fetch_add(&metric->slots[own_slot()].value, amount,
                     __ATOMIC_RELAXED);
}

void peri_metric_set(struct peri_metric *metric, int64_t value) {
  // One store makes the sum right, so readers see the old value or the new.
  for (size_t i = 1; i < SLOTS; i++) {
    value -= __atomic_load_n(&metric->slots[i].value, __ATOMIC_RELAXED);
  }
  __atomic_store_n(&metric->slots[0].value, value, __ATOMIC_RELAXED);
}

int64_t peri_metric_value(const struct peri_metric *metric) {
  uint64_t sum = 0;
  for (size_t i = 0; i < SLOTS; i++) {
    sum += (uint64_t)__atomic_load_n(&metric->slots[i].value, __ATOMIC_RELAXED);
  }
  return (int64_t)sum;
}

void peri_histogram_observe(struct peri_histogram *histogram, uint64_t ns) {
  struct timing_slot *slot = &histogram->slots[own_slot()];
  size_t bucket = 0;
  while (bucket < BUCKETS && ns > bounds_ns[bucket]) {
    bucket++;
  }
  __atomic_fetch_add(&slot->counts[bucket], 1, __ATOMIC_RELAXED);
  __atomic_fetch_add(&slot->sum_ns, ns, __ATOMIC_RELAXED);
}

static int render_histogram(const struct family *family,
                            const struct series *series,
                            struct peri_buffer *text) {
  const struct peri_histogram *histogram = series->value;
  const char *labels = series->labels;
  const char *comma = *labels != '\0' ? "," : "";
  uint64_t count = 0;
  uint64_t sum = 0;
  int rc = 0;
  for (size_t bucket = 0; bucket <= BUCKETS && rc == 0; bucket++) {
    for (size_t i = 0; i < SLOTS; i++) {
      count += __atomic_load_n(&histogram->slots[i].counts[bucket],
                               __ATOMIC_RELAXED);
    }
    rc = peri_buffer_printf(text, "%s_bucket{%s%sle=\"%s\"} %llu\n",
                            family->name, labels, comma, bounds_text[bucket],
                            (unsigned long long)count);
  }
  for (size_t i = 0; i < SLOTS; i++) {
    sum += __atomic_load_n(&histogram->slots[i].sum_ns, __ATOMIC_RELAXED);
  }
  const char *open = *labels != '\0' ? "{" : "";
  const char *close = *labels != '\0' ? "}" : "";
  if (rc == 0) {
    rc = peri_buffer_printf(
        text, "%s_sum%s%s%s %llu.%09llu\n", family->name, open, labels, close,
        (unsigned long long)(sum / NANOS), (unsigned long long)(sum % NANOS));
  }
  if (rc == 0) {
    rc = peri_buffer_printf(text, "%s_count%s%s%s %llu\n", family->name, open,
                            labels, close, (unsigned long long)count);
  }
  return rc;
}

static int render_series(const struct family *family,
                         const struct series *series,
                         struct peri_buffer *text) {
  if (family->kind == HISTOGRAM) {
    return render_histogram(family, series, text);
  }
  bool bare = *series->labels == '\0';
  return peri_buffer_printf(text, "%s%s%s%s %lld\n", family->name,
                            bare ? "" : "{", series->labels, bare ? "" : "}",
                            (long long)peri_metric_value(series->value));
}

static int render_head(const struct family *family, struct peri_buffer *text) {
  int rc = peri_buffer_printf(text, "# HELP %s ", family->name);
  for (const char *c = family->help; rc == 0 && *c != '\0'; c++) {
    if (*c == '\n') {
      rc = peri_buffer_add(text, "\\n", 2);
    } else if (*c == '\\') {
      rc = peri_buffer_add(text, "\\\\", 2);
    } else {
      rc = peri_buffer_add(text, c, 1);
    }
  }
  if (rc == 0) {
    rc = peri_buffer_printf(text, "\n# TYPE %s %s\n", family->name,
                            kinds[family->kind]);
  }
  return rc;
}

int peri_metrics_render(struct peri_metrics *metrics,
                        struct peri_buffer *text) {
  size_t before = text->len;
  int rc = 0;
  pthread_mutex_lock(&metrics->lock);
  for (struct family *family = metrics->first; family != NULL && rc == 0;
       family = family->next) {
    rc = render_head(family, text);
    for (struct series *series = family->first; series != NULL && rc == 0;
         series = series->next) {
      rc = render_series(family, series, text);
    }
  }
  pthread_mutex_unlock(&metrics->lock);
  if (rc < 0) {
    text->len = before;
  }
  return rc;
}

void peri_metrics_each(struct peri_metrics *metrics,
                       void (*visit)(void *ctx, const char *name,
                                     const char *labels, int64_t value),
                       void *ctx) {
  pthread_mutex_lock(&metrics->lock);
  for (struct family *family = metrics->first; family != NULL;
       family = family->next) {
    for (struct series *series = family->first;
         series != NULL && family->kind != HISTOGRAM; series = series->next) {
      visit(ctx, family->name, series->labels,
            peri_metric_value(series->value));
    }
  }
  pthread_mutex_unlock(&metrics->lock);
}
