#include "h2/body.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

void peri_h2_body_init(struct peri_h2_body *body) {
  body->segments = body->own;
  body->capacity = PERI_BODY_SEGMENTS;
  body->head = 0;
  body->count = 0;
  body->room_used = 0;
  body->bytes = 0;
  body->split = false;
  body->lent = NULL;
}

static struct peri_h2_segment *at(struct peri_h2_body *body, uint32_t index) {
  uint32_t place = body->head + index;
  return &body->segments[place < body->capacity ? place
                                                : place - body->capacity];
}

// Makes room for `extra` more segments.
static int reserve(struct peri_h2_body *body, size_t extra) {
  if (body->count + extra <= body->capacity) {
    return 0;
  }
  size_t capacity = body->capacity;
  while (capacity < body->count + extra) {
    capacity *= 2;
  }
  struct peri_h2_segment *segments = malloc(capacity * sizeof(*segments));
  if (segments == NULL) {
    return PERI_ENOMEM;
  }
  for (uint32_t i = 0; i < body->count; i++) {
    segments[i] = *at(body, i);
  }
  if (body->segments != body->own) {
    free(body->segments);
  }
  body->segments = segments;
  body->capacity = (uint32_t)capacity;
  body->head = 0;
  return 0;
}

static void append(struct peri_h2_body *body, const char *ptr, size_t len,
                   void (*release)(void *owner), void *owner) {
  struct peri_h2_segment *segment = at(body, body->count++);
  segment->ptr = ptr;
  segment->len = len;
  segment->release = release;
  segment->owner = owner;
  body->bytes += len;
}

// Copies into the stream's own room, next to what is there if it is the last.
static void append_small(struct peri_h2_body *body, struct peri_slice bytes) {
  char *to = body->room + body->room_used;
  memcpy(to, bytes.ptr, bytes.len);
  body->room_used += (uint32_t)bytes.len;
  struct peri_h2_segment *last =
      body->count > 0 ? at(body, body->count - 1) : NULL;
  if (last != NULL && last->release == NULL && last->ptr + last->len == to) {
    last->len += bytes.len;
    body->bytes += bytes.len;
  } else {
    append(body, to, bytes.len, NULL, NULL);
  }
}

static void free_block(void *block) {
  free(block);
}

// Copies of what does not fit into the room, in one block.
static int copy_large(struct peri_h2_body *body,
                      const struct peri_h2_piece *pieces, size_t count,
                      size_t len) {
  char *copy = malloc(len);
  if (copy == NULL) {
    return PERI_ENOMEM;
  }
  size_t used = 0;
  for (size_t i = 0; i < count; i++) {
    if (pieces[i].release == NULL && pieces[i].bytes.len > 0) {
      // Segments leave in order, so the last copy's release frees the block.
      size_t piece = pieces[i].bytes.len;
      bool last = used + piece == len;
      memcpy(copy + used, pieces[i].bytes.ptr, piece);
      append(body, copy + used, piece, last ? free_block : NULL, copy);
      used += piece;
    } else if (pieces[i].release != NULL) {
      append(body, pieces[i].bytes.ptr, pieces[i].bytes.len, pieces[i].release,
             pieces[i].owner);
    }
  }
  return 0;
}

int peri_h2_body_add(struct peri_h2_body *body,
                     const struct peri_h2_piece *pieces, size_t count) {
  size_t copied = 0;
  for (size_t i = 0; i < count; i++) {
    copied += pieces[i].release == NULL ? pieces[i].bytes.len : 0;
  }
  if (reserve(body, count) < 0) {
    return PERI_ENOMEM;
  }
  if (body->count == 0) {
    body->room_used = 0;
  }
  if (copied > PERI_BODY_ROOM_BYTES - body->room_used) {
    return copy_large(body, pieces, count, copied);
  }
  for (size_t i = 0; i < count; i++) {
    if (pieces[i].release != NULL) {
      append(body, pieces[i].bytes.ptr, pieces[i].bytes.len, pieces[i].release,
             pieces[i].owner);
    } else if (pieces[i].bytes.len > 0) {
      append_small(body, pieces[i].bytes);
    }
  }
  return 0;
}

static void drop_first(struct peri_h2_body *body) {
  body->head = body->head + 1 < body->capacity ? body->head + 1 : 0;
  body->count--;
  body->split = false;
}

void peri_h2_body_take(struct peri_h2_body *body, size_t len,
                       struct peri_out *out) {
  body->bytes -= len;
  while (body->count > 0 && (len > 0 || at(body, 0)->len == 0)) {
    struct peri_h2_segment *first = at(body, 0);
    size_t taken = first->len < len ? first->len : len;
    bool whole = taken == first->len;
    void (*release)(void *owner) = whole ? first->release : NULL;
    bool lent = release == free_block && body->lent == first->owner;
    if (taken >= PERI_OUT_BORROW_BYTES || lent ||
        (release != NULL && body->split)) {
      // The end of a piece or block whose beginning is borrowed already is
      // borrowed too: its release must come after all of it was written. All
      // else that is small is copied, for a frame may hold thousands of pieces
      // and has few parts.
      peri_out_borrow(out, first->ptr, taken, release, first->owner);
      body->split = true;
      if (first->release == NULL || first->release == free_block) {
        body->lent = release == NULL ? first->owner : NULL;
      }
    } else {
      if (taken > 0) {
        peri_out_copy(out, first->ptr, taken);
      }
      if (release != NULL) {
        release(first->owner);
      }
    }
    first->ptr += taken;
    first->len -= taken;
    len -= taken;
    if (whole) {
      drop_first(body);
    }
  }
}

void peri_h2_body_done(struct peri_h2_body *body) {
  for (uint32_t i = 0; i < body->count; i++) {
    struct peri_h2_segment *segment = at(body, i);
    if (segment->release != NULL) {
      segment->release(segment->owner);
    }
  }
  if (body->segments != body->own) {
    free(body->segments);
  }
  peri_h2_body_init(body);
}

void peri_h2_pieces_release(const struct peri_h2_piece *pieces, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (pieces[i].release != NULL) {
      pieces[i].release(pieces[i].owner);
    }
  }
}
