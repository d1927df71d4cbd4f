#include <etcd.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/status.h"
#include "etcd/kv_private.h"
#include "etcd/watch_private.h"

/// An event with its place in the batch, for sorting.
struct entry {
  const Etcdpb__Event *event;
  size_t place;
};

static bool is_event(const Etcdpb__Event *event) {
  return event->kv != NULL && event->kv->mod_revision > 0 &&
         event->kv->mod_revision < INT64_MAX &&
         (event->type == ETCDPB__EVENT__EVENT_TYPE__PUT ||
          event->type == ETCDPB__EVENT__EVENT_TYPE__DELETE);
}

int peri_watch_parts_add(struct peri_watch_parts *parts,
                         struct Etcdpb__WatchResponse *message, size_t bytes) {
  int code = PERI_EPROTO;
  for (size_t i = 0; i < message->n_events; i++) {
    if (!is_event(message->events[i])) {
      goto fail_message;
    }
  }
  code = PERI_ELIMIT;
  if (bytes > PERI_WATCH_BATCH_BYTES - parts->bytes) {
    goto fail_message;
  }
  if (parts->count == parts->capacity) {
    size_t capacity = parts->capacity == 0 ? 4 : parts->capacity * 2;
    Etcdpb__WatchResponse **messages =
        realloc(parts->messages, capacity * sizeof(*messages));
    code = PERI_ENOMEM;
    if (messages == NULL) {
      goto fail_message;
    }
    parts->messages = messages;
    parts->capacity = capacity;
  }
  parts->messages[parts->count++] = message;
  parts->bytes += bytes;
  return 0;

fail_message:
  etcdpb__watch_response__free_unpacked(message, NULL);
  return code;
}

void peri_watch_parts_clear(struct peri_watch_parts *parts) {
  for (size_t i = 0; i < parts->count; i++) {
    etcdpb__watch_response__free_unpacked(parts->messages[i], NULL);
  }
  free(parts->messages);
  *parts = (struct peri_watch_parts){0};
}

static int compare_keys(const Etcdpb__Event *a, const Etcdpb__Event *b) {
  return peri_slice_compare(peri_proto_slice(a->kv->key),
                            peri_proto_slice(b->kv->key));
}

static int by_revision(const void *left, const void *right) {
  const struct entry *a = left;
  const struct entry *b = right;
  int64_t x = a->event->kv->mod_revision;
  int64_t y = b->event->kv->mod_revision;
  if (x != y) {
    return x < y ? -1 : 1;
  }
  int order = compare_keys(a->event, b->event);
  return order != 0 ? order : (a->place > b->place) - (a->place < b->place);
}

/// Whether every event has a revision above the one before: then nothing can be
/// twice or out of order.
static bool is_rising(const struct entry *entries, size_t count) {
  for (size_t i = 1; i < count; i++) {
    if (entries[i].event->kv->mod_revision <=
        entries[i - 1].event->kv->mod_revision) {
      return false;
    }
  }
  return true;
}

/// A key changes once in a revision, so what is the same in both is the same
/// event.
static bool is_same(const Etcdpb__Event *a, const Etcdpb__Event *b) {
  return a->kv->mod_revision == b->kv->mod_revision && compare_keys(a, b) == 0;
}

static size_t collect(const struct peri_watch_parts *parts, int64_t next,
                      struct entry *entries) {
  size_t count = 0;
  for (size_t i = 0; i < parts->count; i++) {
    const Etcdpb__WatchResponse *message = parts->messages[i];
    for (size_t j = 0; j < message->n_events; j++) {
      if (message->events[j]->kv->mod_revision >= next) {
        entries[count].event = message->events[j];
        entries[count].place = count;
        count++;
      }
    }
  }
  if (count > 1 && !is_rising(entries, count)) {
    qsort(entries, count, sizeof(*entries), by_revision);
  }
  return count;
}

static void fill(const Etcdpb__Event *from, struct peri_etcd_event *to) {
  to->deleted = from->type == ETCDPB__EVENT__EVENT_TYPE__DELETE;
  peri_etcd_kv_fill(&to->kv, (const Etcdpb__KeyValue *const *)&from->kv, 1);
}

int peri_watch_parts_join(const struct peri_watch_parts *parts, int64_t next,
                          struct peri_etcd_event **ret_events,
                          size_t *ret_count) {
  int code = PERI_ENOMEM;
  size_t most = 0;
  for (size_t i = 0; i < parts->count; i++) {
    most += parts->messages[i]->n_events;
  }
  struct entry *entries = calloc(most + 1, sizeof(*entries));
  struct peri_etcd_event *events = calloc(most + 1, sizeof(*events));
  if (entries == NULL || events == NULL) {
    goto fail_memory;
  }
  size_t found = collect(parts, next, entries);
  size_t count = 0;
  for (size_t i = 0; i < found; i++) {
    if (i == 0 || !is_same(entries[i - 1].event, entries[i].event)) {
      fill(entries[i].event, &events[count++]);
    }
  }
  free(entries);
  *ret_events = events;
  *ret_count = count;
  return 0;

fail_memory:
  free(entries);
  free(events);
  return code;
}

/// A status by the name that Go's gRPC gives it: "PermissionDenied" is
/// "PERMISSION_DENIED" without regard to case and underscores.
static int status_named(struct peri_slice name) {
  for (int status = 0; status <= PERI_STATUS_UNAUTHENTICATED; status++) {
    const char *known = peri_status_name(status);
    size_t at = 0;
    for (; *known != '\0'; known++) {
      if (*known == '_') {
        continue;
      }
      if (at == name.len || (name.ptr[at] & ~0x20) != *known) {
        break;
      }
      at++;
    }
    if (*known == '\0' && at == name.len) {
      return status;
    }
  }
  return -1;
}

/// "rpc error: code = X desc = Y", as Go writes errors, or plain words.
void peri_watch_reason(struct peri_slice reason,
                       struct peri_etcd_error *ret_error) {
  static const char code[] = "rpc error: code = ";
  static const char desc[] = " desc = ";
  char text[sizeof(ret_error->text)] = "";
  size_t len = reason.len < sizeof(text) - 1 ? reason.len : sizeof(text) - 1;
  if (len > 0) {
    memcpy(text, reason.ptr, len);
  }
  text[len] = '\0';
  int status = PERI_STATUS_UNAVAILABLE;
  const char *words = text[0] != '\0' ? text : "the server ended the watch";
  const char *split = strstr(text, desc);
  if (peri_slice_starts(reason, code) && split != NULL) {
    const char *name = text + sizeof(code) - 1;
    if (split > name) {
      status = status_named(
          (struct peri_slice){.ptr = name, .len = (size_t)(split - name)});
      status = status < 0 ? PERI_STATUS_UNKNOWN : status;
    }
    words = split + sizeof(desc) - 1;
  } else if (strstr(text, "permission denied") != NULL) {
    status = PERI_STATUS_PERMISSION_DENIED;
  } else if (strstr(text, "has been compacted") != NULL) {
    status = PERI_STATUS_OUT_OF_RANGE;
  }
  peri_etcd_error_of(status, words, ret_error);
}
