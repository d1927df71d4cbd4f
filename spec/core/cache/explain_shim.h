#pragma once

#include "base/buffer.h"
#include "cache/mesh_shim.h"

/// What the first worker of a node would do with a Get, in words. @return as
/// peri_cache_explain().
int peri_shim_mesh_explain(struct peri_shim_mesh *mesh, int node,
                           struct peri_slice group, struct peri_slice key,
                           struct peri_buffer *text);
/// Its last decisions, in words.
void peri_shim_mesh_decisions(struct peri_shim_mesh *mesh, int node,
                              struct peri_buffer *text);
/// Keeps no more ordinary ones.
void peri_shim_mesh_no_ordinary(struct peri_shim_mesh *mesh, int node);
