#pragma once

#include "model/config.h"
#include "model/config_read.h"

/// The sections of a configuration. Each checks its part of the table `root`
/// and fills its fields of `config`, which hold their defaults before. @return
/// 0, PERI_ENOMEM or PERI_ECONFIG.

/// Fills every field with its default.
void peri_config_defaults(struct peri_config *config);
/// `groups`.
int peri_config_read_groups(const struct peri_config_node *root,
                            struct peri_config *config);
/// `registry`: its static services, or what kind "etcd" needs.
int peri_config_read_registry(const struct peri_config_node *root,
                              struct peri_config *config);
/// What a registry of kind "etcd" needs; reads certificates and keys from their
/// files (blocking).
int peri_config_read_etcd(const struct peri_config_node *registry,
                          struct peri_config *config);
/// `provides`; reads what `cluster`, `registry`, `node` and `listen` gave.
int peri_config_read_provides(const struct peri_config_node *root,
                              struct peri_config *config);
/// `node`, `listen`; reads what `cluster` and `registry` gave.
int peri_config_read_network(const struct peri_config_node *root,
                             struct peri_config *config);
/// `limits`.
int peri_config_read_limits(const struct peri_config_node *root,
                            struct peri_config *config);
