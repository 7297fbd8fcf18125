/* SPDX-License-Identifier: MIT */
#include "sched/why.h"

const char *rvi_why_word(enum rvi_why why)
{
    switch (why) {
    case RVI_WHY_NONE:
        return "nothing";
    case RVI_WHY_SLEEP:
        return "sleep";
    case RVI_WHY_SCOPE_CLOSE:
        return "scope close";
    case RVI_WHY_CHAN_SEND:
        return "channel send";
    case RVI_WHY_CHAN_RECV:
        return "channel receive";
    case RVI_WHY_MUTEX:
        return "mutex";
    case RVI_WHY_COND:
        return "condition";
    case RVI_WHY_SEM:
        return "semaphore";
    case RVI_WHY_EVENT:
        return "event";
    case RVI_WHY_QUEUE_JOIN:
        return "queue join";
    case RVI_WHY_FUTURE:
        return "future";
    case RVI_WHY_EXECUTOR:
        return "executor";
    case RVI_WHY_BLOCKING:
        return "blocking call";
    case RVI_WHY_MIGRATE:
        return "migration";
    }
    return "unknown";
}
