/* SPDX-License-Identifier: MIT */
/* cluster.h - jobs on other machines: what an executor "cluster:nats://host:4222/pool" is told.
 *
 *     char words[256];
 *     struct rv_cluster_opts cluster = {
 *         .size = sizeof(cluster),
 *         .worker_wait = 5 * RV_SECOND,
 *         .words = words,
 *         .words_bytes = sizeof(words),
 *     };
 *     struct rv_executor_opts opts = {.size = sizeof(opts), .retries = 2, .cluster = &cluster};
 *
 * Jobs lie in a pool of an engine, NATS JetStream, until a worker takes them: this same program,
 * started anywhere by `ravel worker ./program --cluster nats://host:4222/pool`. Several programs
 * and builds can share a pool; a job goes to workers of its own build alone.
 *
 * A job is run at least once, and has one result. It may be run more than once only if it is an
 * RV_JOB_IDEMPOTENT(): if a machine falls silent, any other job that it may have begun is
 * RV_OUTCOME_LOST. (An engine's server that crashes may forget what it has lent in its last
 * moments; then even such a job may begin twice.) While the engine is away jobs wait, and so do
 * results, as long as the engine keeps them. A program that ends takes none of its jobs back, and
 * hears no result of them any more.
 *
 * Who submits may be who sends, by the engine's library: that takes up to 7 KB of his stack, with
 * TLS, so tasks that do had better have more than the least (rv_run_opts.stack_bytes).
 *
 * RAVEL_CLUSTER in the environment is such an address: "auto" and "cluster" alone use it. Who one
 * is to the engine is said by files, as an address is seen by everybody: those named here, or else
 * by RAVEL_CA_FILE, RAVEL_CERT_FILE, RAVEL_KEY_FILE and RAVEL_NKEY_FILE. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** How an executor uses a cluster. Zeroed fields mean the default. */
struct rv_cluster_opts {
    size_t size;             /* sizeof(struct rv_cluster_opts); 0: the first release's fields */
    const char *ca_file;     /* PEM file: who may have signed the engine's certificate; NULL:
                                RAVEL_CA_FILE, else the system's authorities */
    const char *cert_file;   /* PEM file: our certificate; NULL: RAVEL_CERT_FILE, else none */
    const char *key_file;    /* PEM file: its key; NULL: RAVEL_KEY_FILE, else none */
    const char *nkey_file;   /* a file with our seed, which is our name and password in one; NULL:
                                RAVEL_NKEY_FILE, else none */
    rv_time connect_timeout; /* nanoseconds that opening may take; 0: five seconds */
    unsigned window;         /* jobs that the engine has of this executor at one time, at most
                                65536; what is more waits here; 0: 1024 */
    uint64_t pool_backlog;   /* jobs that the pool holds at one time, of all programs: with more,
                                they wait here; 0: a million. Who opens a pool first decides. */
    rv_time result_life;     /* nanoseconds for which the engine keeps results; 0: an hour. Who
                                opens a pool first decides. */
    rv_time
        worker_wait;   /* nanoseconds for which a job waits though no worker of its build is there,
                            and the engine is; then its outcome is RV_OUTCOME_ERROR: -EHOSTDOWN
                            nobody is there, -ESTALE only other builds are; 0: 30 seconds; RV_NEVER:
                            as long as it takes */
    rv_time link_wait; /* nanoseconds for which jobs wait while the engine is away; then their
                            outcome is RV_OUTCOME_LOST, or RV_OUTCOME_ERROR with -ENOTCONN of those
                            that it never got; 0: as long as it takes */
    rv_time cancel_wait; /* nanoseconds for which the end of a job is waited for that is to stop,
                            whether or not the engine is there; then its outcome is RV_OUTCOME_LOST;
                            0: 15 seconds */
    char *words;         /* receives, when opening fails, why and what to do; NULL: not wanted */
    size_t words_bytes;  /* of words */
};

RV_END_DECLS
