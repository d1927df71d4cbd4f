#include "cli/link.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/slice.h"
#include "cli/verbs.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "loop/timer.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "rpc/client.h"

enum { KEEP_MS = 3600000 };

struct peri_cli_link {
  struct peri_loop *loop;
  struct peri_timer *keep;  // a mailbox alone does not keep a loop running
  struct peri_mailbox *mailbox;
  struct peri_rpc_client *client;
  struct peri_rpc_channel *channel;
};

struct talk {
  struct peri_cli_link *link;
  struct peri_rpc_stream *stream;
  int (*message)(void *ctx, struct peri_slice bytes);
  void *ctx;
  struct peri_cli_outcome outcome;
  int rc;
};

static void stay(void *ctx) {
  (void)ctx;
}

static void closed(void *ctx) {
  struct peri_cli_link *link = ctx;
  link->client = NULL;
  peri_loop_stop(link->loop);
}

int peri_cli_link_new(const char *target, struct peri_cli_link **ret_link,
                      struct peri_problem *ret_problem) {
  struct peri_rpc_channel_options options = {.target = peri_slice_of(target)};
  struct peri_cli_link *link = calloc(1, sizeof(*link));
  if (link == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  int rc = peri_loop_new(&link->loop);
  if (rc == 0) {
    rc = peri_timer_new(link->loop, stay, NULL, &link->keep);
  }
  if (rc == 0) {
    peri_timer_start(link->keep, KEEP_MS, KEEP_MS);
    rc = peri_mailbox_new(link->loop, &link->mailbox);
  }
  if (rc < 0) {
    peri_problem_set(ret_problem, rc, "%s", peri_error_text(rc));
    goto fail;
  }
  rc = peri_rpc_channel_new(&options, &link->channel, ret_problem);
  if (rc == 0) {
    rc = peri_rpc_client_new(link->mailbox, &link->client, ret_problem);
  }
  if (rc < 0) {
    goto fail;
  }
  *ret_link = link;
  return 0;

fail:
  peri_cli_link_free(link);
  return rc;
}

static void came(void *ctx, struct peri_slice bytes) {
  struct talk *talk = ctx;
  talk->rc = talk->message(talk->ctx, bytes);
  if (talk->rc != 0) {
    peri_rpc_stream_cancel(talk->stream);
    peri_loop_stop(talk->link->loop);
  }
}

static void ended(void *ctx, int status, const char *text) {
  struct talk *talk = ctx;
  talk->outcome.status = status;
  snprintf(talk->outcome.text, sizeof(talk->outcome.text), "%s", text);
  peri_loop_stop(talk->link->loop);
}

static const struct peri_rpc_stream_events events = {.message = came,
                                                     .ended = ended};

int peri_cli_link_call(struct peri_cli_link *link,
                       const struct peri_rpc_request *request,
                       const struct peri_slice *messages, size_t count,
                       int (*message)(void *ctx, struct peri_slice bytes),
                       void *ctx, struct peri_cli_outcome *ret_outcome) {
  struct talk talk = {.link = link, .message = message, .ctx = ctx};
  int rc = peri_rpc_stream_open(link->client, link->channel, request, &events,
                                &talk, &talk.stream);
  if (rc < 0) {
    return rc;
  }
  for (size_t i = 0; rc == 0 && i < count; i++) {
    rc = peri_rpc_stream_send(talk.stream, messages[i]);
  }
  if (rc < 0) {
    peri_rpc_stream_cancel(talk.stream);
    return rc;
  }
  peri_rpc_stream_finish(talk.stream);
  peri_loop_run(link->loop);
  if (talk.rc != 0) {
    return talk.rc;
  }
  *ret_outcome = talk.outcome;
  return 0;
}

void peri_cli_link_free(struct peri_cli_link *link) {
  if (link == NULL) {
    return;
  }
  if (link->client != NULL) {
    peri_rpc_client_close(link->client, closed, link);
    peri_loop_run(link->loop);
  }
  peri_timer_free(link->keep);
  if (link->mailbox != NULL) {
    peri_mailbox_close(link->mailbox);
  }
  if (link->loop != NULL) {
    (void)peri_loop_free(link->loop);
  }
  peri_cli_hang_up(link->channel);
  free(link);
}
