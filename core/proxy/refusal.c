#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/status.h"
#include "base/text.h"
#include "h2/call.h"
#include "h2/framing.h"
#include "proxy/private.h"

enum { WORDS_BYTES = 768 };

// The status as trailers, behind what the caller has been given so far.
static void conclude(struct peri_proxy_call *call, int status,
                     const char *words) {
  char digits[12];
  char text[WORDS_BYTES * 3];
  int len = snprintf(digits, sizeof(digits), "%d", status);
  const struct peri_h2_field fields[] = {
      {{"grpc-status", 11}, {digits, (size_t)len}, false},
      {{"grpc-message", 12},
       {text,
        peri_text_percent_encode(peri_slice_of(words), text, sizeof(text))},
       false}};
  int rc = peri_proxy_explain_send(call, false, fields, 2);
  if (rc < 0 && rc != PERI_ECLOSED) {
    peri_h2_stream_reset(call->caller, PERI_H2_INTERNAL_ERROR);
  }
}

// The same as headers alone, with an explanation.
static void refuse_told(struct peri_proxy_call *call, int status,
                        const char *words) {
  struct peri_h2_field fields[PERI_DECISION_LINES];
  struct peri_decision_lines lines;
  size_t count = peri_proxy_explain_fields(call, strlen(words), &lines, fields);
  peri_call_refuse_more(call->caller, status, words, fields, count);
  peri_decision_lines_done(&lines);
}

void peri_proxy_refuse(struct peri_proxy_call *call, int status,
                       const char *format, ...) {
  char words[WORDS_BYTES];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(words, sizeof(words), format, arguments);
  va_end(arguments);
  peri_proxy_explain_refusal(call, status, words);
  if (call->responded) {
    conclude(call, status, words);
  } else if (call->explained) {
    refuse_told(call, status, words);
  } else {
    peri_call_refuse(call->caller, status, words);
  }
  peri_proxy_call_drop(call, PERI_H2_CANCEL);
  peri_proxy_attempt_over(call, status, true);
  peri_proxy_call_end(call, status);
}

bool peri_proxy_end_is_own(const struct peri_h2_end *end) {
  return end->reset || (end->h2_error != 0 && end->code != PERI_ECLOSED &&
                        end->code != PERI_ETIMEOUT &&
                        end->code != PERI_ECONNECT && end->code != PERI_ENOMEM);
}

const char *peri_proxy_end_words(const struct peri_h2_end *end) {
  if (peri_proxy_end_is_own(end) && end->code == PERI_ELIMIT) {
    return "the header list is larger than limits.header_list_bytes";
  }
  if (peri_proxy_end_is_own(end) && end->code == PERI_EPROTO) {
    return "the answer breaks the rules of HTTP/2";
  }
  return peri_error_text(end->code != 0 ? end->code : PERI_ECLOSED);
}

int peri_proxy_status_of(const struct peri_h2_end *end) {
  if (end->unprocessed || !peri_proxy_end_is_own(end)) {
    return PERI_STATUS_UNAVAILABLE;
  }
  return peri_framing_status_of_h2(end->h2_error);
}
