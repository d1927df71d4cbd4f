#include "h2/names.h"

#include <string.h>

// With a constant length this is a comparison of words rather than a call.
static inline const char *same(struct peri_slice name, const char *text,
                               size_t len) {
  return memcmp(name.ptr, text, len) == 0 ? text : NULL;
}

static const char *of_seven(struct peri_slice name) {
  switch (name.ptr[1]) {
    case 'm':
      return same(name, ":method", 7);
    case 's':
      return name.ptr[2] == 't' ? same(name, ":status", 7)
                                : same(name, ":scheme", 7);
    default:
      return NULL;
  }
}

static const char *of_twelve(struct peri_slice name) {
  switch (name.ptr[5]) {
    case 'n':
      return same(name, "content-type", 12);
    case 't':
      return same(name, "grpc-timeout", 12);
    case 'm':
      return same(name, "grpc-message", 12);
    default:
      return NULL;
  }
}

const char *peri_h2_name_lasting(struct peri_slice name) {
  switch (name.len) {
    case 2:
      return same(name, "te", 2);
    case 5:
      return same(name, ":path", 5);
    case 7:
      return of_seven(name);
    case 10:
      return name.ptr[0] == ':' ? same(name, ":authority", 10)
                                : same(name, "user-agent", 10);
    case 11:
      return name.ptr[0] == 'g' ? same(name, "grpc-status", 11)
                                : same(name, "perigee-hop", 11);
    case 12:
      return of_twelve(name);
    case 13:
      return same(name, "grpc-encoding", 13);
    case 15:
      return same(name, "perigee-service", 15);
    case 20:
      return same(name, "grpc-accept-encoding", 20);
    default:
      return NULL;
  }
}
