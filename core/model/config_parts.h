#pragma once

#include "model/config.h"
#include "model/config_read.h"

struct peri_route;

/// The largest weight of an endpoint or a target; the smallest is 1.
enum { PERI_CONFIG_MOST_WEIGHT = 65535 };

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
/// `node`, `listen`, `explain`; reads what `cluster` and `registry` gave.
int peri_config_read_network(const struct peri_config_node *root,
                             struct peri_config *config);
/// `limits`.
int peri_config_read_limits(const struct peri_config_node *root,
                            struct peri_config *config);
/// `policies`: where they are, and what they may use.
int peri_config_read_policies(const struct peri_config_node *root,
                              struct peri_config *config);
/// `routes` and `balancer`.
int peri_config_read_routes(const struct peri_config_node *root,
                            struct peri_config *config);
/// Drops the references that routes hold, whole or not.
void peri_config_drop_routes(const struct peri_config *config);

/// `to` of a route: fills its targets.
int peri_config_read_targets(const struct peri_config_node *route,
                             struct peri_route *ret_route);

/// The name of a service that others register or find: not too long for a
/// label, nor like a folder, since it is the first part of a key.
int peri_config_service_name(const struct peri_config_node *node,
                             const char **ret_name);
/// One endpoint: a table with an address.
int peri_config_read_endpoint(const struct peri_config_node *node,
                              struct peri_config_endpoint *endpoint);
/// Checks that the address of the endpoint at `index` is none of those before
/// it; `node` is that endpoint.
int peri_config_check_endpoint(const struct peri_config_node *node,
                               const struct peri_config_endpoint *endpoints,
                               size_t index);
/// A member `"NAME"` or `{ "NAME", option = … }`; *ret_ref gets its place, and
/// stays as it is otherwise when there is none.
int peri_config_policy(const struct peri_config_node *parent, const char *key,
                       struct peri_policy_ref *ret_ref);
/// What is wrong with a Lua pattern, or NULL.
const char *peri_config_pattern(const char *pattern);
