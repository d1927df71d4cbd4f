#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/slice.h"

enum { LONGEST_NAME = 253, LONGEST_PATH = 107, LARGEST_PORT = 65535 };

static int parse_port(struct peri_slice text, uint16_t *ret_port) {
  if (text.len == 0 || text.len > 5) {
    return PERI_EINVAL;
  }
  unsigned port = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9') {
      return PERI_EINVAL;
    }
    port = port * 10 + (unsigned)(text.ptr[i] - '0');
  }
  if (port > LARGEST_PORT) {
    return PERI_EINVAL;
  }
  *ret_port = (uint16_t)port;
  return 0;
}

// Whether the host may be looked up. Names of digits and dots alone are
// mistyped IPv4 addresses: no top-level domain is a number.
static bool is_name(struct peri_slice host) {
  bool letter = false;
  if (host.len == 0 || host.len > LONGEST_NAME || host.ptr[0] == '.' ||
      host.ptr[0] == '-') {
    return false;
  }
  for (size_t i = 0; i < host.len; i++) {
    char c = host.ptr[i];
    bool digit = c >= '0' && c <= '9';
    bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!digit && !alpha && c != '-' && c != '.' && c != '_') {
      return false;
    }
    if (c == '.' && i > 0 && host.ptr[i - 1] == '.') {
      return false;
    }
    letter = letter || alpha || c == '_' || c == '-';
  }
  return letter;
}

static int parse_unix(struct peri_slice path, struct peri_address *address) {
  if (path.len == 0 || path.len > LONGEST_PATH ||
      memchr(path.ptr, '\0', path.len) != NULL) {
    return PERI_EINVAL;
  }
  address->kind = PERI_ADDRESS_UNIX;
  memcpy(address->host, path.ptr, path.len);
  return 0;
}

static int parse_host(struct peri_slice host, bool bracketed,
                      struct peri_address *address) {
  struct in6_addr scratch;
  if (host.len == 0 || host.len >= sizeof(address->host) ||
      memchr(host.ptr, '\0', host.len) != NULL) {
    return PERI_EINVAL;
  }
  memcpy(address->host, host.ptr, host.len);
  if (bracketed) {
    address->kind = PERI_ADDRESS_IPV6;
    return inet_pton(AF_INET6, address->host, &scratch) == 1 ? 0 : PERI_EINVAL;
  }
  if (inet_pton(AF_INET, address->host, &scratch) == 1) {
    address->kind = PERI_ADDRESS_IPV4;
    return 0;
  }
  address->kind = PERI_ADDRESS_NAME;
  return is_name(host) ? 0 : PERI_EINVAL;
}

// Splits at the colon before the port; a bracketed host may hold colons.
static int split(struct peri_slice text, bool bracketed,
                 struct peri_slice *ret_host, struct peri_slice *ret_port) {
  char mark = bracketed ? ']' : ':';
  const char *end = text.len > 0 ? memrchr(text.ptr, mark, text.len) : NULL;
  if (end == NULL) {
    return PERI_EINVAL;
  }
  const char *colon = bracketed ? end + 1 : end;
  const char *stop = text.ptr + text.len;
  if (colon >= stop || *colon != ':') {
    return PERI_EINVAL;
  }
  const char *start = bracketed ? text.ptr + 1 : text.ptr;
  ret_host->ptr = start;
  ret_host->len = (size_t)(end - start);
  ret_port->ptr = colon + 1;
  ret_port->len = (size_t)(stop - colon - 1);
  return 0;
}

int peri_address_parse(struct peri_slice text,
                       struct peri_address *ret_address) {
  struct peri_address address;
  memset(&address, 0, sizeof(address));
  int rc = 0;
  if (peri_slice_starts(text, "unix:")) {
    struct peri_slice path = {text.ptr + 5, text.len - 5};
    rc = parse_unix(path, &address);
  } else {
    struct peri_slice host;
    struct peri_slice port;
    bool bracketed = peri_slice_starts(text, "[");
    rc = split(text, bracketed, &host, &port);
    if (rc == 0) {
      rc = parse_port(port, &address.port);
    }
    if (rc == 0) {
      rc = parse_host(host, bracketed, &address);
    }
  }
  if (rc == 0) {
    *ret_address = address;
  }
  return rc;
}

size_t peri_address_format(const struct peri_address *address, char *ret_text,
                           size_t capacity) {
  int len = 0;
  if (address->kind == PERI_ADDRESS_UNIX) {
    len = snprintf(ret_text, capacity, "unix:%s", address->host);
  } else if (address->kind == PERI_ADDRESS_IPV6) {
    len = snprintf(ret_text, capacity, "[%s]:%u", address->host,
                   (unsigned)address->port);
  } else {
    len = snprintf(ret_text, capacity, "%s:%u", address->host,
                   (unsigned)address->port);
  }
  if (len < 0 || capacity == 0) {
    return 0;
  }
  return (size_t)len < capacity ? (size_t)len : capacity - 1;
}

static int fill_unix(const struct peri_address *address,
                     struct sockaddr_un *ret_sockaddr) {
  size_t len = strlen(address->host);
  if (len == 0 || len > LONGEST_PATH) {
    return PERI_EINVAL;
  }
  memset(ret_sockaddr, 0, sizeof(*ret_sockaddr));
  ret_sockaddr->sun_family = AF_UNIX;
  memcpy(ret_sockaddr->sun_path, address->host, len);
  return (int)(offsetof(struct sockaddr_un, sun_path) + len + 1);
}

int peri_address_sockaddr(const struct peri_address *address,
                          struct sockaddr *ret_sockaddr) {
  if (address->kind == PERI_ADDRESS_IPV4) {
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons(address->port)};
    if (inet_pton(AF_INET, address->host, &in.sin_addr) != 1) {
      return PERI_EINVAL;
    }
    memcpy(ret_sockaddr, &in, sizeof(in));
    return (int)sizeof(in);
  }
  if (address->kind == PERI_ADDRESS_IPV6) {
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
                               .sin6_port = htons(address->port)};
    if (inet_pton(AF_INET6, address->host, &in6.sin6_addr) != 1) {
      return PERI_EINVAL;
    }
    memcpy(ret_sockaddr, &in6, sizeof(in6));
    return (int)sizeof(in6);
  }
  if (address->kind == PERI_ADDRESS_UNIX) {
    return fill_unix(address, (struct sockaddr_un *)(void *)ret_sockaddr);
  }
  return PERI_EINVAL;
}
