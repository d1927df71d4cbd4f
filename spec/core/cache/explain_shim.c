#include "cache/explain_shim.h"

#include "base/container.h"
#include "cache/mesh_private.h"
#include "model/decisions.h"

struct question {
  struct shim_errand errand;
  struct peri_slice group;
  struct peri_slice key;
  struct peri_buffer *text;
};

static struct question *question_of(struct peri_message *message) {
  struct shim_errand *errand =
      PERI_CONTAINER_OF(message, struct shim_errand, message);
  return PERI_CONTAINER_OF(errand, struct question, errand);
}

static void run_explain(struct peri_message *message) {
  struct question *question = question_of(message);
  struct shim_errand *errand = &question->errand;
  struct peri_decision *decision = NULL;
  errand->code = peri_cache_explain(errand->worker->cache, question->group,
                                    question->key, &decision);
  if (errand->code == 0) {
    errand->code =
        peri_decision_words(decision, PERI_DECISION_SHOWN, question->text);
  }
  peri_decision_unref(decision);
  sem_post(&errand->done);
}

static void run_list(struct peri_message *message) {
  struct question *question = question_of(message);
  const struct peri_decision *list[PERI_DECISIONS_ALL];
  size_t count = peri_decisions_list(question->errand.worker->decisions, list);
  for (size_t i = 0; i < count; i++) {
    (void)peri_decision_words(list[i], PERI_DECISION_SHOWN, question->text);
  }
  sem_post(&question->errand.done);
}

static void run_stop_ordinary(struct peri_message *message) {
  struct question *question = question_of(message);
  question->errand.worker->decisions->ordinary_ns = UINT64_MAX;
  sem_post(&question->errand.done);
}

static int ask(struct peri_shim_mesh *mesh, int node,
               void (*run)(struct peri_message *message),
               struct question *question) {
  question->errand.message.run = run;
  question->errand.worker = &mesh->nodes[node].workers[0];
  shim_errand_do(&question->errand);
  return question->errand.code;
}

int peri_shim_mesh_explain(struct peri_shim_mesh *mesh, int node,
                           struct peri_slice group, struct peri_slice key,
                           struct peri_buffer *text) {
  struct question question = {.group = group, .key = key, .text = text};
  return ask(mesh, node, run_explain, &question);
}

void peri_shim_mesh_decisions(struct peri_shim_mesh *mesh, int node,
                              struct peri_buffer *text) {
  struct question question = {.text = text};
  (void)ask(mesh, node, run_list, &question);
}

void peri_shim_mesh_no_ordinary(struct peri_shim_mesh *mesh, int node) {
  struct question question = {.text = NULL};
  (void)ask(mesh, node, run_stop_ordinary, &question);
}
