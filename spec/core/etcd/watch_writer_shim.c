#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "etcd/kv.h"
#include "etcd/watch_shim.h"
#include "loop/timer.h"

enum { PACE_MS = 4 };

struct texts {
  char key[3][64];
  char value[16];
};

static void compose(const struct peri_watch_writer *writer,
                    struct texts *texts) {
  unsigned slot = writer->number % 7;
  (void)snprintf(texts->key[0], sizeof(texts->key[0]), "%s%u/a", writer->prefix,
                 slot);
  (void)snprintf(texts->key[1], sizeof(texts->key[1]), "%s%u/b", writer->prefix,
                 slot);
  (void)snprintf(texts->key[2], sizeof(texts->key[2]), "%sc", writer->prefix);
  (void)snprintf(texts->value, sizeof(texts->value), "%u", writer->number);
}

static void on_done(void *ctx, const struct peri_etcd_error *error,
                    const struct peri_etcd_txn_result *result) {
  struct peri_watch_writer *writer = ctx;
  writer->call = NULL;
  if (error != NULL) {
    writer->failed++;
  } else {
    struct texts texts;
    compose(writer, &texts);
    writer->done++;
    for (int i = 0; i < 2; i++) {
      peri_buffer_printf(&writer->log, "put %s %s %lld\n", texts.key[i],
                         texts.value, (long long)result->revision);
    }
  }
  peri_timer_start(writer->timer, PACE_MS, 0);
}

static void on_turn(void *ctx) {
  struct peri_watch_writer *writer = ctx;
  struct texts texts;
  writer->number++;
  compose(writer, &texts);
  struct peri_etcd_op ops[3] = {{0}};
  for (int i = 0; i < 3; i++) {
    ops[i].kind = PERI_ETCD_OP_PUT;
    ops[i].key = peri_slice_of(texts.key[i]);
    ops[i].value = peri_slice_of(texts.value);
  }
  // Deleting what is there: the key is put by every even transaction.
  if (writer->number % 2 == 1) {
    ops[2].kind = PERI_ETCD_OP_DELETE;
    ops[2].value.len = 0;
  }
  struct peri_etcd_txn txn = {.then = ops, .then_count = 3};
  if (peri_etcd_txn(writer->rig->etcd, &txn, on_done, writer, &writer->call) !=
      0) {
    peri_timer_start(writer->timer, PACE_MS, 0);
  }
}

int peri_watch_writer_start(struct peri_watch_writer *writer,
                            struct peri_watch_rig *rig, const char *prefix) {
  writer->rig = rig;
  writer->prefix = prefix;
  int code = peri_timer_new(rig->loop, on_turn, writer, &writer->timer);
  if (code == 0) {
    peri_timer_start(writer->timer, 0, 0);
  }
  return code;
}

void peri_watch_writer_stop(struct peri_watch_writer *writer) {
  if (writer->call != NULL) {
    peri_etcd_call_cancel(writer->call);
    writer->call = NULL;
  }
  peri_timer_free(writer->timer);
  writer->timer = NULL;
}

void peri_watch_writer_done(struct peri_watch_writer *writer) {
  peri_watch_writer_stop(writer);
  peri_buffer_done(&writer->log);
}
