#pragma once

#include "base/types.h"

enum peri_address_kind {
  PERI_ADDRESS_IPV4 = 1,
  PERI_ADDRESS_IPV6 = 2,
  PERI_ADDRESS_NAME = 3,
  PERI_ADDRESS_UNIX = 4
};

/// A parsed "10.0.0.7:7402", "[::1]:7402", "host.example:7402" or "unix:PATH".
struct peri_address {
  int kind;        // enum peri_address_kind
  char host[256];  // without brackets; the path for PERI_ADDRESS_UNIX
  uint16_t port;   // 0 for PERI_ADDRESS_UNIX, or to ask for a free port
};

/// Parses an address. @return 0, or PERI_EINVAL (no port, a bad port, an empty
/// host, a name with characters no host has, a Unix path over 107 bytes).
int peri_address_parse(struct peri_slice text,
                       struct peri_address *ret_address);

/// Writes the address as it is written in configurations; `capacity` of 300
/// always suffices. Returns the length without the NUL.
size_t peri_address_format(const struct peri_address *address, char *ret_text,
                           size_t capacity);

struct sockaddr;

/// Fills a socket address (sockaddr_storage sized) for kinds IPV4, IPV6 and
/// UNIX.
/// @return its length, or PERI_EINVAL for a name, which must be resolved first.
int peri_address_sockaddr(const struct peri_address *address,
                          struct sockaddr *ret_sockaddr);
