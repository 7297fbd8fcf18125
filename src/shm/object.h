/* SPDX-License-Identifier: MIT */
/* object.h - how worker processes come by the memory that rv_shm_alloc() has made.
 *
 * The process that makes an object keeps it in a table (object.c). A worker that is given its name
 * asks for it over whatever connects the two, once, and keeps it mapped (loan.c):
 *
 *     worker                                      parent
 *     rv_shm_map(): ask(id), and wait
 *                        -- struct rvi_shm_ask -->
 *                                                 rvi_shm_lend(): an answer and a descriptor
 *                        <- struct rvi_shm_answer, with the descriptor --
 *     rvi_loans_told()
 *
 * A name is 64 random bits, and only what is in the table is lent, so a worker gets at no more than
 * it was told of, by its jobs' inputs or by others who were. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <ravel/shm.h>

struct rvi_shm_ask {
    uint64_t id;
};

struct rvi_shm_answer {
    struct rv_shm shm; /* the name asked for, and its true size */
    int64_t error;     /* 0, and a descriptor comes with it; or -errno */
};

/* --- the parent's side --- */

/** Answer a worker that has asked.
 *
 * @param ret_fd  to be sent with the answer and closed then; -1: none
 * Blocks:  no
 * Threads: any */
struct rvi_shm_answer rvi_shm_lend(struct rvi_shm_ask ask, int *ret_fd);

/** As rv_shm_free(), but for who has it mapped it stays as it is. */
void rvi_shm_leave(struct rv_shm shm);

/* --- the worker's side --- */

/** From now on this is a worker process: objects are asked for.
 *
 * @param ask  sends the question; returns 0 or -errno: the parent is going. Any thread, one at a
 *             time */
void rvi_loans_begin(int (*ask)(void *arg, struct rvi_shm_ask ask), void *arg);

/** The parent has answered. Whichever thread listens to it, which asks for nothing itself.
 *
 * @param fd  taken over; -1: none */
void rvi_loans_told(struct rvi_shm_answer answer, int fd);

/** The parent has answered, and the answer is lost, because of `error`. Whichever thread listens to
 * it. */
void rvi_loans_lost(int error);

/** No job runs, so nobody knows of a mapping: of those that were not used lately as many are given
 * back as keeps them few. */
void rvi_loans_trim(void);

/** Give all back, and be no worker any more: for tests. */
void rvi_loans_end(void);

/* --- between the two files --- */

/** Whether this is a worker process. */
bool rvi_loans_are_used(void);

/** rv_shm_map() in a worker. */
int rvi_loans_map(struct rv_shm shm, void **ret) __attribute__((warn_unused_result));
