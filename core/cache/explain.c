#include "base/clock.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/status.h"
#include "cache/private.h"
#include "h2/call.h"
#include "loop/loop.h"
#include "store/entry.h"

enum {
  // As in trailers of forwarded calls: some clients refuse more.
  MOST_BYTES = 6144,
  OWN_BYTES = 512
};

void peri_cache_explain_init(struct peri_cache_worker *worker,
                             struct peri_decisions *decisions) {
  // Only read: nothing is kept before the end of time.
  static struct peri_decisions none = {.ordinary_ns = UINT64_MAX,
                                       .trouble_ns = UINT64_MAX};
  worker->decisions = decisions != NULL ? decisions : &none;
}

static void put_life(struct peri_decision *decision, const char *what,
                     int64_t expire_ns, int64_t now_ns) {
  struct peri_buffer text = {0};
  if (expire_ns == 0) {
    decision->found = peri_decision_format(decision, "%s, for ever", what);
    return;
  }
  uint64_t left_ns = expire_ns > now_ns ? (uint64_t)(expire_ns - now_ns) : 0;
  if (peri_decision_span(left_ns, &text) == 0) {
    decision->found = peri_decision_format(decision, "%s, for another %.*s",
                                           what, (int)text.len, text.ptr);
  }
  peri_buffer_done(&text);
}

/// What is here of a key.
enum here { NOTHING = 0, VALUE = 1, ABSENCE = 2 };

static enum here look(struct peri_decision *decision,
                      struct peri_cache_side *side, struct peri_slice key) {
  struct peri_entry *entry = NULL;
  int64_t now_ns = peri_clock_unix_ns();
  if (peri_store_peek(side->group->values, key, now_ns, &entry) < 0) {
    decision->found = "not in the cache here";
    return NOTHING;
  }
  bool absent = peri_entry_absent(entry);
  put_life(decision, absent ? "known to have no value" : "in the cache here",
           peri_entry_expire_ns(entry), now_ns);
  peri_entry_unref(entry);
  return absent ? ABSENCE : VALUE;
}

static void put_pick(struct peri_decision *decision,
                     const struct peri_cache_side *side,
                     const struct peri_cache_pick *pick) {
  const char *name = side->config->picker.name;
  decision->picked = true;
  decision->took_ns = pick->took_ns;
  decision->trouble = peri_decision_text(decision, pick->choice.trouble);
  if (pick->code == 0) {
    decision->policy = peri_decision_text(decision, peri_slice_of(name));
    decision->version = pick->choice.version;
    decision->older = pick->choice.older;
    decision->reason = peri_decision_text(decision, pick->choice.reason);
    return;
  }
  decision->trouble = peri_decision_format(
      decision, "%s: %s", name,
      decision->trouble[0] != '\0' ? decision->trouble : "it failed");
}

static const char *get_outcome(struct peri_decision *decision,
                               const struct peri_cache_side *side,
                               enum here here, const char *why) {
  const char *fallback = side->config->fallback.name;
  if (here == VALUE) {
    return peri_decision_format(decision, "%sa Get answers from the cache",
                                why);
  }
  if (here == ABSENCE) {
    return peri_decision_format(
        decision, "%sa Get answers NOT_FOUND from the cache", why);
  }
  if (fallback == NULL) {
    return peri_decision_format(
        decision, "%sa Get answers NOT_FOUND: the group has no fallback", why);
  }
  return peri_decision_format(decision, "%sa Get loads it by fallback %s", why,
                              fallback);
}

// What is done with a key that is ours, for what reason.
static const char *own_outcome(struct peri_decision *decision,
                               const struct peri_cache_side *side,
                               enum peri_cache_deed deed, enum here here,
                               const char *why) {
  switch (deed) {
    case PERI_CACHE_SET:
      return peri_decision_format(decision, "%sa Set stores it here", why);
    case PERI_CACHE_REMOVE:
      return peri_decision_format(decision, "%sa Remove drops it here", why);
    case PERI_CACHE_PEEK:
    case PERI_CACHE_GET:
    default:
      return get_outcome(decision, side, here, why);
  }
}

static const char *other_outcome(struct peri_decision *decision,
                                 const struct peri_cache_side *side,
                                 enum peri_cache_deed deed,
                                 const struct peri_endpoint *owner) {
  const char *fallback = side->config->fallback.name;
  const char *suspect =
      owner->suspect ? ", which the registry no longer names" : "";
  if (deed != PERI_CACHE_GET) {
    return peri_decision_format(decision, "a %s goes to the owner %s%s",
                                deed == PERI_CACHE_SET ? "Set" : "Remove",
                                owner->address, suspect);
  }
  return fallback != NULL
             ? peri_decision_format(
                   decision,
                   "a Get asks the owner %s%s; if that fails, fallback %s",
                   owner->address, suspect, fallback)
             : peri_decision_format(decision, "a Get asks the owner %s%s",
                                    owner->address, suspect);
}

// `pick` NULL: nobody was asked, since another sidecar was before (`hop`), or
// since there is none.
static struct peri_decision *make(struct peri_cache_worker *worker,
                                  struct peri_cache_side *side,
                                  enum peri_cache_deed deed,
                                  struct peri_slice key,
                                  const struct peri_cache_pick *pick) {
  struct peri_decision *decision = peri_decision_new(PERI_DECISION_KEY);
  if (decision == NULL) {
    return NULL;
  }
  decision->subject = peri_decision_text(decision, side->group->name);
  decision->key = peri_decision_text(decision, key);
  enum here here = look(decision, side, key);
  if (pick == NULL) {
    decision->outcome = own_outcome(
        decision, side, deed, here,
        worker->alone ? "no other sidecar is known, so the key is its own: "
                      : "another sidecar asks, so it ends here: ");
    return decision;
  }
  const struct peri_endpoint *owner =
      peri_peers_at(worker->peers, pick->choice.index);
  put_pick(decision, side, pick);
  peri_decision_consider(decision, worker->peers, pick->choice.index);
  decision->outcome = owner->self ? own_outcome(decision, side, deed, here,
                                                "this sidecar owns it: ")
                                  : other_outcome(decision, side, deed, owner);
  return decision;
}

// A Peek asks nobody, and nor does what cannot be a key.
static struct peri_decision *make_alone(struct peri_cache_side *side,
                                        enum peri_cache_deed deed,
                                        struct peri_slice key) {
  struct peri_decision *decision = peri_decision_new(PERI_DECISION_KEY);
  if (decision == NULL) {
    return NULL;
  }
  decision->subject = peri_decision_text(decision, side->group->name);
  decision->key = peri_decision_text(decision, key);
  decision->outcome = "a key must be UTF-8 and not empty";
  if (deed == PERI_CACHE_PEEK) {
    decision->outcome = look(decision, side, key) == VALUE
                            ? "a Peek answers with it"
                            : "a Peek answers NOT_FOUND, and looks no further";
  }
  return decision;
}

static struct peri_decision *decide(struct peri_cache_worker *worker,
                                    struct peri_cache_side *side,
                                    enum peri_cache_deed deed,
                                    struct peri_slice key, bool hop) {
  struct peri_cache_pick pick;
  if (deed == PERI_CACHE_PEEK || key.len == 0 || !peri_slice_is_utf8(key)) {
    return make_alone(side, deed, key);
  }
  if (hop || worker->alone) {
    return make(worker, side, deed, key, NULL);
  }
  uint64_t asked_ns = peri_clock_mono_ns();
  peri_cache_pick(worker, side, key, &pick);
  pick.took_ns = peri_clock_mono_ns() - asked_ns;
  return make(worker, side, deed, key, &pick);
}

int peri_cache_explain(struct peri_cache_worker *worker,
                       struct peri_slice group, struct peri_slice key,
                       struct peri_decision **ret_decision) {
  struct peri_cache_side *side = peri_cache_side(worker, group);
  if (side == NULL) {
    return PERI_ENOTFOUND;
  }
  struct peri_decision *decision =
      decide(worker, side, PERI_CACHE_GET, key, false);
  if (decision == NULL) {
    return PERI_ENOMEM;
  }
  *ret_decision = decision;
  return 0;
}

static size_t room_of(const struct peri_call *call) {
  size_t room = peri_call_list_bytes(call);
  room = room < MOST_BYTES ? room : MOST_BYTES;
  return room > OWN_BYTES ? room - OWN_BYTES : 0;
}

static void tell(struct peri_call *call, struct peri_decision_lines *lines) {
  for (size_t i = 0; i < lines->count; i++) {
    // What there is no room for is left out.
    (void)peri_call_add_trailer(call, "perigee-explain", lines->lines[i]);
  }
  peri_decision_lines_done(lines);
}

// A line for each of the first keys.
static void tell_many(const struct peri_cache_call *call,
                      struct peri_cache_side *side,
                      const struct peri_cache_keys *keys) {
  struct peri_buffer words = {0};
  struct peri_decision_lines lines;
  struct peri_slice name = side->group->name;
  size_t shown =
      keys->count < PERI_DECISION_SHOWN ? keys->count : PERI_DECISION_SHOWN;
  int rc = peri_buffer_printf(
      &words, "group %.*s, %zu keys%s\n", (int)name.len, name.ptr, keys->count,
      shown < keys->count ? ", of which the first" : "");
  for (size_t i = 0; rc == 0 && i < shown; i++) {
    struct peri_decision *decision =
        decide(call->worker, side, keys->deed, keys->list[i], call->hop);
    rc = decision != NULL ? peri_decision_brief(decision, &words) : PERI_ENOMEM;
    peri_decision_unref(decision);
  }
  peri_decision_lines_of(&lines, peri_buffer_slice(&words),
                         room_of(call->call));
  tell(call->call, &lines);
  peri_buffer_done(&words);
}

static void tell_one(struct peri_call *call,
                     const struct peri_decision *decision) {
  struct peri_decision_lines lines;
  peri_decision_lines_init(&lines, decision, room_of(call));
  tell(call, &lines);
}

static bool is_told(const struct peri_cache_call *call,
                    const struct peri_config *config) {
  return peri_call_asks_why(call->call) &&
         (call->mesh ? config->explain_mesh : config->explain_app);
}

void peri_cache_explain_keys(const struct peri_cache_call *call,
                             struct peri_cache_side *side,
                             const struct peri_cache_keys *keys) {
  struct peri_cache_worker *worker = call->worker;
  uint64_t now_ns = peri_loop_now_ns(worker->loop);
  bool kept = now_ns >= worker->decisions->ordinary_ns && keys->count > 0;
  bool told = is_told(call, side->whole);
  bool one = keys->count == 1;
  struct peri_decision *decision =
      kept || (told && one)
          ? decide(worker, side, keys->deed, keys->list[0], call->hop)
          : NULL;
  if (decision != NULL && kept) {
    peri_decisions_keep(worker->decisions, decision, false, now_ns);
  }
  if (told && one) {
    tell_one(call->call, decision);
  } else if (told) {
    tell_many(call, side, keys);
  }
  peri_decision_unref(decision);
}

void peri_cache_explain_key(const struct peri_cache_call *call,
                            struct peri_cache_side *side,
                            enum peri_cache_deed deed, struct peri_slice key) {
  const struct peri_cache_keys keys = {deed, &key, 1};
  // Of a million Gets a few hundred come past this.
  if (peri_call_asks_why(call->call) ||
      peri_loop_now_ns(call->worker->loop) >=
          call->worker->decisions->ordinary_ns) {
    peri_cache_explain_keys(call, side, &keys);
  }
}

void peri_cache_explain_absent(const struct peri_cache_call *call,
                               struct peri_slice group) {
  struct peri_decision *decision = is_told(call, call->worker->sides->config)
                                       ? peri_decision_new(PERI_DECISION_KEY)
                                       : NULL;
  if (decision != NULL) {
    decision->subject = peri_decision_text(decision, group);
    decision->outcome = "this sidecar's configuration has no such group";
    tell_one(call->call, decision);
    peri_decision_unref(decision);
  }
}

void peri_cache_explain_trouble(struct peri_cache_worker *worker,
                                struct peri_cache_side *side,
                                enum peri_cache_deed deed,
                                struct peri_slice key,
                                const struct peri_cache_pick *pick) {
  uint64_t now_ns = peri_loop_now_ns(worker->loop);
  if (now_ns < worker->decisions->trouble_ns) {
    return;
  }
  struct peri_decision *decision = make(worker, side, deed, key, pick);
  if (decision != NULL) {
    peri_decisions_keep(worker->decisions, decision, true, now_ns);
    peri_decision_unref(decision);
  }
}
