#include <string.h>

#include "base/json.h"
#include "base/slice.h"
#include "base/text.h"
#include "model/decision.h"
#include "model/peers.h"

// Appends a member, or leaves it out: what stands elsewhere, what is nobody's
// business, what is long, what there is no room for.
static int add_member(void *ctx, const char *key,
                      const struct peri_json *value) {
  struct peri_buffer *text = ctx;
  size_t before = text->len;
  int type = peri_json_type(value);
  bool shown = strcmp(key, "zone") != 0 && strcmp(key, "weight") != 0 &&
               strcmp(key, "protocol") != 0 && type != PERI_JSON_ARRAY &&
               type != PERI_JSON_OBJECT && !peri_text_is_secret(key);
  struct peri_json *name = shown ? peri_json_string(peri_slice_of(key)) : NULL;
  if (name == NULL) {
    return 0;
  }
  int rc = peri_buffer_add(text, before == 0 ? "{" : ",", 1);
  if (rc == 0) {
    rc = peri_json_dump(name, false, text);
  }
  if (rc == 0) {
    rc = peri_buffer_add(text, ":", 1);
  }
  if (rc == 0) {
    rc = peri_json_dump(value, false, text);
  }
  if (rc < 0 || text->len + 1 > PERI_DECISION_METADATA_BYTES) {
    text->len = before;
  }
  peri_json_unref(name);
  return 0;
}

static const char *metadata_of(struct peri_decision *decision,
                               const struct peri_endpoint *endpoint) {
  struct peri_buffer text = {0};
  const char *words = "";
  if (endpoint->metadata != NULL) {
    (void)peri_json_each(endpoint->metadata, add_member, &text);
  }
  if (text.len > 0 && peri_buffer_add(&text, "}", 1) == 0) {
    words = peri_decision_text(decision, peri_buffer_slice(&text));
  }
  peri_buffer_done(&text);
  return words;
}

void peri_decision_consider(struct peri_decision *decision,
                            const struct peri_peers *peers, size_t chosen) {
  size_t count = peri_peers_count(peers);
  size_t room = peri_decision_room(decision, count);
  for (size_t i = 0; i < room; i++) {
    // The one that was chosen is shown, whatever its number.
    size_t at = i + 1 == room && chosen < count && chosen > i ? chosen : i;
    const struct peri_endpoint *endpoint = peri_peers_at(peers, at);
    decision->candidates[i] = (struct peri_decision_candidate){
        .index = at,
        .address =
            peri_decision_text(decision, peri_slice_of(endpoint->address)),
        .zone = peri_decision_text(decision, peri_slice_of(endpoint->zone)),
        .metadata = metadata_of(decision, endpoint),
        .weight = endpoint->weight,
        .self = endpoint->self,
        .suspect = endpoint->suspect,
        .chosen = at == chosen};
  }
  if (chosen < count) {
    decision->chosen = peri_decision_text(
        decision, peri_slice_of(peri_peers_at(peers, chosen)->address));
  }
}
