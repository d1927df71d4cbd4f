// Preloaded into a sidecar, makes every name stand for the address that the
// file PERI_NAME_FILE holds, as DNS would; for no address while the file is
// empty.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *restrict node, const char *restrict service,
                const struct addrinfo *restrict hints,
                struct addrinfo **restrict ret_list) {
  static int (*real)(const char *, const char *, const struct addrinfo *,
                     struct addrinfo **);
  if (real == NULL) {
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
  }
  if (node == NULL || strstr(node, ".test") == NULL) {
    return real(node, service, hints, ret_list);
  }
  char text[64] = {0};
  int fd = open(getenv("PERI_NAME_FILE"), O_RDONLY | O_CLOEXEC);
  ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
  if (fd >= 0) {
    close(fd);
  }
  if (got <= 0) {
    return EAI_AGAIN;
  }
  struct addrinfo numeric = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST};
  return real(text, service, &numeric, ret_list);
}
