/* SPDX-License-Identifier: MIT */
/* why.h - the reasons that tasks wait for, and the words that every tool prints for them. */
#pragma once

/** Why a task is parked. */
enum rvi_why {
    RVI_WHY_NONE,
    RVI_WHY_SLEEP,
    RVI_WHY_SCOPE_CLOSE,
    RVI_WHY_CHAN_SEND,
    RVI_WHY_CHAN_RECV,
    RVI_WHY_MUTEX,
    RVI_WHY_COND,
    RVI_WHY_SEM,
    RVI_WHY_EVENT,
    RVI_WHY_QUEUE_PUT,
    RVI_WHY_QUEUE_GET,
    RVI_WHY_QUEUE_JOIN,
    RVI_WHY_FUTURE,
    RVI_WHY_EXECUTOR,
    RVI_WHY_BLOCKING,
    RVI_WHY_MIGRATE,
    RVI_WHY_FORK_JOIN,
    RVI_WHY_READ_LOCK,
    RVI_WHY_WRITE_LOCK,
    RVI_WHY_BARRIER,
    RVI_WHY_LATCH,
    RVI_WHY_ONCE,
    RVI_WHY_STRAND_POST,
    RVI_WHY_STRAND_JOB,
    RVI_WHY_STRAND_CLOSE,
    RVI_WHY_TICKER,
    RVI_WHY_SELECT,
    RVI_WHY_POLL,
    RVI_WHY_READ,
    RVI_WHY_WRITE,
    RVI_WHY_ACCEPT,
    RVI_WHY_CONNECT,
    RVI_WHY_FILE,
    RVI_WHY_NAME,
    RVI_WHY_CHILD,
    RVI_WHY_SIGNAL,
    RVI_WHY_PRINT,
    RVI_WHY_FOREGROUND,
    RVI_WHY_SUPERVISOR,
    RVI_WHY_LAST = RVI_WHY_SUPERVISOR,
};

/** One or two words; static. */
const char *rvi_why_word(enum rvi_why why);
