#pragma once

#include "script/http.h"

/// What a request gave.
struct http_outcome {
  int calls;
  int code;
  int status;
  char text[256];
  char url[256];
  char headers[4096];
  char body[4096];
  size_t body_len;
};

int http_shim_start(struct peri_http *http,
                    const struct peri_http_request *request,
                    struct http_outcome *outcome,
                    struct peri_http_call **ret_call);
