#include "loop/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/error.h"
#include "base/list.h"
#include "loop/private.h"
#include "loop/scan.h"

enum { EVERY_MS = 2000, QUIET_MS = 100, MOST_MS = 1000, MOST_ARMED = 512 };

// A folder whose notifications are wanted. Where there are none (more folders
// than this, or the system's limit), looking now and then has to do.
struct armed {
  struct peri_list link;
  uv_fs_event_t event;
  struct peri_tree_watch *watch;
  char *path;
  uint64_t device, inode;
  bool seen;  // by the scan that is gone through
};

struct peri_tree_watch {
  uv_timer_t look;   // now and then
  uv_timer_t quiet;  // runs while a change waits to be told
  uv_work_t work;
  struct peri_scan fresh;  // the scan's outcome
  int code;
  struct peri_list armed;
  char **folders;
  size_t folder_count;
  char *ending;
  uint64_t every_ms, quiet_ms, most_ms;
  uint64_t first_ms;  // the loop's time when the first untold change was seen
  void (*changed)(void *ctx);
  void *ctx;
  uint64_t print;  // of the last scan
  unsigned holds;  // handles and requests that still point here
  bool scanning;
  bool again;  // something happened while scanning
  bool waits;  // a change is to be told
  bool due;    // it was quiet, but a scan was under way
  bool freed;
};

static void scan(struct peri_tree_watch *watch);

static void release(struct peri_tree_watch *watch) {
  peri_scan_clear(&watch->fresh);
  for (size_t i = 0; i < watch->folder_count; i++) {
    free(watch->folders[i]);
  }
  free(watch->folders);
  free(watch->ending);
  free(watch);
}

static void drop(struct peri_tree_watch *watch) {
  if (--watch->holds == 0) {
    release(watch);
  }
}

static void tell(struct peri_tree_watch *watch) {
  watch->waits = false;
  watch->due = false;
  watch->changed(watch->ctx);
}

static void was_quiet(uv_timer_t *timer) {
  struct peri_tree_watch *watch =
      PERI_CONTAINER_OF(timer, struct peri_tree_watch, quiet);
  uint64_t past_ms = uv_now(timer->loop) - watch->first_ms;
  if (watch->scanning && past_ms < watch->most_ms) {
    // Else what it finds would be told as another change.
    watch->due = true;
  } else {
    tell(watch);
  }
}

static void note_change(struct peri_tree_watch *watch) {
  uint64_t now_ms = uv_now(watch->look.loop);
  if (!watch->waits) {
    watch->waits = true;
    watch->first_ms = now_ms;
  }
  uint64_t past_ms = now_ms - watch->first_ms;
  uint64_t left_ms = past_ms < watch->most_ms ? watch->most_ms - past_ms : 0;
  watch->due = false;
  uv_timer_start(&watch->quiet, was_quiet,
                 left_ms < watch->quiet_ms ? left_ms : watch->quiet_ms, 0);
}

static void notified(uv_fs_event_t *event, const char *name, int events,
                     int status) {
  struct peri_tree_watch *watch =
      PERI_CONTAINER_OF(event, struct armed, event)->watch;
  (void)events;
  // The file's time may be too coarse for two changes in a row to differ.
  if (status == 0 && name != NULL && peri_scan_counts(name, watch->ending)) {
    note_change(watch);
  }
  scan(watch);
}

static void armed_closed(uv_handle_t *handle) {
  struct armed *armed = PERI_CONTAINER_OF(handle, struct armed, event);
  drop(armed->watch);
  free(armed->path);
  free(armed);
}

static void disarm(struct armed *armed) {
  peri_list_remove(&armed->link);
  uv_fs_event_stop(&armed->event);
  uv_close((uv_handle_t *)&armed->event, armed_closed);
}

static bool is_armed(struct peri_tree_watch *watch,
                     const struct peri_scan_folder *folder) {
  struct peri_list *head = &watch->armed;
  for (struct peri_list *at = head->next; at != head; at = at->next) {
    struct armed *armed = PERI_CONTAINER_OF(at, struct armed, link);
    if (armed->inode == folder->inode && armed->device == folder->device &&
        strcmp(armed->path, folder->path) == 0) {
      armed->seen = true;
      return true;
    }
  }
  return false;
}

/// Takes the folder's path over. What cannot be armed is looked at anyway.
static bool arm(struct peri_tree_watch *watch,
                struct peri_scan_folder *folder) {
  struct armed *armed = calloc(1, sizeof *armed);
  if (armed == NULL) {
    return false;
  }
  armed->watch = watch;
  armed->path = folder->path;
  armed->device = folder->device;
  armed->inode = folder->inode;
  armed->seen = true;
  folder->path = NULL;
  watch->holds++;
  peri_list_push(&watch->armed, &armed->link);
  uv_fs_event_init(watch->look.loop, &armed->event);
  uv_unref((uv_handle_t *)&armed->event);
  return uv_fs_event_start(&armed->event, notified, armed->path, 0) == 0;
}

/// Follows folders that came, went, or are others by now. Returns whether some
/// were armed, in which something may have happened before.
static bool follow(struct peri_tree_watch *watch) {
  struct peri_list *head = &watch->armed;
  bool fresh = false;
  for (struct peri_list *at = head->next; at != head; at = at->next) {
    PERI_CONTAINER_OF(at, struct armed, link)->seen = false;
  }
  for (size_t i = 0; i < watch->fresh.folder_count && i < MOST_ARMED; i++) {
    if (!is_armed(watch, &watch->fresh.folders[i])) {
      fresh = arm(watch, &watch->fresh.folders[i]) || fresh;
    }
  }
  for (struct peri_list *at = head->next; at != head;) {
    struct armed *armed = PERI_CONTAINER_OF(at, struct armed, link);
    at = at->next;
    if (!armed->seen) {
      disarm(armed);
    }
  }
  return fresh;
}

static void run_scan(struct peri_tree_watch *watch) {
  watch->code =
      peri_scan_run((const char *const *)watch->folders, watch->folder_count,
                    watch->ending, &watch->fresh);
}

static void work(uv_work_t *req) {
  run_scan(PERI_CONTAINER_OF(req, struct peri_tree_watch, work));
}

/// Returns whether another scan has to follow.
static bool take(struct peri_tree_watch *watch) {
  bool again = watch->again;
  if (watch->code == 0) {
    again = follow(watch) || again;
    if (watch->fresh.print != watch->print) {
      watch->print = watch->fresh.print;
      note_change(watch);
    }
    peri_scan_clear(&watch->fresh);
  }
  return again;
}

static void worked(uv_work_t *req, int status) {
  struct peri_tree_watch *watch =
      PERI_CONTAINER_OF(req, struct peri_tree_watch, work);
  (void)status;
  watch->scanning = false;
  if (!watch->freed) {
    if (take(watch)) {
      scan(watch);
    }
    if (watch->due) {
      tell(watch);
    }
  }
  drop(watch);
}

/// On the thread pool, since a slow disk would block the loop.
static void scan(struct peri_tree_watch *watch) {
  if (watch->scanning) {
    watch->again = true;
    return;
  }
  watch->again = false;
  watch->code = PERI_ECANCELED;
  if (uv_queue_work(watch->look.loop, &watch->work, work, worked) == 0) {
    watch->scanning = true;
    watch->holds++;
  }
}

static void time_to_look(uv_timer_t *timer) {
  scan(PERI_CONTAINER_OF(timer, struct peri_tree_watch, look));
}

static int copy(struct peri_tree_watch *watch,
                const struct peri_tree_options *options) {
  watch->folders = calloc(options->folder_count + 1, sizeof *watch->folders);
  if (watch->folders == NULL) {
    return PERI_ENOMEM;
  }
  for (size_t i = 0; i < options->folder_count; i++) {
    watch->folders[i] = strdup(options->folders[i]);
    if (watch->folders[i] == NULL) {
      return PERI_ENOMEM;
    }
    watch->folder_count++;
  }
  if (options->ending != NULL) {
    watch->ending = strdup(options->ending);
  }
  watch->every_ms = options->every_ms > 0 ? options->every_ms : EVERY_MS;
  watch->quiet_ms = options->quiet_ms > 0 ? options->quiet_ms : QUIET_MS;
  watch->most_ms = options->most_ms > 0 ? options->most_ms : MOST_MS;
  return options->ending == NULL || watch->ending != NULL ? 0 : PERI_ENOMEM;
}

int peri_tree_watch_new(struct peri_loop *loop,
                        const struct peri_tree_options *options,
                        void (*changed)(void *ctx), void *ctx,
                        struct peri_tree_watch **ret_watch) {
  struct peri_tree_watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL) {
    return PERI_ENOMEM;
  }
  peri_list_init(&watch->armed);
  watch->changed = changed;
  watch->ctx = ctx;
  if (copy(watch, options) < 0) {
    goto fail;
  }
  // At once and not on the pool: a change right after this call must show.
  run_scan(watch);
  if (watch->code < 0) {
    goto fail;
  }
  watch->holds = 2;
  uv_timer_init(&loop->uv, &watch->look);
  uv_timer_init(&loop->uv, &watch->quiet);
  watch->print = watch->fresh.print;
  bool armed = take(watch);
  uv_update_time(&loop->uv);
  uv_timer_start(&watch->look, time_to_look, watch->every_ms, watch->every_ms);
  uv_unref((uv_handle_t *)&watch->look);
  uv_unref((uv_handle_t *)&watch->quiet);
  if (armed) {
    scan(watch);
  }
  *ret_watch = watch;
  return 0;

fail:
  release(watch);
  return PERI_ENOMEM;
}

static void look_closed(uv_handle_t *handle) {
  drop(PERI_CONTAINER_OF(handle, struct peri_tree_watch, look));
}

static void quiet_closed(uv_handle_t *handle) {
  drop(PERI_CONTAINER_OF(handle, struct peri_tree_watch, quiet));
}

void peri_tree_watch_free(struct peri_tree_watch *watch) {
  if (watch == NULL) {
    return;
  }
  watch->freed = true;
  while (!peri_list_empty(&watch->armed)) {
    disarm(PERI_CONTAINER_OF(watch->armed.next, struct armed, link));
  }
  uv_close((uv_handle_t *)&watch->look, look_closed);
  uv_close((uv_handle_t *)&watch->quiet, quiet_closed);
}
