#include "script/http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/error.h"
#include "loop/poll.h"
#include "loop/timer.h"

enum {
  IDLE_CONNECTIONS = 32,
  MOST_CONNECTIONS = 256,
  HEADER_BYTES = 64 * 1024
};

struct peri_http {
  CURLM *multi;
  struct peri_loop *loop;
  struct peri_timer *timer;
};

struct peri_http_call {
  struct peri_http *http;
  CURL *easy;
  struct curl_slist *header;
  char *body;
  void (*done)(void *ctx, const struct peri_http_response *response);
  void *ctx;
  uint64_t max_bytes;
  struct peri_buffer headers;
  struct peri_buffer received;
  struct peri_http_room *room;  // NULL: none, or given back
  uint64_t held;                // of the room
  bool crowded;
  int failure;  // what a callback ended the transfer for, or 0
  char words[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global_code;

static void init_global(void) {
  global_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int code_of(const struct peri_http_call *call, CURLcode result) {
  switch (result) {
    case CURLE_OK:
      return 0;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return PERI_EINVAL;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return PERI_ECONNECT;
    case CURLE_OPERATION_TIMEDOUT:
      return PERI_ETIMEOUT;
    case CURLE_FILESIZE_EXCEEDED:
    case CURLE_TOO_MANY_REDIRECTS:
      return PERI_ELIMIT;
    case CURLE_OUT_OF_MEMORY:
      return PERI_ENOMEM;
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      return PERI_ECLOSED;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return PERI_EPROTO;
    case CURLE_WRITE_ERROR:
      return call->failure != 0 ? call->failure : PERI_EIO;
    default:
      return PERI_EIO;
  }
}

static const char *words_of(const struct peri_http_call *call,
                            CURLcode result) {
  if (call->crowded) {
    return "the policy's open requests hold too much";
  }
  if (call->failure == PERI_ELIMIT) {
    return "the response is larger than allowed";
  }
  if (result == CURLE_FILESIZE_EXCEEDED) {
    return "the response is larger than allowed";
  }
  return call->words[0] != '\0' ? call->words : curl_easy_strerror(result);
}

// Bytes that the call holds from now on. @return 0 or PERI_ELIMIT
static int take_room(struct peri_http_call *call, uint64_t bytes) {
  struct peri_http_room *room = call->room;

  if (room == NULL) {
    return 0;
  }
  if (bytes > room->most_bytes - room->used_bytes) {
    call->crowded = true;
    return PERI_ELIMIT;
  }
  room->used_bytes += bytes;
  call->held += bytes;
  return 0;
}

static void give_room_back(struct peri_http_call *call) {
  if (call->room != NULL) {
    call->room->used_bytes -= call->held;
    call->room = NULL;
  }
}

static void release(struct peri_http_call *call) {
  give_room_back(call);
  curl_easy_cleanup(call->easy);
  curl_slist_free_all(call->header);
  free(call->body);
  peri_buffer_done(&call->headers);
  peri_buffer_done(&call->received);
  free(call);
}

static void finish(struct peri_http_call *call, CURLcode result) {
  struct peri_http_response response = {
      .code = code_of(call, result),
      .text = "",
      .url = "",
      .headers = peri_buffer_slice(&call->headers),
      .body = peri_buffer_slice(&call->received)};
  long status = 0;

  curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(call->easy, CURLINFO_EFFECTIVE_URL, &response.url);
  response.status = (int)status;
  if (response.code < 0) {
    response.text = words_of(call, result);
  }
  curl_multi_remove_handle(call->http->multi, call->easy);
  give_room_back(call);  // Whose it is may go with `done`.
  call->done(call->ctx, &response);
  release(call);
}

// What ended. A `done` may start and cancel other calls meanwhile.
static void collect(struct peri_http *http) {
  CURLMsg *message;
  int left;

  while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
    struct peri_http_call *call = NULL;
    if (message->msg != CURLMSG_DONE) {
      continue;
    }
    CURLcode result = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
    finish(call, result);
  }
}

// One watched socket of curl's.
struct watched {
  struct peri_http *http;
  struct peri_poll *poll;
  curl_socket_t socket;
};

static void ready(void *ctx, int events, int error) {
  struct watched *watched = ctx;
  struct peri_http *http = watched->http;
  int what = error < 0 ? CURL_CSELECT_ERR : 0;
  int running;

  if (events & PERI_POLL_READ) {
    what |= CURL_CSELECT_IN;
  }
  if (events & PERI_POLL_WRITE) {
    what |= CURL_CSELECT_OUT;
  }
  curl_multi_socket_action(http->multi, watched->socket, what, &running);
  collect(http);
}

static void unwatch(struct peri_http *http, struct watched *watched) {
  if (watched) {
    curl_multi_assign(http->multi, watched->socket, NULL);
    peri_poll_free(watched->poll);
    free(watched);
  }
}

static struct watched *watch(struct peri_http *http, curl_socket_t socket) {
  struct watched *watched = calloc(1, sizeof(*watched));

  if (!watched) {
    return NULL;
  }
  watched->http = http;
  watched->socket = socket;
  if (peri_poll_new(http->loop, socket, ready, watched, &watched->poll) < 0) {
    free(watched);
    return NULL;
  }
  curl_multi_assign(http->multi, socket, watched);
  return watched;
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *ctx,
                     void *assigned) {
  struct peri_http *http = ctx;
  struct watched *watched = assigned;
  int events = 0;

  (void)easy;
  if (what == CURL_POLL_REMOVE) {
    unwatch(http, watched);
    return 0;
  }
  if (!watched) {
    watched = watch(http, socket);
    if (!watched) {
      return -1;
    }
  }
  if (what & CURL_POLL_IN) {
    events |= PERI_POLL_READ;
  }
  if (what & CURL_POLL_OUT) {
    events |= PERI_POLL_WRITE;
  }
  return peri_poll_set(watched->poll, events) < 0 ? -1 : 0;
}

static void expire(void *ctx) {
  struct peri_http *http = ctx;
  int running;

  curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
  collect(http);
}

static int on_timer(CURLM *multi, long timeout_ms, void *ctx) {
  struct peri_http *http = ctx;

  (void)multi;
  if (timeout_ms < 0) {
    peri_timer_stop(http->timer);
  } else {
    peri_timer_start(http->timer, (uint64_t)timeout_ms, 0);
  }
  return 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx) {
  struct peri_http_call *call = ctx;
  size_t len = size * count;

  if (len > call->max_bytes || call->received.len > call->max_bytes - len) {
    call->failure = PERI_ELIMIT;
    return 0;
  }
  call->failure = take_room(call, len);
  if (call->failure == 0) {
    call->failure = peri_buffer_add(&call->received, bytes, len);
  }
  return call->failure == 0 ? len : 0;
}

// Header lines of the last response; those of redirects and of 100 Continue
// make room for the next.
static size_t on_header(char *bytes, size_t size, size_t count, void *ctx) {
  struct peri_http_call *call = ctx;
  size_t len = size * count;

  if (len >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
    peri_buffer_drop(&call->headers, call->headers.len);
    return len;
  }
  if (len > HEADER_BYTES || call->headers.len > HEADER_BYTES - len) {
    call->failure = PERI_ELIMIT;
    return 0;
  }
  call->failure = peri_buffer_add(&call->headers, bytes, len);
  return call->failure == 0 ? len : 0;
}

int peri_http_new(struct peri_loop *loop, struct peri_http **ret_http) {
  struct peri_http *http;
  int rc = PERI_ENOMEM;

  pthread_once(&once, init_global);
  if (global_code != CURLE_OK) {
    return PERI_EIO;
  }
  http = calloc(1, sizeof(*http));
  if (!http) {
    return rc;
  }
  http->loop = loop;
  rc = peri_timer_new(loop, expire, http, &http->timer);
  if (rc < 0) {
    goto fail_http;
  }
  http->multi = curl_multi_init();
  if (!http->multi) {
    rc = PERI_ENOMEM;
    goto fail_timer;
  }
  curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
  curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
  curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS);
  curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                    (long)MOST_CONNECTIONS);
  *ret_http = http;
  return 0;

fail_timer:
  peri_timer_free(http->timer);
fail_http:
  free(http);
  return rc;
}

void peri_http_free(struct peri_http *http) {
  if (!http) {
    return;
  }
  curl_multi_cleanup(http->multi);
  peri_timer_free(http->timer);
  free(http);
}

static int copy_headers(struct peri_http_call *call,
                        const struct peri_http_request *request) {
  // Without it curl waits a second for a "100 Continue" that few servers send.
  struct curl_slist *list = curl_slist_append(NULL, "Expect:");

  call->header = list;
  for (size_t i = 0; list && i < request->header_count; i++) {
    list = curl_slist_append(call->header, request->header[i]);
  }
  return list ? 0 : PERI_ENOMEM;
}

static int copy_body(struct peri_http_call *call,
                     const struct peri_http_request *request) {
  if (!request->has_body) {
    return 0;
  }
  int rc = take_room(call, request->body.len);
  if (rc < 0) {
    return rc;
  }
  call->body = malloc(request->body.len + 1);
  if (!call->body) {
    return PERI_ENOMEM;
  }
  if (request->body.len > 0) {
    memcpy(call->body, request->body.ptr, request->body.len);
  }
  curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, call->body);
  curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                   (curl_off_t)request->body.len);
  return 0;
}

static CURLcode set_limits(CURL *easy,
                           const struct peri_http_request *request) {
  CURLcode rc = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");

  if (rc == CURLE_OK) {
    rc = curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  }
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION,
                   request->max_redirects > 0 ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)request->max_redirects);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   (long)request->connect_timeout_ms);
  curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE,
                   (curl_off_t)request->max_bytes);
  // A sidecar's own environment says nothing about its policies' origins.
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "perigee/" PERI_VERSION);
  return rc;
}

static int set_up(struct peri_http_call *call,
                  const struct peri_http_request *request) {
  CURL *easy = call->easy;

  if (set_limits(easy, request) != CURLE_OK) {
    return PERI_EINVAL;
  }
  int rc = copy_headers(call, request);
  if (rc == 0) {
    rc = copy_body(call, request);
  }
  if (rc < 0) {
    return rc;
  }
  if (strcasecmp(request->method, "HEAD") == 0) {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (request->has_body || strcasecmp(request->method, "GET") != 0) {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->header);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->words);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
  return curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK
             ? 0
             : PERI_ENOMEM;
}

int peri_http_start(struct peri_http *http,
                    const struct peri_http_request *request,
                    void (*done)(void *ctx,
                                 const struct peri_http_response *response),
                    void *ctx, struct peri_http_call **ret_call) {
  struct peri_http_call *call = calloc(1, sizeof(*call));
  int rc = PERI_ENOMEM;

  if (!call) {
    return rc;
  }
  call->http = http;
  call->done = done;
  call->ctx = ctx;
  call->max_bytes = request->max_bytes;
  call->room = request->room;
  call->easy = curl_easy_init();
  if (!call->easy) {
    goto fail_call;
  }
  rc = set_up(call, request);
  if (rc < 0) {
    goto fail_call;
  }
  if (curl_multi_add_handle(http->multi, call->easy) != CURLM_OK) {
    rc = PERI_ENOMEM;
    goto fail_call;
  }
  *ret_call = call;
  return 0;

fail_call:
  release(call);
  return rc;
}

void peri_http_cancel(struct peri_http_call *call) {
  curl_multi_remove_handle(call->http->multi, call->easy);
  release(call);
}
