/* SPDX-License-Identifier: MIT */
/* address.h - where a cluster is, and who one is there: one text and some variables of the
 * environment, the same for whoever submits and whoever works.
 *
 *     nats://host:4222/pool
 *     tls://one:4222,tls://two:4222/pool     any of several servers
 *
 * What is secret stands in files, whose names come by options or by the environment. */
#pragma once

#include "engine/engine.h"

#define RVI_CLUSTER_VARIABLE "RAVEL_CLUSTER"

/** The pool of an address that names none. */
#define RVI_ENGINE_POOL_USUAL "ravel"

/** Set url and pool by an address, before which "cluster:" may stand.
 *
 * @param ret_memory  what the two lie in; for rvi_free()
 * @param words       on error: why
 * Errors: -EINVAL no address; -ENOMEM */
int rvi_engine_address_take(struct rvi_engine_opts *opts, char **ret_memory, const char *address,
                            char words[static RVI_ENGINE_WORDS])
    __attribute__((warn_unused_result));

/** Fill in what options leave open by RAVEL_CA_FILE, RAVEL_CERT_FILE, RAVEL_KEY_FILE and
 * RAVEL_NKEY_FILE. The environment's, until it is changed. */
void rvi_engine_credentials_take(struct rvi_engine_opts *opts);
