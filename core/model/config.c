#include "model/config.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/container.h"
#include "base/slice.h"
#include "model/config_parts.h"
#include "model/config_read.h"

enum { MAX_WORKERS = 256, MAX_FOLDER = 4096 };

struct box {
  struct peri_config config;
  atomic_size_t refs;
  struct peri_arena *arena;
  struct peri_json *tree;  // metadata is borrowed from it
  struct peri_json *kept;  // and policy options from this
};

static void free_box(struct box *box) {
  if (box == NULL) {
    return;
  }
  peri_config_drop_routes(&box->config);
  peri_arena_free(box->arena);
  peri_json_unref(box->tree);
  peri_json_unref(box->kept);
  free(box);
}

// The absolute folder of `file`, from which relative paths are taken.
static const char *folder_of(struct peri_arena *arena, const char *file) {
  char here[MAX_FOLDER];
  const char *slash = strrchr(file, '/');
  struct peri_slice folder = {file, slash != NULL ? (size_t)(slash - file) : 0};
  if (file[0] == '/') {
    return peri_arena_copy(arena, folder);
  }
  if (getcwd(here, sizeof here) == NULL) {
    return NULL;
  }
  if (slash == NULL) {
    return peri_arena_printf(arena, "%s", here);
  }
  return peri_arena_printf(arena, "%s/%.*s", here, (int)folder.len, folder.ptr);
}

void peri_config_defaults(struct peri_config *config) {
  *config = (struct peri_config){
      .file = "",
      .node_zone = "",
      .node_weight = 1,
      .listen_app = "127.0.0.1:7400",
      .listen_admin = "127.0.0.1:7401",
      .explain_app = true,
      .registry_kind = "static",
      .cluster = "GroupCache",
      .balancer = {.name = "p2c_ewma"},
      .drain_ms = 5000,
  };
  struct peri_config_limits *limits = &config->limits;
  memset(limits, 0xff, sizeof *limits);
  peri_config_policies_defaults(&config->policies);
}

static int read_scalars(const struct peri_config_node *root,
                        struct peri_config *config) {
  int64_t workers = 0;
  int rc = peri_config_integer(root, "workers", 1, MAX_WORKERS, &workers);
  config->workers = (uint32_t)workers;
  if (rc == 0) {
    rc = peri_config_string(root, "cluster", &config->cluster);
  }
  if (rc == 0) {
    rc = peri_config_duration_ms(root, "drain", true, &config->drain_ms);
  }
  return rc;
}

static int read_root(const struct peri_config_node *root,
                     struct peri_config *config) {
  static const char *const keys[] = {
      "workers", "node",     "listen", "registry", "cluster",
      "groups",  "provides", "routes", "balancer", "policies",
      "files",   "drain",    "limits", "explain"};
  static int (*const readers[])(const struct peri_config_node *,
                                struct peri_config *) = {
      read_scalars,
      peri_config_read_registry,
      peri_config_read_network,
      peri_config_read_policies,
      peri_config_read_groups,
      peri_config_read_limits,
      peri_config_read_provides,
      peri_config_read_routes};
  int rc = peri_config_expect(root, keys, sizeof keys / sizeof *keys, NULL, 0);
  for (size_t i = 0; rc == 0 && i < sizeof readers / sizeof *readers; i++) {
    rc = readers[i](root, config);
  }
  if (rc == 0) {
    rc = peri_config_paths(root, "files", &config->files, &config->file_count);
  }
  return rc;
}

int peri_config_build(const char *file, struct peri_slice source,
                      const struct peri_json *tree,
                      struct peri_config **ret_config,
                      struct peri_problem *ret_problem) {
  struct box *box = calloc(1, sizeof *box);
  int rc = PERI_ENOMEM;
  if (box == NULL) {
    goto fail;
  }
  atomic_init(&box->refs, 1);
  box->arena = peri_arena_new(0);
  // Counting a reference does not change what the tree says.
  box->tree = peri_json_ref((struct peri_json *)(uintptr_t)tree);
  box->kept = peri_json_array();
  if (box->arena == NULL || box->kept == NULL) {
    goto fail;
  }
  peri_config_defaults(&box->config);
  struct peri_config_reader reader = {
      .file = peri_arena_copy(box->arena, peri_slice_of(file)),
      .folder = folder_of(box->arena, file != NULL ? file : ""),
      .source = source,
      .arena = box->arena,
      .kept = box->kept,
      .problem = ret_problem};
  if (reader.file == NULL || reader.folder == NULL) {
    goto fail;
  }
  box->config.file = reader.file;
  struct peri_config_node root = {.reader = &reader, .json = tree};
  rc = read_root(&root, &box->config);
  if (rc < 0) {
    goto fail;
  }
  *ret_config = &box->config;
  return 0;

fail:
  free_box(box);
  if (rc == PERI_ENOMEM) {
    peri_problem_set(ret_problem, rc, "out of memory");
  }
  return rc;
}

struct peri_config *peri_config_ref(struct peri_config *config) {
  struct box *box = PERI_CONTAINER_OF(config, struct box, config);
  atomic_fetch_add_explicit(&box->refs, 1, memory_order_relaxed);
  return config;
}

void peri_config_unref(struct peri_config *config) {
  if (config == NULL) {
    return;
  }
  struct box *box = PERI_CONTAINER_OF(config, struct box, config);
  if (atomic_fetch_sub_explicit(&box->refs, 1, memory_order_acq_rel) == 1) {
    free_box(box);
  }
}

static bool is_folder(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

void peri_config_absent(const struct peri_config *config,
                        void (*tell)(void *ctx, const char *key,
                                     const char *folder),
                        void *ctx) {
  for (size_t i = 0; i < config->policy_path_count; i++) {
    if (!is_folder(config->policy_paths[i])) {
      tell(ctx, "policies.path", config->policy_paths[i]);
    }
  }
  for (size_t i = 0; i < config->file_count; i++) {
    if (!is_folder(config->files[i])) {
      tell(ctx, "files", config->files[i]);
    }
  }
}

const struct peri_config_service *peri_config_service(
    const struct peri_config *config, struct peri_slice name) {
  for (size_t i = 0; i < config->service_count; i++) {
    if (peri_slice_is(name, config->services[i].name)) {
      return &config->services[i];
    }
  }
  return NULL;
}
