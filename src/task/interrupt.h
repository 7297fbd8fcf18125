/* SPDX-License-Identifier: MIT */
/* interrupt.h - what SIGINT does: the first task is cancelled with all that it owns. */
#pragma once

#include <stdbool.h>

#include "base/atomic.h"
#include "queue/inbox.h"

/** Of a runtime. */
struct rvi_interrupt {
    bool is_wanted;
    _Atomic(bool) is_sent; /* once in a runtime's life, so that the message is enough */
    struct rvi_msg msg;
};

/** Cancel the first task of each runtime that wants it. On a plain thread. */
void rvi_interrupt_all(void);
