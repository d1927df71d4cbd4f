#include "model/route_shim.h"

#include <string.h>

#include "base/clock.h"
#include "model/config.h"
#include "model/route.h"

struct one {
  const char *name;
  struct peri_slice value;
};

static bool header(void *ctx, const char *name, struct peri_slice *ret_value) {
  const struct one *one = ctx;
  if (one->name == NULL || strcmp(one->name, name) != 0) {
    return false;
  }
  *ret_value = one->value;
  return true;
}

static bool pattern(const char *wanted, struct peri_slice text) {
  size_t len = strlen(wanted);
  for (size_t i = 0; i + len <= text.len; i++) {
    if (memcmp(text.ptr + i, wanted, len) == 0) {
      return true;
    }
  }
  return false;
}

size_t peri_shim_route_find(const struct peri_config *config,
                            struct peri_slice path, struct peri_slice authority,
                            const char *name, struct peri_slice value) {
  struct one one = {name, value};
  struct peri_route_query query = {.authority = authority,
                                   .header = header,
                                   .ctx = &one,
                                   .pattern = pattern};
  if (!peri_route_split(path, &query.service, &query.method)) {
    return 0;
  }
  const struct peri_route *route = peri_route_find(config, &query);
  return route != NULL ? route->index : 0;
}

double peri_shim_route_cost(const struct peri_config *config,
                            struct peri_slice path, size_t rounds) {
  struct peri_route_query query = {.header = header};
  size_t found = 0;
  uint64_t began = peri_clock_mono_ns();
  for (size_t i = 0; i < rounds; i++) {
    if (peri_route_split(path, &query.service, &query.method)) {
      found += peri_route_find(config, &query) != NULL ? 1 : 0;
    }
  }
  uint64_t spent = peri_clock_mono_ns() - began;
  return found == rounds ? (double)spent / (double)rounds : -1;
}

int peri_shim_route_words(const struct peri_config *config,
                          struct peri_slice path, struct peri_slice authority,
                          const char *name, struct peri_slice value,
                          struct peri_buffer *text) {
  struct one one = {name, value};
  struct peri_route_query query = {.authority = authority,
                                   .header = header,
                                   .ctx = &one,
                                   .pattern = pattern};
  (void)peri_route_split(path, &query.service, &query.method);
  return peri_route_words(&config->routes[0], &query, text);
}
