#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/container.h"
#include "base/slice.h"
#include "etcd/kv.h"
#include "etcd/private.h"

enum { PAGE = 1000 };

struct peri_etcd_scan {
  struct peri_list link;
  struct peri_etcd *etcd;
  struct peri_etcd_call *call;  // the page under way
  struct peri_buffer next;      // the key to go on from
  char *end;
  size_t end_len;
  uint32_t page;
  bool serializable;
  bool canceled;  // from within `each`
  int64_t revision;
  uint64_t raft_term;
  void (*each)(void *ctx, const struct peri_etcd_kv *kvs, size_t count);
  void (*done)(void *ctx, const struct peri_etcd_error *error, int64_t revision,
               uint64_t raft_term);
  void *ctx;
};

static int ask(struct peri_etcd_scan *scan);

static void discard(struct peri_etcd_scan *scan) {
  peri_list_remove(&scan->link);
  peri_buffer_done(&scan->next);
  free(scan->end);
  free(scan);
}

static void end(struct peri_etcd_scan *scan,
                const struct peri_etcd_error *error) {
  void (*done)(void *ctx, const struct peri_etcd_error *error, int64_t revision,
               uint64_t raft_term) = scan->done;
  void *ctx = scan->ctx;
  int64_t revision = error == NULL ? scan->revision : 0;
  uint64_t raft_term = error == NULL ? scan->raft_term : 0;
  discard(scan);
  done(ctx, error, revision, raft_term);
}

/// Goes on behind the last key of a page: the next possible key is that one
/// with a zero byte at its end.
static int advance(struct peri_etcd_scan *scan, struct peri_slice last) {
  scan->next.len = 0;
  int rc = peri_buffer_add(&scan->next, last.ptr, last.len);
  return rc == 0 ? peri_buffer_add(&scan->next, "", 1) : rc;
}

/// Whether it can be the page that was asked for: the keys of the range from
/// `next` on, in order. Else there might never be a last one.
static bool is_page(const struct peri_etcd_scan *scan,
                    const struct peri_etcd_range_result *result) {
  struct peri_slice end = {scan->end, scan->end_len};
  bool endless = end.len == 1 && end.ptr[0] == '\0';
  struct peri_slice least = peri_buffer_slice(&scan->next);
  if (result->revision <= 0 || result->revision == INT64_MAX) {
    return false;
  }
  for (size_t i = 0; i < result->kv_count; i++) {
    int order = peri_slice_compare(result->kvs[i].key, least);
    if (order < 0 || (order == 0 && i > 0)) {
      return false;
    }
    least = result->kvs[i].key;
  }
  return result->kv_count == 0 || endless || peri_slice_compare(least, end) < 0;
}

static void page_done(void *ctx, const struct peri_etcd_error *error,
                      const struct peri_etcd_range_result *result) {
  struct peri_etcd_scan *scan = ctx;
  struct peri_etcd_error own;
  scan->call = NULL;
  if (error != NULL) {
    end(scan, error);
    return;
  }
  if (!is_page(scan, result)) {
    peri_etcd_error_set(&own, PERI_ETCD_GARBAGE,
                        "etcd answered with keys that were not asked for");
    end(scan, &own);
    return;
  }
  if (scan->revision == 0) {
    scan->revision = result->revision;
  }
  scan->raft_term = result->raft_term;
  if (result->kv_count > 0) {
    scan->each(scan->ctx, result->kvs, result->kv_count);
    if (scan->canceled) {
      discard(scan);
      return;
    }
  }
  if (!result->more || result->kv_count == 0) {
    end(scan, NULL);
    return;
  }
  int rc = advance(scan, result->kvs[result->kv_count - 1].key);
  if (rc == 0) {
    rc = ask(scan);
  }
  if (rc < 0) {
    peri_etcd_error_set(&own, PERI_ETCD_BUSY, "out of memory");
    end(scan, &own);
  }
}

static int ask(struct peri_etcd_scan *scan) {
  struct peri_etcd_range range = {.key = peri_buffer_slice(&scan->next),
                                  .range_end = {scan->end, scan->end_len},
                                  .limit = scan->page,
                                  .revision = scan->revision,
                                  .serializable = scan->serializable};
  return peri_etcd_range(scan->etcd, &range, page_done, scan, &scan->call);
}

int peri_etcd_scan(struct peri_etcd *etcd, struct peri_slice prefix,
                   uint32_t page, bool serializable,
                   void (*each)(void *ctx, const struct peri_etcd_kv *kvs,
                                size_t count),
                   void (*done)(void *ctx, const struct peri_etcd_error *error,
                                int64_t revision, uint64_t raft_term),
                   void *ctx, struct peri_etcd_scan **ret_scan) {
  struct peri_etcd_scan *scan = calloc(1, sizeof(*scan));
  if (scan == NULL) {
    return PERI_ENOMEM;
  }
  peri_list_init(&scan->link);
  scan->etcd = etcd;
  scan->page = page > 0 ? page : PAGE;
  scan->serializable = serializable;
  scan->each = each;
  scan->done = done;
  scan->ctx = ctx;
  scan->end = malloc(prefix.len + 1);
  // No key is empty; the first one possible is a zero byte.
  int rc = scan->end == NULL ? PERI_ENOMEM
           : prefix.len > 0
               ? peri_buffer_add(&scan->next, prefix.ptr, prefix.len)
               : peri_buffer_add(&scan->next, "", 1);
  if (rc == 0) {
    scan->end_len = peri_etcd_prefix_end(prefix, scan->end);
    rc = ask(scan);
  }
  if (rc < 0) {
    discard(scan);
    return rc;
  }
  peri_list_push(&etcd->scans, &scan->link);
  if (ret_scan != NULL) {
    *ret_scan = scan;
  }
  return 0;
}

void peri_etcd_scan_cancel(struct peri_etcd_scan *scan) {
  if (scan->call == NULL) {
    scan->canceled = true;
    peri_list_remove(&scan->link);
    return;
  }
  peri_etcd_call_cancel(scan->call);
  discard(scan);
}

void peri_etcd_scans_drop(struct peri_etcd *etcd) {
  struct peri_list *link;
  while ((link = peri_list_pop(&etcd->scans)) != NULL) {
    peri_etcd_scan_cancel(PERI_CONTAINER_OF(link, struct peri_etcd_scan, link));
  }
}
