#include "cli/headers.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/text.h"

enum { LINE_BYTES = 1024 };

int peri_cli_headers_init(const struct peri_cli_arguments *arguments,
                          struct peri_cli_headers *ret_headers) {
  struct peri_cli_headers headers = {.count = arguments->header_count};
  size_t total = 1;
  for (size_t i = 0; i < headers.count; i++) {
    total += strcspn(arguments->headers[i], "=");
  }
  headers.names = malloc(total);
  if (headers.names == NULL) {
    return PERI_ENOMEM;
  }
  char *to = headers.names;
  for (size_t i = 0; i < headers.count; i++) {
    const char *from = arguments->headers[i];
    size_t len = strcspn(from, "=");
    headers.fields[i].name = (struct peri_slice){to, len};
    headers.fields[i].value = peri_slice_of(from + len + 1);
    for (size_t j = 0; j < len; j++) {
      *to++ = (char)tolower((unsigned char)from[j]);
    }
  }
  *ret_headers = headers;
  return 0;
}

void peri_cli_headers_done(struct peri_cli_headers *headers) {
  free(headers->names);
  headers->names = NULL;
  headers->count = 0;
}

void peri_cli_explained(void *ctx, const struct peri_rpc_field *field) {
  char line[LINE_BYTES];
  (void)ctx;
  if (!peri_slice_is(field->name, "perigee-explain")) {
    return;
  }
  size_t len = peri_text_percent_decode(field->value, line, sizeof(line));
  len = peri_text_clean(line, len);
  fprintf(stderr, "perigee-explain: %.*s\n", (int)len, line);
}
