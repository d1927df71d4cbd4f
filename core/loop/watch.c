#include "loop/watch.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/error.h"
#include "loop/private.h"

/// What a file looked like.
struct looks {
  bool there;
  uint64_t device;
  uint64_t inode;
  uint64_t size;
  uint64_t mode;
  uint64_t user;
  uint64_t group;
  uv_timespec_t mtime;
};

struct peri_watch {
  uv_timer_t timer;
  uv_fs_event_t folder;
  uv_fs_t look;
  char *path;
  void (*changed)(void *ctx);
  void *ctx;
  struct looks last;
  unsigned holds;  // handles and requests that still point here
  bool looking;
  bool again;  // something happened while looking
  bool freed;
};

static void look(struct peri_watch *watch);

static void drop(struct peri_watch *watch) {
  if (--watch->holds == 0) {
    free(watch->path);
    free(watch);
  }
}

static struct looks looks_of(const uv_fs_t *req) {
  struct looks looks = {0};
  if (req->result == 0) {
    looks.there = true;
    looks.device = req->statbuf.st_dev;
    looks.inode = req->statbuf.st_ino;
    looks.size = req->statbuf.st_size;
    looks.mode = req->statbuf.st_mode;
    looks.user = req->statbuf.st_uid;
    looks.group = req->statbuf.st_gid;
    looks.mtime = req->statbuf.st_mtim;
  }
  return looks;
}

static bool same(const struct looks *a, const struct looks *b) {
  return a->there == b->there && a->device == b->device &&
         a->inode == b->inode && a->size == b->size && a->mode == b->mode &&
         a->user == b->user && a->group == b->group &&
         a->mtime.tv_sec == b->mtime.tv_sec &&
         a->mtime.tv_nsec == b->mtime.tv_nsec;
}

static void looked(uv_fs_t *req) {
  struct peri_watch *watch = PERI_CONTAINER_OF(req, struct peri_watch, look);
  struct looks now = looks_of(req);
  uv_fs_req_cleanup(req);
  watch->looking = false;
  if (!watch->freed && !same(&now, &watch->last)) {
    watch->last = now;
    watch->changed(watch->ctx);
  }
  if (!watch->freed && watch->again) {
    look(watch);
  }
  drop(watch);
}

/// Asks the thread pool, since a stat on a slow disk would block the loop.
static void look(struct peri_watch *watch) {
  if (watch->looking) {
    watch->again = true;
    return;
  }
  watch->again = false;
  if (uv_fs_stat(watch->timer.loop, &watch->look, watch->path, looked) == 0) {
    watch->looking = true;
    watch->holds++;
  }
}

static void time_to_look(uv_timer_t *timer) {
  look(PERI_CONTAINER_OF(timer, struct peri_watch, timer));
}

static void folder_changed(uv_fs_event_t *handle, const char *name, int events,
                           int status) {
  (void)name;
  (void)events;
  (void)status;
  look(PERI_CONTAINER_OF(handle, struct peri_watch, folder));
}

static void timer_closed(uv_handle_t *handle) {
  drop(PERI_CONTAINER_OF(handle, struct peri_watch, timer));
}

static void folder_closed(uv_handle_t *handle) {
  drop(PERI_CONTAINER_OF(handle, struct peri_watch, folder));
}

/// Notifications make it quick; where they cannot be had the timer is enough.
static void watch_folder(struct peri_watch *watch) {
  char *copy = strdup(watch->path);
  if (copy != NULL) {
    uv_fs_event_start(&watch->folder, folder_changed, dirname(copy), 0);
    free(copy);
  }
}

int peri_watch_new(struct peri_loop *loop, const char *path, uint64_t every_ms,
                   void (*changed)(void *ctx), void *ctx,
                   struct peri_watch **ret_watch) {
  struct peri_watch *watch = calloc(1, sizeof(*watch));
  if (watch == NULL) {
    return PERI_ENOMEM;
  }
  watch->path = strdup(path);
  if (watch->path == NULL) {
    free(watch);
    return PERI_ENOMEM;
  }
  watch->changed = changed;
  watch->ctx = ctx;
  watch->holds = 2;
  uv_timer_init(&loop->uv, &watch->timer);
  uv_fs_event_init(&loop->uv, &watch->folder);
  watch_folder(watch);

  // At once and not on the pool: a change right after this call must show.
  uv_fs_stat(&loop->uv, &watch->look, path, NULL);
  watch->last = looks_of(&watch->look);
  uv_fs_req_cleanup(&watch->look);

  uv_update_time(&loop->uv);
  if (every_ms > 0) {
    uv_timer_start(&watch->timer, time_to_look, every_ms, every_ms);
  }
  uv_unref((uv_handle_t *)&watch->timer);
  uv_unref((uv_handle_t *)&watch->folder);
  *ret_watch = watch;
  return 0;
}

void peri_watch_free(struct peri_watch *watch) {
  if (watch == NULL) {
    return;
  }
  watch->freed = true;
  uv_fs_event_stop(&watch->folder);
  uv_close((uv_handle_t *)&watch->timer, timer_closed);
  uv_close((uv_handle_t *)&watch->folder, folder_closed);
}
