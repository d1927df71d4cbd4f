#include "etcd/watch_shim.h"

#include <etcd.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/slice.h"
#include "etcd/watch_private.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

int peri_watch_rig_new(struct peri_watch_rig *rig, const char *const *endpoints,
                       size_t count, const char *user, const char *password,
                       struct peri_problem *ret_problem) {
  memset(rig, 0, sizeof(*rig));
  int code = peri_loop_new(&rig->loop);
  if (code != 0) {
    return code;
  }
  code = peri_mailbox_new(rig->loop, &rig->mailbox);
  if (code != 0) {
    return code;
  }
  struct peri_etcd_options options = {
      .loop = rig->loop,
      .mailbox = rig->mailbox,
      .endpoints = endpoints,
      .endpoint_count = count,
      .user = peri_slice_of(user),
      .password = peri_slice_of(password),
  };
  code = peri_etcd_new(&options, &rig->etcd, ret_problem);
  return code != 0 ? code : peri_etcd_watches_new(rig->etcd, &rig->watches);
}

static void on_closed(void *ctx) {
  struct peri_watch_rig *rig = ctx;
  rig->closed = true;
}

void peri_watch_rig_free(struct peri_watch_rig *rig) {
  peri_etcd_watches_free(rig->watches);
  peri_etcd_close(rig->etcd, on_closed, rig);
  while (!rig->closed) {
    peri_loop_step(rig->loop, 100);
  }
  peri_mailbox_close(rig->mailbox);
  if (peri_loop_free(rig->loop) != 0) {
    abort();
  }
}

int peri_watch_rig_endpoint(const struct peri_watch_rig *rig) {
  return rig->watches->stream == NULL ? -1 : rig->watches->endpoint;
}

int64_t peri_watch_rig_creates(const struct peri_watch_rig *rig) {
  return rig->watches->last_id;
}

static void drop(struct peri_watch_probe *probe) {
  peri_etcd_watch_free(probe->watch);
  probe->watch = NULL;
}

static void act(struct peri_watch_probe *probe, int *action) {
  int what = *action;
  *action = PERI_WATCH_ACT_NOTHING;
  if (what == PERI_WATCH_ACT_FREE) {
    drop(probe);
  } else if (what == PERI_WATCH_ACT_FREE_ALL) {
    if (probe->other != NULL) {
      drop(probe->other);
    }
    drop(probe);
    peri_etcd_watches_free(probe->rig->watches);
    probe->rig->watches = NULL;
  } else if (what == PERI_WATCH_ACT_RESTART) {
    peri_etcd_watch_restart(probe->watch, probe->restart_at);
  }
}

static void on_events(void *ctx, const struct peri_etcd_event *events,
                      size_t count, int64_t revision) {
  struct peri_watch_probe *probe = ctx;
  probe->batches++;
  probe->events += (unsigned)count;
  probe->last_event_ns = peri_clock_mono_ns();
  peri_buffer_printf(&probe->log, "batch %lld\n", (long long)revision);
  for (size_t i = 0; i < count; i++) {
    const struct peri_etcd_kv *kv = &events[i].kv;
    size_t shown = kv->value.len < 64 ? kv->value.len : 64;
    peri_buffer_printf(&probe->log, "%s %.*s %.*s %lld\n",
                       events[i].deleted ? "delete" : "put", (int)kv->key.len,
                       kv->key.ptr, (int)shown, shown == 0 ? "" : kv->value.ptr,
                       (long long)kv->mod_revision);
  }
  if (probe->block_ms > 0) {
    usleep((useconds_t)probe->block_ms * 1000);
    probe->block_ms = 0;
  }
  act(probe, &probe->on_events);
}

static void on_reset(void *ctx, enum peri_etcd_reset why) {
  struct peri_watch_probe *probe = ctx;
  probe->resets++;
  probe->reset_why = (int)why;
  act(probe, &probe->on_reset);
}

static void on_state(void *ctx, const struct peri_etcd_error *error) {
  struct peri_watch_probe *probe = ctx;
  if (error == NULL) {
    probe->kind = PERI_ETCD_OK;
    probe->lives++;
    probe->last_live_ns = peri_clock_mono_ns();
  } else {
    probe->kind = error->kind;
    probe->troubles++;
    probe->last_trouble_ns = peri_clock_mono_ns();
    (void)snprintf(probe->text, sizeof(probe->text), "%s", error->text);
  }
  act(probe, &probe->on_state);
}

static const struct peri_etcd_watch_events EVENTS = {
    .events = on_events,
    .reset = on_reset,
    .state = on_state,
};

int peri_watch_probe_start(struct peri_watch_probe *probe,
                           struct peri_watch_rig *rig, struct peri_slice prefix,
                           bool exact, int64_t start_revision) {
  probe->rig = rig;
  return peri_etcd_watch_new(rig->watches, prefix, exact, start_revision,
                             &EVENTS, probe, &probe->watch);
}

void peri_watch_probe_done(struct peri_watch_probe *probe) {
  drop(probe);
  peri_buffer_done(&probe->log);
}

int64_t peri_watch_probe_id(const struct peri_watch_probe *probe) {
  return probe->watch->id;
}

void peri_watch_rig_raw(struct peri_watch_rig *rig, struct peri_slice bytes) {
  peri_watches_message(rig->watches, bytes);
}

static ProtobufCBinaryData bytes_of(const char *text) {
  ProtobufCBinaryData bytes = {.data = (uint8_t *)text,
                               .len = text == NULL ? 0 : strlen(text)};
  return bytes;
}

static void forge_event(const struct peri_forged_event *from, char *padding,
                        size_t padding_len, Etcdpb__Event *event,
                        Etcdpb__KeyValue *kv) {
  etcdpb__event__init(event);
  etcdpb__key_value__init(kv);
  if (from->revision != 0) {
    event->kv = kv;
  }
  event->type = from->value == NULL ? ETCDPB__EVENT__EVENT_TYPE__DELETE
                                    : ETCDPB__EVENT__EVENT_TYPE__PUT;
  kv->key = bytes_of(from->key);
  kv->value = bytes_of(from->value);
  if (padding_len > 0) {
    kv->value.data = (uint8_t *)padding;
    kv->value.len = padding_len;
  }
  kv->mod_revision = from->revision;
}

void peri_watch_rig_forge(struct peri_watch_rig *rig,
                          const struct peri_forged *forged) {
  size_t count = forged->event_count;
  Etcdpb__Event *events = calloc(count + 1, sizeof(*events));
  Etcdpb__KeyValue *kvs = calloc(count + 1, sizeof(*kvs));
  Etcdpb__Event **list = calloc(count + 1, sizeof(*list));
  char *padding = calloc(1, forged->padding + 1);
  Etcdpb__ResponseHeader header = ETCDPB__RESPONSE_HEADER__INIT;
  Etcdpb__WatchResponse message = ETCDPB__WATCH_RESPONSE__INIT;
  for (size_t i = 0; i < count; i++) {
    forge_event(&forged->events[i], padding, forged->padding, &events[i],
                &kvs[i]);
    list[i] = &events[i];
  }
  header.revision = forged->revision;
  header.raft_term = forged->term;
  message.header = forged->revision < 0 ? NULL : &header;
  message.watch_id =
      forged->id > 0 ? peri_watches_wire_id(rig->watches, forged->id) : -1;
  message.created = forged->created;
  message.canceled = forged->canceled;
  message.fragment = forged->fragment;
  message.compact_revision = forged->compact_revision;
  message.cancel_reason = bytes_of(forged->reason);
  message.events = list;
  message.n_events = count;
  size_t len = etcdpb__watch_response__get_packed_size(&message);
  uint8_t *packed = malloc(len + 1);
  etcdpb__watch_response__pack(&message, packed);
  peri_watches_message(rig->watches, (struct peri_slice){
                                         .ptr = (const char *)packed,
                                         .len = len,
                                     });
  free(packed);
  free(padding);
  free(list);
  free(kvs);
  free(events);
}

int peri_watch_reason_kind(const char *reason, int *ret_status) {
  struct peri_etcd_error error;
  peri_watch_reason(peri_slice_of(reason), &error);
  *ret_status = error.status;
  return error.kind;
}
