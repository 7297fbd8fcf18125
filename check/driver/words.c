/* SPDX-License-Identifier: MIT */
/* words.c - what the numbers of wire.h are called.
 *
 * Checked by: tests/unit/check/test_reports.c */
#include "check/driver/words.h"

#include <stddef.h>
#include <string.h>

#include "check/runtime/op.h"

static const struct {
    const char *words, *id, *explain;
    bool is_failure;
} kinds[CK_KINDS] = {
    [CK_FINE] = {"nothing found", "fine", "", false},
    [CK_RACE] = {"data race", "data-race",
                 "Two threads use the same memory, one of them writes, and nothing orders the two.",
                 false},
    [CK_DEADLOCK] = {"deadlock", "deadlock", "Nobody who waits here can ever go on.", true},
    [CK_LOST_WAKEUP] = {"lost wake-up", "lost-wakeup",
                        "The signal came before its waiter waited, and nobody sends another one.",
                        true},
    [CK_ASSERT] = {"failed assertion", "assertion", "The program gave itself up.", true},
    [CK_CRASH] = {"crash", "crash", "The program was killed by a signal.", true},
    [CK_HEAP] = {"heap error", "heap", "Memory was used that is freed, or that was never had.",
                 true},
    [CK_MISUSE] = {"misuse of a lock", "misuse",
                   "The call is not allowed in the state that the object is in.", true},
    [CK_LOCK_ORDER] = {"lock-order inversion", "lock-order",
                       "Locks are taken in different orders: another schedule deadlocks.", false},
    [CK_LIVELOCK] = {"livelock", "livelock", "Threads run, and nothing gets any further.", true},
    [CK_THREAD_LEAK] = {"leak of a thread", "thread-leak",
                        "A thread that nobody joins or detaches is never given back.", false},
    [CK_EXIT] = {"non-zero exit", "exit", "The program ended with a status other than 0.", true},
    [CK_OUTPUT] = {"unexpected output", "output", "The program printed something else.", true},
    [CK_STEPS] = {"out of steps", "steps", "", false},
    [CK_STUCK] = {"stuck without a scheduling point", "stuck", "", false},
    [CK_DIVERGED] = {"went another way than the replay", "diverged", "", false},
    [CK_UNABLE] = {"cannot be checked", "unable", "", false},
};

static const struct {
    const char *words, *object;
} ops[CK_OP_KINDS] = {
    [CK_OP_NONE] = {"goes on", ""},
    [CK_OP_START] = {"begins", ""},
    [CK_OP_END] = {"ends", ""},
    [CK_OP_READ] = {"read", "variable"},
    [CK_OP_WRITE] = {"write", "variable"},
    [CK_OP_ATOMIC_LOAD] = {"atomic load", "atomic"},
    [CK_OP_ATOMIC_STORE] = {"atomic store", "atomic"},
    [CK_OP_ATOMIC_RMW] = {"atomic update", "atomic"},
    [CK_OP_FENCE] = {"fence", ""},
    [CK_OP_CREATE] = {"create a thread", ""},
    [CK_OP_JOIN] = {"join", "thread"},
    [CK_OP_DETACH] = {"detach", "thread"},
    [CK_OP_LOCK] = {"lock", "mutex"},
    [CK_OP_TRYLOCK] = {"try to lock", "mutex"},
    [CK_OP_UNLOCK] = {"unlock", "mutex"},
    [CK_OP_WAIT] = {"wait for", "condition"},
    [CK_OP_WOKEN] = {"woken, lock", "mutex"},
    [CK_OP_SIGNAL] = {"signal", "condition"},
    [CK_OP_BROADCAST] = {"broadcast", "condition"},
    [CK_OP_RDLOCK] = {"read-lock", "rwlock"},
    [CK_OP_WRLOCK] = {"write-lock", "rwlock"},
    [CK_OP_RWUNLOCK] = {"unlock", "rwlock"},
    [CK_OP_SEM_WAIT] = {"wait for", "semaphore"},
    [CK_OP_SEM_POST] = {"post", "semaphore"},
    [CK_OP_BARRIER] = {"wait at", "barrier"},
    [CK_OP_ONCE] = {"do once", "once"},
    [CK_OP_SPIN_LOCK] = {"spin-lock", "spinlock"},
    [CK_OP_SPIN_UNLOCK] = {"unlock", "spinlock"},
    [CK_OP_FUTEX_WAIT] = {"futex wait", "futex"},
    [CK_OP_FUTEX_WAKE] = {"futex wake", "futex"},
    [CK_OP_SLEEP] = {"sleep", ""},
    [CK_OP_YIELD] = {"yield", ""},
    [CK_OP_CANCEL] = {"cancel", "thread"},
    [CK_OP_KILL] = {"send a signal to", "thread"},
    [CK_OP_IO] = {"input or output", ""},
    [CK_OP_ALLOC] = {"allocate", "block"},
    [CK_OP_FREE] = {"free", "block"},
    [CK_OP_EXIT] = {"end the program", ""},
    [CK_OP_DESTROY] = {"destroy", ""},
};

static const char *const strategies[RVI_STRATEGY_KINDS] = {
    [RVI_STRATEGY_WALK] = "walk", [RVI_STRATEGY_PCT] = "pct",           [RVI_STRATEGY_POS] = "pos",
    [RVI_STRATEGY_SURW] = "surw", [RVI_STRATEGY_LOCATION] = "location", [RVI_STRATEGY_AIM] = "aim",
};

static const char *const granularities[] = {
    [CK_SYNC] = "sync", [CK_LEARNED] = "learned", [CK_ALL] = "all"};

enum { GRANULARITIES = sizeof granularities / sizeof granularities[0] };

const char *ck_words_kind(uint32_t kind)
{
    return kind < CK_KINDS ? kinds[kind].words : "unknown";
}

const char *ck_words_kind_id(uint32_t kind)
{
    return kind < CK_KINDS ? kinds[kind].id : "unknown";
}

bool ck_words_kind_of(const char *id, uint32_t *ret)
{
    for (uint32_t i = 0; i < CK_KINDS; i++) {
        if (strcmp(kinds[i].id, id) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

const char *ck_words_explain(uint32_t kind)
{
    return kind < CK_KINDS ? kinds[kind].explain : "";
}

bool ck_words_is_failure(uint32_t kind)
{
    return kind < CK_KINDS && kinds[kind].is_failure;
}

const char *ck_words_op(uint32_t op)
{
    return op < CK_OP_KINDS ? ops[op].words : "?";
}

const char *ck_words_object(uint32_t op)
{
    return op < CK_OP_KINDS ? ops[op].object : "";
}

static bool find_name(const char *const *names, uint32_t count, const char *name, uint32_t *ret)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

const char *ck_words_strategy(uint32_t kind)
{
    return kind < RVI_STRATEGY_KINDS ? strategies[kind] : "unknown";
}

bool ck_words_strategy_of(const char *name, uint32_t *ret)
{
    return find_name(strategies, RVI_STRATEGY_KINDS, name, ret);
}

const char *ck_words_granularity(uint32_t granularity)
{
    return granularity < GRANULARITIES ? granularities[granularity] : "unknown";
}

bool ck_words_granularity_of(const char *name, uint32_t *ret)
{
    return find_name(granularities, GRANULARITIES, name, ret);
}
