#include <stdlib.h>

#include "etcd/watch_private.h"

void peri_watches_enter(struct peri_etcd_watches *watches) {
  watches->busy++;
}

void peri_watches_leave(struct peri_etcd_watches *watches) {
  if (--watches->busy == 0 && watches->freed) {
    free(watches);
  }
}

void peri_watches_bury(struct peri_etcd_watches *watches) {
  watches->freed = true;
  if (watches->busy == 0) {
    free(watches);
  }
}

static void destroy(struct peri_etcd_watch *watch) {
  free((char *)watch->key.ptr);
  free((char *)watch->range_end.ptr);
  free(watch);
}

void peri_watch_enter(struct peri_etcd_watch *watch) {
  peri_watches_enter(watch->owner);
  watch->busy++;
}

void peri_watch_leave(struct peri_etcd_watch *watch) {
  struct peri_etcd_watches *owner = watch->owner;
  if (--watch->busy == 0 && watch->freed) {
    destroy(watch);
  }
  peri_watches_leave(owner);
}

void peri_watch_bury(struct peri_etcd_watch *watch) {
  watch->freed = true;
  if (watch->busy == 0) {
    destroy(watch);
  }
}
