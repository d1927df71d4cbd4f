#include "script/http_shim.h"

#include <stdio.h>
#include <string.h>

static void done(void *ctx, const struct peri_http_response *response) {
  struct http_outcome *outcome = ctx;
  size_t len = response->body.len < sizeof(outcome->body)
                   ? response->body.len
                   : sizeof(outcome->body);

  outcome->calls++;
  outcome->code = response->code;
  outcome->status = response->status;
  outcome->body_len = response->body.len;
  snprintf(outcome->text, sizeof(outcome->text), "%s", response->text);
  snprintf(outcome->url, sizeof(outcome->url), "%s", response->url);
  snprintf(outcome->headers, sizeof(outcome->headers), "%.*s",
           (int)response->headers.len, response->headers.ptr);
  if (len > 0) {
    memcpy(outcome->body, response->body.ptr, len);
  }
}

int http_shim_start(struct peri_http *http,
                    const struct peri_http_request *request,
                    struct http_outcome *outcome,
                    struct peri_http_call **ret_call) {
  return peri_http_start(http, request, done, outcome, ret_call);
}
