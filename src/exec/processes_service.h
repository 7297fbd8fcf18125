/* SPDX-License-Identifier: MIT */
/* processes_service.h - what the service thread does to its members. Without the lock. */
#pragma once

#include "exec/processes.h"

/* What an event is about; in the low bits, below a member's number. */
enum rvi_news {
    RVI_NEWS_CALL, /* without a member: the bell, or a kick */
    RVI_NEWS_END,
    RVI_NEWS_CONTROL,
    RVI_NEWS_WORDS,
};

enum { RVI_NEWS_BITS = 2 };

/** Start one more, or take down why not. */
void rvi_processes_start_one(struct rvi_processes *pool);

/** The first message of a member may be there. */
void rvi_member_take_answer(struct rvi_member *member);

/** Its process has ended: what it had is settled, and nothing of it is left but the memory that it
 * has shared. */
void rvi_member_bury(struct rvi_member *member);

/** Nobody looks at that any more. */
void rvi_member_forget(struct rvi_member *member);

/** Whether nobody works, and nobody can be had. With the lock. */
bool rvi_processes_are_lame(const struct rvi_processes *pool);

/** The thread. */
void *rvi_processes_serve(void *pool);
