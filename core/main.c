#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/folders.h"
#include "app/serve.h"
#include "cli/cli.h"

/// Whoever started us may have closed the first three descriptors. A socket
/// that took such a number would be sent our log and our answers: something
/// that refuses both reading and writing the wrong way round takes it instead.
static void fill_descriptors(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (fcntl(fd, F_GETFD) < 0) {
      // The lowest free number is this one.
      (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
  }
}

static int serve(int argc, const char *const *argv,
                 const struct peri_folders *folders, const char *problem) {
  bool stuck = false;
  int status = peri_serve_main(argc, argv, folders, problem, &stuck);
  if (stuck) {
    _exit(status);
  }
  return status;
}

/// `perigee serve` is the sidecar; every other verb talks to one.
int main(int argc, char **argv) {
  struct peri_folders folders;
  struct peri_problem problem = {0, ""};
  fill_descriptors();
  const char *const *rest = (const char *const *)argv + 1;
  int count = argc > 0 ? argc - 1 : 0;
  int rc = peri_folders_find(getenv("PERIGEE_DATA"), NULL, &folders, &problem);
  if (count > 0 && strcmp(rest[0], "serve") == 0) {
    return serve(count - 1, rest + 1, rc < 0 ? NULL : &folders, problem.text);
  }
  return peri_cli_main(count, rest, rc < 0 ? NULL : folders.lua,
                       rc < 0 ? NULL : folders.plugins, problem.text);
}
