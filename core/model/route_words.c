#include <string.h>

#include "base/slice.h"
#include "base/text.h"
#include "model/route.h"

enum { MOST_SHOWN = 64 };

static int shown(struct peri_slice text) {
  return text.len > MOST_SHOWN ? MOST_SHOWN : (int)text.len;
}

static int put_is(struct peri_buffer *text, const char *what,
                  struct peri_slice is, const char *wanted) {
  return peri_buffer_printf(text, "%s is \"%.*s\", not \"%s\"", what, shown(is),
                            is.ptr, wanted);
}

static int put_wanted(struct peri_buffer *text,
                      const struct peri_route_header *header) {
  switch (header->kind) {
    case PERI_MATCH_PREFIX:
      return peri_buffer_printf(text, "prefix \"%s\"", header->value);
    case PERI_MATCH_PATTERN:
      return peri_buffer_printf(text, "pattern \"%s\"", header->value);
    case PERI_MATCH_EXACT:
    case PERI_MATCH_PRESENT:
    default:
      return peri_buffer_printf(text, "\"%s\"", header->value);
  }
}

static int put_missed_header(struct peri_buffer *text,
                             const struct peri_route_query *query,
                             const struct peri_route_header *header) {
  struct peri_slice value;
  if (query->header == NULL ||
      !query->header(query->ctx, header->name, &value)) {
    return peri_buffer_printf(text, "there is no header %s", header->name);
  }
  if (peri_text_is_secret(header->name)) {
    return peri_buffer_printf(text, "header %s has another value",
                              header->name);
  }
  int rc = peri_buffer_printf(text, "header %s is \"%.*s\", not ", header->name,
                              shown(value), value.ptr);
  return rc < 0 ? rc : put_wanted(text, header);
}

static int put_miss(struct peri_buffer *text, const struct peri_route *route,
                    const struct peri_route_query *query,
                    enum peri_route_part part,
                    const struct peri_route_header *header) {
  int rc = peri_buffer_printf(text, "route %zu did not: ", route->index);
  if (rc < 0) {
    return rc;
  }
  switch (part) {
    case PERI_ROUTE_SERVICE:
      return put_is(text, "service", query->service, route->service);
    case PERI_ROUTE_METHOD:
      return put_is(text, "method", query->method, route->method);
    case PERI_ROUTE_AUTHORITY:
      return put_is(text, "authority", query->authority, route->authority);
    case PERI_ROUTE_HEADER:
    case PERI_ROUTE_MATCHES:
    default:
      return put_missed_header(text, query, header);
  }
}

static int put_part(struct peri_buffer *text, const char *name,
                    const char *value, const char **comma) {
  if (value == NULL) {
    return 0;
  }
  int rc = peri_buffer_printf(text, "%s%s \"%s\"", *comma, name, value);
  *comma = ", ";
  return rc;
}

static int put_header(struct peri_buffer *text,
                      const struct peri_route_query *query,
                      const struct peri_route_header *header,
                      const char **comma) {
  struct peri_slice value = {"", 0};
  int rc = peri_buffer_printf(text, "%sheader %s", *comma, header->name);
  *comma = ", ";
  if (rc == 0 && header->kind == PERI_MATCH_PRESENT) {
    return peri_buffer_printf(text, " is there");
  }
  if (rc < 0) {
    return rc;
  }
  if (peri_text_is_secret(header->name)) {
    return header->kind == PERI_MATCH_PREFIX
               ? peri_buffer_printf(text, " by its prefix")
           : header->kind == PERI_MATCH_PATTERN
               ? peri_buffer_printf(text, " by a pattern")
               : 0;
  }
  (void)query->header(query->ctx, header->name, &value);
  rc = peri_buffer_printf(text, " = \"%.*s\"", shown(value), value.ptr);
  if (rc == 0 && header->kind != PERI_MATCH_EXACT) {
    rc = peri_buffer_printf(text, " by ");
    rc = rc < 0 ? rc : put_wanted(text, header);
  }
  return rc;
}

static int put_match(struct peri_buffer *text, const struct peri_route *route,
                     const struct peri_route_query *query) {
  const char *comma = "";
  int rc = peri_buffer_printf(text, "route %zu matched: ", route->index);
  if (rc == 0) {
    rc = put_part(text, "service", route->service, &comma);
  }
  if (rc == 0) {
    rc = put_part(text, "method", route->method, &comma);
  }
  if (rc == 0) {
    rc = put_part(text, "authority", route->authority, &comma);
  }
  for (size_t i = 0; rc == 0 && i < route->header_count; i++) {
    rc = put_header(text, query, &route->headers[i], &comma);
  }
  return rc == 0 && comma[0] == '\0'
             ? peri_buffer_printf(text, "it takes every call")
             : rc;
}

int peri_route_words(const struct peri_route *route,
                     const struct peri_route_query *query,
                     struct peri_buffer *text) {
  const struct peri_route_header *header = NULL;
  enum peri_route_part part = peri_route_miss(route, query, &header);
  return part == PERI_ROUTE_MATCHES
             ? put_match(text, route, query)
             : put_miss(text, route, query, part, header);
}
