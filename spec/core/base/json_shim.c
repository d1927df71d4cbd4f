#include "base/json_shim.h"

#include <pthread.h>

struct members {
  int left;
  struct peri_buffer *buffer;
};

struct share {
  struct peri_json *json;
  int rounds;
};

static int member(void *ctx, const char *key, const struct peri_json *value) {
  struct members *members = ctx;
  if (members->left-- == 0) {
    return 7;
  }
  return peri_buffer_printf(members->buffer, "%s=%d;", key,
                            peri_json_type(value));
}

int shim_json_members(const struct peri_json *object, int stop_at,
                      struct peri_buffer *buffer) {
  struct members members = {stop_at, buffer};
  return peri_json_each(object, member, &members);
}

static void *take_and_drop(void *ctx) {
  const struct share *share = ctx;
  for (int i = 0; i < share->rounds; i++) {
    peri_json_unref(peri_json_ref(share->json));
  }
  return NULL;
}

void shim_json_share(struct peri_json *json, int rounds) {
  struct share share = {json, rounds};
  pthread_t other;
  bool started = pthread_create(&other, NULL, take_and_drop, &share) == 0;
  take_and_drop(&share);
  if (started) {
    pthread_join(other, NULL);
  }
}
