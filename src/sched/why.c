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
    case RVI_WHY_QUEUE_PUT:
        return "queue put";
    case RVI_WHY_QUEUE_GET:
        return "queue get";
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
    case RVI_WHY_FORK_JOIN:
        return "fork join";
    case RVI_WHY_READ_LOCK:
        return "read lock";
    case RVI_WHY_WRITE_LOCK:
        return "write lock";
    case RVI_WHY_BARRIER:
        return "barrier";
    case RVI_WHY_LATCH:
        return "latch";
    case RVI_WHY_ONCE:
        return "once";
    case RVI_WHY_STRAND_POST:
        return "strand post";
    case RVI_WHY_STRAND_JOB:
        return "strand job";
    case RVI_WHY_STRAND_CLOSE:
        return "strand close";
    case RVI_WHY_TICKER:
        return "ticker";
    case RVI_WHY_SELECT:
        return "select";
    case RVI_WHY_POLL:
        return "descriptor";
    case RVI_WHY_READ:
        return "read";
    case RVI_WHY_WRITE:
        return "write";
    case RVI_WHY_ACCEPT:
        return "accept";
    case RVI_WHY_CONNECT:
        return "connect";
    case RVI_WHY_FILE:
        return "file";
    case RVI_WHY_NAME:
        return "name";
    case RVI_WHY_CHILD:
        return "child";
    case RVI_WHY_SIGNAL:
        return "signal";
    case RVI_WHY_PRINT:
        return "print";
    case RVI_WHY_SUPERVISOR:
        return "supervisor";
    case RVI_WHY_FOREGROUND:
        return "foreground";
    }
    return "unknown";
}
