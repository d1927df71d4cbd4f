#include "app/ask.h"

#include <perigee.pb-c.h>
#include <stdlib.h>

#include "app/report.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "base/proto.h"
#include "base/slice.h"
#include "base/status.h"
#include "h2/call.h"
#include "loop/mailbox.h"
#include "registry/registry.h"
#include "registry/status.h"

enum { LOG_EVERY_MS = 10000 };

/// Who answers questions of one kind.
struct server {
  void (*serve)(void *ctx, struct peri_question *question,
                struct peri_slice request);
  void *ctx;
};

struct peri_ask {
  struct peri_mailbox *control;
  struct peri_registry *registry;  // control thread only, as what follows
  struct server servers[PERI_ASK_KINDS];
  bool closed;
  struct peri_list waits;
  struct peri_log_gate gate;
};

/// A question on its way to the control thread, then the answer on its way
/// back. Only one thread has it at a time, but for `call`, which is the
/// worker's throughout.
struct peri_question {
  struct peri_message message;
  struct peri_ask *ask;
  struct peri_mailbox *worker;
  struct peri_call *call;  // NULL once the caller has left
  enum peri_ask_kind kind;
  struct peri_buffer bytes;  // packed: the request, then the response
  int status;
  struct peri_problem problem;
};

/// What the registry will answer later. It is the registry's until then, also
/// when the question was answered without it.
struct wait {
  struct peri_list node;
  struct peri_question *question;
};

int peri_ask_status(int error) {
  switch (error) {
    case PERI_EUNSUPPORTED:
      return PERI_STATUS_FAILED_PRECONDITION;
    case PERI_ENOMEM:
      return PERI_STATUS_RESOURCE_EXHAUSTED;
    case PERI_ETIMEOUT:
      // The deadline that passed is the registry's, not the caller's.
      return PERI_STATUS_UNAVAILABLE;
    default:
      return peri_status_of(error);
  }
}

static void discard(struct peri_question *question) {
  peri_mailbox_unref(question->worker);
  peri_buffer_done(&question->bytes);
  free(question);
}

/// Worker: the answer has come.
static void run_answer(struct peri_message *message) {
  struct peri_question *question =
      PERI_CONTAINER_OF(message, struct peri_question, message);
  struct peri_h2_piece piece = {.bytes = peri_buffer_slice(&question->bytes)};
  if (question->call != NULL && question->status == PERI_STATUS_OK) {
    peri_call_reply(question->call, &piece, 1);
  } else if (question->call != NULL) {
    peri_call_finish(question->call, question->status, question->problem.text);
  }
  discard(question);
}

/// Control thread: sends the question back. A worker whose mailbox is closed
/// has no calls any more.
static void answer(struct peri_question *question) {
  question->message.run = run_answer;
  if (peri_mailbox_post(question->worker, &question->message) < 0) {
    discard(question);
  }
}

static void answer_error(struct peri_question *question, int error,
                         const char *words) {
  bool told = words != NULL && *words != '\0';
  question->status = peri_ask_status(error);
  // The words may be those of the question's own problem.
  if (words != question->problem.text || !told) {
    peri_problem_set(&question->problem, error, "%s",
                     told ? words : peri_error_text(error));
  }
  answer(question);
}

static void answer_wrong(struct peri_question *question,
                         const char *message_name) {
  peri_problem_set(&question->problem, PERI_EINVAL, "the message is no %s",
                   message_name);
  answer_error(question, PERI_EINVAL, question->problem.text);
}

static void answer_empty(struct peri_question *question) {
  peri_buffer_drop(&question->bytes, question->bytes.len);
  question->status = PERI_STATUS_OK;
  answer(question);
}

static const char *words_of_want(int error) {
  switch (error) {
    case PERI_EINVAL:
      return "a service's name is not empty and has no '/' at an edge";
    case PERI_ELIMIT:
      return "too many services are looked for already";
    default:
      return peri_error_text(error);
  }
}

/// Whoever asks for one service makes the registry look for it.
static int report(struct peri_question *question, struct peri_slice name,
                  struct peri_buffer *bytes) {
  struct peri_registry *registry = question->ask->registry;
  struct peri_registry_status *status = NULL;
  int rc = name.len > 0 ? peri_registry_want(registry, name) : 0;
  if (rc < 0) {
    return peri_problem_set(&question->problem, rc, "%s", words_of_want(rc));
  }
  rc = peri_registry_status(registry, &status);
  if (rc < 0) {
    return rc;
  }
  rc = peri_report_services(status, name, bytes);
  peri_registry_status_unref(status);
  return rc;
}

static void ask_services(struct peri_question *question) {
  struct peri_buffer bytes = {0};
  Perigee__V1__ServicesRequest *request = perigee__v1__services_request__unpack(
      NULL, question->bytes.len, (const uint8_t *)question->bytes.ptr);
  if (request == NULL) {
    answer_wrong(question, "ServicesRequest");
    return;
  }
  int rc = report(question, peri_proto_slice(request->name), &bytes);
  perigee__v1__services_request__free_unpacked(request, NULL);
  if (rc < 0) {
    peri_buffer_done(&bytes);
    answer_error(question, rc, question->problem.text);
    return;
  }
  peri_question_answer(question, &bytes);
}

static void on_done(void *ctx, int error, const char *words) {
  struct wait *wait = ctx;
  struct peri_question *question = wait->question;
  peri_list_remove(&wait->node);
  free(wait);
  if (question != NULL && error < 0) {
    answer_error(question, error, words);
  } else if (question != NULL) {
    answer_empty(question);
  }
}

static struct wait *await(struct peri_question *question) {
  struct wait *wait = calloc(1, sizeof(*wait));
  if (wait == NULL) {
    answer_error(question, PERI_ENOMEM, NULL);
    return NULL;
  }
  wait->question = question;
  peri_list_push(&question->ask->waits, &wait->node);
  return wait;
}

/// The registry did not take it: its callback does not come.
static void refuse(struct peri_question *question, struct wait *wait,
                   int error) {
  peri_list_remove(&wait->node);
  free(wait);
  answer_error(question, error, question->problem.text);
}

static void ask_register(struct peri_question *question) {
  Perigee__V1__RegisterRequest *request = perigee__v1__register_request__unpack(
      NULL, question->bytes.len, (const uint8_t *)question->bytes.ptr);
  if (request == NULL) {
    answer_wrong(question, "RegisterRequest");
    return;
  }
  struct peri_registration registration = {
      .service = peri_proto_slice(request->service),
      .address = peri_proto_slice(request->address),
      .weight = request->weight,
      .health = peri_proto_slice(request->health),
      .version = peri_proto_slice(request->version),
      .metadata = peri_proto_slice(request->metadata),
  };
  struct wait *wait = await(question);
  if (wait != NULL) {
    int rc = peri_registry_register(question->ask->registry, &registration,
                                    on_done, wait, &question->problem);
    if (rc < 0) {
      refuse(question, wait, rc);
    }
  }
  perigee__v1__register_request__free_unpacked(request, NULL);
}

static void ask_deregister(struct peri_question *question) {
  Perigee__V1__DeregisterRequest *request =
      perigee__v1__deregister_request__unpack(
          NULL, question->bytes.len, (const uint8_t *)question->bytes.ptr);
  if (request == NULL) {
    answer_wrong(question, "DeregisterRequest");
    return;
  }
  struct wait *wait = await(question);
  if (wait != NULL) {
    int rc = peri_registry_deregister(question->ask->registry,
                                      peri_proto_slice(request->service),
                                      on_done, wait, &question->problem);
    if (rc < 0) {
      refuse(question, wait, rc);
    }
  }
  perigee__v1__deregister_request__free_unpacked(request, NULL);
}

void peri_ask_serve(struct peri_ask *ask, enum peri_ask_kind kind,
                    void (*serve)(void *ctx, struct peri_question *question,
                                  struct peri_slice request),
                    void *ctx) {
  ask->servers[kind] = (struct server){serve, ctx};
}

void peri_question_answer(struct peri_question *question,
                          struct peri_buffer *bytes) {
  peri_buffer_done(&question->bytes);
  question->bytes = *bytes;
  *bytes = (struct peri_buffer){0};
  question->status = PERI_STATUS_OK;
  answer(question);
}

void peri_question_refuse(struct peri_question *question, int error,
                          const char *words) {
  answer_error(question, error, words);
}

/// Control thread.
static void run_question(struct peri_message *message) {
  struct peri_question *question =
      PERI_CONTAINER_OF(message, struct peri_question, message);
  struct peri_ask *ask = question->ask;
  const struct server *server = &ask->servers[question->kind];
  if (server->serve != NULL) {
    server->serve(server->ctx, question, peri_buffer_slice(&question->bytes));
    return;
  }
  if (ask->registry == NULL) {
    answer_error(
        question, PERI_ECLOSED,
        ask->closed ? "this sidecar is stopping" : "this sidecar is starting");
    return;
  }
  switch (question->kind) {
    case PERI_ASK_SERVICES:
      ask_services(question);
      break;
    case PERI_ASK_REGISTER:
      ask_register(question);
      break;
    case PERI_ASK_DEREGISTER:
      ask_deregister(question);
      break;
    default:
      answer_error(question, PERI_EUNSUPPORTED, NULL);
      break;
  }
}

static void on_cancel(void *ctx, int code) {
  struct peri_question *question = ctx;
  (void)code;
  question->call = NULL;
}

void peri_ask_call(struct peri_ask *ask, enum peri_ask_kind kind,
                   struct peri_mailbox *worker, struct peri_call *call,
                   struct peri_slice message) {
  struct peri_question *question = calloc(1, sizeof(*question));
  if (question == NULL) {
    peri_call_finish(call, PERI_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    return;
  }
  question->message.run = run_question;
  question->ask = ask;
  question->worker = peri_mailbox_ref(worker);
  question->kind = kind;
  if (peri_buffer_add(&question->bytes, message.ptr, message.len) < 0) {
    discard(question);
    peri_call_finish(call, PERI_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    return;
  }
  question->call = call;
  peri_call_on_cancel(call, on_cancel, question);
  if (peri_mailbox_post(ask->control, &question->message) < 0) {
    discard(question);
    peri_call_finish(call, PERI_STATUS_UNAVAILABLE, "this sidecar is stopping");
  }
}

/// A name that somebody wants to know, on its way.
struct wish {
  struct peri_message message;
  struct peri_ask *ask;
  struct peri_buffer name;
};

static void drop(struct wish *wish) {
  peri_buffer_done(&wish->name);
  free(wish);
}

/// Control thread.
static void run_wish(struct peri_message *message) {
  struct wish *wish = PERI_CONTAINER_OF(message, struct wish, message);
  struct peri_ask *ask = wish->ask;
  struct peri_slice name = peri_buffer_slice(&wish->name);
  uint64_t suppressed = 0;
  int rc = ask->registry != NULL ? peri_registry_want(ask->registry, name) : 0;
  if (rc < 0 && peri_log_gate_open(&ask->gate, peri_clock_mono_ns(),
                                   LOG_EVERY_MS, &suppressed)) {
    peri_log(PERI_LOG_WARN, "app", "cannot look for the service %.*s: %s",
             name.len > 200 ? 200 : (int)name.len, name.ptr, words_of_want(rc));
  }
  drop(wish);
}

void peri_ask_want(struct peri_ask *ask, struct peri_slice service) {
  struct wish *wish = calloc(1, sizeof(*wish));
  if (wish == NULL) {
    return;
  }
  wish->message.run = run_wish;
  wish->ask = ask;
  if (peri_buffer_add(&wish->name, service.ptr, service.len) < 0 ||
      peri_mailbox_post(ask->control, &wish->message) < 0) {
    drop(wish);
  }
}

int peri_ask_new(struct peri_mailbox *control, struct peri_ask **ret_ask) {
  struct peri_ask *ask = calloc(1, sizeof(*ask));
  if (ask == NULL) {
    return PERI_ENOMEM;
  }
  ask->control = peri_mailbox_ref(control);
  peri_list_init(&ask->waits);
  *ret_ask = ask;
  return 0;
}

void peri_ask_open(struct peri_ask *ask, struct peri_registry *registry) {
  ask->registry = registry;
}

void peri_ask_close(struct peri_ask *ask) {
  ask->registry = NULL;
  ask->closed = true;
  for (struct peri_list *node = ask->waits.next; node != &ask->waits;
       node = node->next) {
    struct wait *wait = PERI_CONTAINER_OF(node, struct wait, node);
    struct peri_question *question = wait->question;
    wait->question = NULL;
    if (question != NULL) {
      answer_error(question, PERI_ECLOSED, "this sidecar is stopping");
    }
  }
}

void peri_ask_free(struct peri_ask *ask) {
  if (ask == NULL) {
    return;
  }
  struct peri_list *node;
  while ((node = peri_list_pop(&ask->waits)) != NULL) {
    free(PERI_CONTAINER_OF(node, struct wait, node));
  }
  peri_mailbox_unref(ask->control);
  free(ask);
}
