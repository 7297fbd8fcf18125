/* SPDX-License-Identifier: MIT */
/* queue_cluster.h - the inside of a queue that lies in a cluster's engine, behind the public calls
 * of queue.c. */
#pragma once

#include <ravel/cluster.h>
#include <ravel/queue.h>

/** One handle, and those of this process who wait through it. */
struct rvi_queue_cluster;

/** Errors: as rv_queue_open(). Blocks: the task */
int rvi_queue_cluster_open(struct rvi_queue_cluster **ret, const char *address, size_t item_bytes,
                           size_t capacity, const struct rv_cluster_opts *opts)
    __attribute__((warn_unused_result));

/** Let go of it; nobody of this process is inside a call. Blocks: the thread, for a moment */
void rvi_queue_cluster_free(struct rvi_queue_cluster *s);

/* The public calls of the same names. */
int rvi_queue_cluster_put(struct rvi_queue_cluster *s, const void *item, rv_time deadline);
int rvi_queue_cluster_try_put(struct rvi_queue_cluster *s, const void *item);
int rvi_queue_cluster_get(struct rvi_queue_cluster *s, void *ret_item, rv_time deadline);
int rvi_queue_cluster_try_get(struct rvi_queue_cluster *s, void *ret_item);
int rvi_queue_cluster_done(struct rvi_queue_cluster *s);
int rvi_queue_cluster_join(struct rvi_queue_cluster *s, rv_time deadline);
void rvi_queue_cluster_close(struct rvi_queue_cluster *s);
int rvi_queue_cluster_count(struct rvi_queue_cluster *s, struct rv_queue_stats *ret);
int rvi_queue_cluster_drop(struct rvi_queue_cluster *s, rv_time deadline);
