#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "model/config_parts.h"

enum {
  MAX_SHARDS = 4096,
  MIN_SHARD_BYTES = 256,
  MAX_NAME_BYTES = 200  // so that it fits into the labels of its metrics
};

static int copy_option(void *ctx, const char *key,
                       const struct peri_json *value) {
  struct peri_json *options = ctx;
  if (strcmp(key, "1") == 0) {
    return 0;
  }
  // Counting a reference does not change what the value says.
  return peri_json_set(options, key,
                       peri_json_ref((struct peri_json *)(uintptr_t)value));
}

// What follows the name in a list: numbered options "2", "3" …
static int copy_list(const struct peri_json *list, struct peri_json *options) {
  int rc = 0;
  for (size_t i = 1; rc == 0 && i < peri_json_size(list); i++) {
    char key[24];
    (void)snprintf(key, sizeof key, "%zu", i + 1);
    rc = copy_option(options, key, peri_json_at(list, i));
  }
  return rc;
}

int peri_config_policy(const struct peri_config_node *parent, const char *key,
                       struct peri_policy_ref *ret_ref) {
  struct peri_config_node node = {
      .reader = parent->reader, .parent = parent, .key = key};
  ret_ref->place = peri_config_place(&node);
  if (ret_ref->place == NULL) {
    return PERI_ENOMEM;
  }
  if (!peri_config_member(parent, key, &node)) {
    return 0;
  }
  int type = peri_json_type(node.json);
  if (type == PERI_JSON_STRING) {
    ret_ref->options = NULL;
    return peri_config_text(&node, &ret_ref->name);
  }
  bool list = type == PERI_JSON_ARRAY;
  struct peri_config_node name = {.reader = node.reader,
                                  .parent = &node,
                                  .index = 1,
                                  .json = list ? peri_json_at(node.json, 0)
                                               : peri_json_get(node.json, "1")};
  if (peri_json_type(name.json) != PERI_JSON_STRING) {
    return peri_config_fail(
        &node, "must be a policy's name, or { \"NAME\", option = … }");
  }
  int rc = peri_config_text(&name, &ret_ref->name);
  if (rc < 0) {
    return rc;
  }
  struct peri_json *options = peri_json_object();
  if (options == NULL) {
    return PERI_ENOMEM;
  }
  rc = list ? copy_list(node.json, options)
            : peri_json_each(node.json, copy_option, options);
  if (rc < 0) {
    peri_json_unref(options);
    return rc;
  }
  ret_ref->options = options;
  return peri_json_append(node.reader->kept, options);
}

static int read_group(const struct peri_config_node *node,
                      struct peri_config_group *group) {
  static const char *const keys[] = {
      "bytes",        "shards",       "ttl",    "negative_ttl",
      "peer_timeout", "load_timeout", "picker", "fallback"};
  int64_t shards = 16;
  int rc = peri_config_expect(node, keys, sizeof keys / sizeof *keys, NULL, 0);
  if (rc == 0) {
    rc = peri_config_integer(node, "shards", 1, MAX_SHARDS, &shards);
  }
  group->shards = (uint32_t)shards;
  if (rc == 0) {
    rc = peri_config_size(node, "bytes", (uint64_t)shards * MIN_SHARD_BYTES,
                          (uint64_t)1 << 50, &group->bytes);
  }
  if (rc == 0) {
    rc = peri_config_duration(node, "ttl", true, &group->ttl_ns);
  }
  if (rc == 0) {
    rc = peri_config_duration(node, "negative_ttl", true,
                              &group->negative_ttl_ns);
  }
  if (rc == 0) {
    rc = peri_config_duration_ms(node, "peer_timeout", false,
                                 &group->peer_timeout_ms);
  }
  if (rc == 0) {
    rc = peri_config_duration_ms(node, "load_timeout", false,
                                 &group->load_timeout_ms);
  }
  if (rc == 0) {
    rc = peri_config_policy(node, "picker", &group->picker);
  }
  if (rc == 0) {
    rc = peri_config_policy(node, "fallback", &group->fallback);
  }
  return rc;
}

struct groups {
  const struct peri_config_node *node;
  struct peri_config_group *groups;
  size_t count;
};

static int visit_group(void *ctx, const char *name,
                       const struct peri_json *value) {
  struct groups *into = ctx;
  struct peri_config_node child = {.reader = into->node->reader,
                                   .parent = into->node,
                                   .key = name,
                                   .json = value};
  struct peri_config_group *group = &into->groups[into->count];
  if (*name == '\0') {
    return peri_config_fail(&child, "a group needs a name");
  }
  if (strlen(name) > MAX_NAME_BYTES) {
    return peri_config_fail(&child, "a group's name has at most %d bytes",
                            (int)MAX_NAME_BYTES);
  }
  *group = (struct peri_config_group){
      .name = peri_arena_copy(child.reader->arena, peri_slice_of(name)),
      .bytes = 64 << 20,
      .negative_ttl_ns = 1000000000,
      .peer_timeout_ms = 1000,
      .load_timeout_ms = 30000,
      .picker = {.name = "ring_crc32"}};
  if (group->name == NULL) {
    return PERI_ENOMEM;
  }
  into->count++;
  return read_group(&child, group);
}

int peri_config_read_groups(const struct peri_config_node *root,
                            struct peri_config *config) {
  struct peri_config_node node;
  size_t count;
  if (!peri_config_member(root, "groups", &node)) {
    return 0;
  }
  int rc =
      peri_config_named(&node, "must be a table of groups by name", &count);
  if (rc < 0 || count == 0) {
    return rc;
  }
  struct groups into = {.node = &node};
  into.groups =
      peri_arena_alloc(node.reader->arena, count * sizeof *into.groups);
  if (into.groups == NULL) {
    return PERI_ENOMEM;
  }
  rc = peri_json_each(node.json, visit_group, &into);
  config->groups = into.groups;
  config->group_count = into.count;
  return rc;
}
