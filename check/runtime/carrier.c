/* SPDX-License-Identifier: MIT */
/* carrier.c - carriers: thread-control blocks in reserve, and stacks.
 *
 * A thread-control block is libc's to make: each belongs to a real thread that was started on a
 * small stack at a fixed address (layout.h), parks at once, and never does anything else. What libc
 * keeps there - errno, thread-locals, its list of threads, the handle - is as if the program had
 * started it. The server makes some; a forked execution has their memory without the kernel
 * threads, and makes more when they do not suffice.
 *
 *   C1  the thread with id n is carried by carrier n, always: so handle, stack and thread-locals
 *       are at the same addresses whatever the size of the reserve was
 *   C2  no carrier is used twice in an execution: its thread-locals are fresh. CK_THREADS_MOST
 *       bounds them
 *   C3  bodies run on stacks of their own, as large as the program may expect them, which take no
 *       memory before they are used; the server's page tables know nothing of them
 *
 * Rejected: bodies below the parked frame: either small stacks, or a fork that copies the page
 * tables of large ones. Reuse, with thread-locals reset: it would have to know all who keep some.
 *
 * Checked by: tests/check/runtime.py */
#include "check/runtime/carrier.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "check/runtime/arena.h"
#include "check/runtime/carrier_inside.h"
#include "check/runtime/fail.h"
#include "check/runtime/layout.h"
#include "check/runtime/next.h"
#include "check/runtime/sched.h"

enum {
    GUARD_BYTES = 64 << 10,
    STACK_BYTES = (8 << 20) + GUARD_BYTES, /* what is larger is mapped by itself */
    FIRST_BLOCK_BYTES = 64 << 10,
    MOST_BLOCK_BYTES = 64 << 20,
};

static struct ck_carrier carriers[CK_THREADS_MOST];
static unsigned made; /* thread-control blocks, the main thread's included */
static unsigned used; /* in this execution */
static size_t block_bytes = FIRST_BLOCK_BYTES;
static bool by_baton;
static uint64_t large_stacks = CK_AT_STACKS + (uint64_t)CK_THREADS_MOST * STACK_BYTES;

/* --- stacks --- */

static void *large_stack(size_t bytes)
{
    uint64_t at = large_stacks;

    large_stacks += bytes;
    return mmap((void *)(uintptr_t)at, bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
}

static int map_stack(struct ck_carrier *carrier, size_t bytes)
{
    size_t number = (size_t)(carrier - carriers), page = (size_t)sysconf(_SC_PAGESIZE);
    char *low = (char *)(uintptr_t)(CK_AT_STACKS + number * STACK_BYTES);

    bytes = (bytes + page - 1) / page * page + GUARD_BYTES;
    if (bytes > STACK_BYTES)
        low = large_stack(bytes);
    else
        bytes = STACK_BYTES;
    if (low == MAP_FAILED)
        return errno;
    if (bytes == STACK_BYTES &&
        mprotect(low + GUARD_BYTES, bytes - GUARD_BYTES, PROT_READ | PROT_WRITE) != 0)
        return errno;
    if (bytes != STACK_BYTES && mprotect(low, GUARD_BYTES, PROT_NONE) != 0)
        return errno;
    carrier->guard_low = (uintptr_t)low;
    carrier->has_stack = bytes == STACK_BYTES || carrier == carriers;
    carrier->stack_low = (uintptr_t)low + GUARD_BYTES;
    carrier->stack_high = (uintptr_t)low + bytes;
    return 0;
}

bool ck_carrier_is_being_made;

/* --- thread-control blocks --- */

struct parking {
    struct ck_carrier *carrier;
    uint32_t is_parked;
};

static void *park(void *arg)
{
    struct parking *parking = arg;

    parking->carrier->handle = pthread_self();
    parking->carrier->thread_pointer = ck_thread_pointer();
    __atomic_store_n(&parking->is_parked, 1, __ATOMIC_RELEASE);
    CK_NEXT(syscall)(SYS_futex, &parking->is_parked, FUTEX_WAKE, 1, NULL, NULL, 0);
    static uint32_t never;
    for (;;)
        CK_NEXT(syscall)(SYS_futex, &never, FUTEX_WAIT, 0, NULL, NULL, 0);
    return NULL;
}

static void await_parked(struct parking *parking)
{
    while (!__atomic_load_n(&parking->is_parked, __ATOMIC_ACQUIRE))
        CK_NEXT(syscall)(SYS_futex, &parking->is_parked, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static int create(pthread_t *ret, pthread_attr_t *attr, struct parking *parking)
{
    ck_carrier_is_being_made = true;
    int r = CK_NEXT(pthread_create)(ret, attr, park, parking);
    ck_carrier_is_being_made = false;
    return r;
}

static int start_parked(struct parking *parking, void *low)
{
    pthread_attr_t attr;
    pthread_t handle;
    int r;

    pthread_attr_init(&attr);
    r = pthread_attr_setstack(&attr, low, block_bytes);
    if (r == 0)
        r = create(&handle, &attr, parking);
    pthread_attr_destroy(&attr);
    return r;
}

/* The first finds out how much a block takes: programs may have large thread-locals. */
static int make_block(struct ck_carrier *carrier)
{
    size_t number = (size_t)(carrier - carriers);
    struct parking parking = {carrier, 0};
    sigset_t all, before;
    int r;

    if (number == 1)
        ck_map_at(CK_AT_BLOCKS, (uint64_t)CK_THREADS_MOST * MOST_BLOCK_BYTES,
                  PROT_READ | PROT_WRITE);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    while ((r = start_parked(&parking, (void *)(uintptr_t)(CK_AT_BLOCKS + number * block_bytes))) ==
               EINVAL &&
           number == 1 && block_bytes < MOST_BLOCK_BYTES)
        block_bytes *= 2;
    if (r == 0)
        await_parked(&parking);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return r;
}

static int make_up_to(unsigned count)
{
    int r = 0;

    if (made == 0) {
        carriers[0].handle = pthread_self();
        carriers[0].thread_pointer = ck_thread_pointer();
        ck_map_at(CK_AT_STACKS, (uint64_t)CK_THREADS_MOST * STACK_BYTES, PROT_NONE);
        made = 1;
    }
    while (r == 0 && made < count && made < CK_THREADS_MOST) {
        r = make_block(&carriers[made]);
        made += r == 0;
    }
    return r;
}

/* As large as the kernel would make it. */
static size_t main_stack_bytes(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        limit.rlim_cur > STACK_BYTES)
        return limit.rlim_cur;
    return STACK_BYTES - GUARD_BYTES;
}

void ck_carriers_prepare(unsigned count)
{
    static unsigned with_stack;
    int r = make_up_to(count);

    if (with_stack == 0 && r == 0)
        r = map_stack(&carriers[with_stack++], main_stack_bytes());
    for (; r == 0 && with_stack < made; with_stack++)
        r = map_stack(&carriers[with_stack], STACK_BYTES - GUARD_BYTES);
    if (r != 0)
        ck_unable("no threads in reserve: %s", strerror(r));
}

void ck_carrier_stack(const struct ck_carrier *carrier, uintptr_t *low, uintptr_t *high)
{
    *low = carrier->stack_low;
    *high = carrier->stack_high;
}

bool ck_carrier_is_overflow(const struct ck_carrier *carrier, uintptr_t address)
{
    return carrier->guard_low <= address && address < carrier->stack_low;
}

/* --- carriers --- */

struct ck_carrier *ck_carrier_main(void)
{
    return &carriers[0];
}

uintptr_t ck_carrier_handle(const struct ck_carrier *carrier)
{
    return (uintptr_t)carrier->handle;
}

void ck_carrier_enter(void *arg)
{
    struct ck_carrier *self = arg;

    ck_carrier_resumed(self);
    self->has_begun = true;
    self->body(self->arg);
    rvi_panic("check: a thread has returned to where it came from");
}

struct ck_carrier *ck_carrier_new(void (*body)(void *), void *arg, uintptr_t stack_low,
                                  size_t stack_bytes)
{
    struct ck_carrier *carrier = used < CK_THREADS_MOST ? &carriers[used] : NULL;
    int r = carrier ? make_up_to(used + 1) : EAGAIN;

    if (r == 0 && stack_low) {
        carrier->guard_low = carrier->stack_low = stack_low;
        carrier->stack_high = stack_low + stack_bytes;
    } else if (r == 0 && (stack_bytes > STACK_BYTES - GUARD_BYTES || !carrier->has_stack)) {
        r = map_stack(carrier, stack_bytes);
    }
    if (r != 0) {
        errno = r;
        return NULL;
    }
    used++;
    carrier->body = body;
    carrier->arg = arg;
    ck_fiber_prepare(carrier);
    return carrier;
}

void ck_carriers_begin(bool baton, void (*body)(void *), void *arg)
{
    by_baton = baton;
    used = 0;
    struct ck_carrier *main = ck_carrier_new(body, arg, 0, 0);
    if (!main)
        ck_unable("no stack for the main thread: %s", strerror(errno));
    ck_fiber_begin(main);
}

void ck_carrier_switch(struct ck_carrier *from, struct ck_carrier *to)
{
    if (rvi_unlikely(by_baton))
        ck_baton_switch(from, to);
    else
        ck_fiber_switch(from, to);
    if (rvi_unlikely(from->wanted))
        ck_carrier_resumed(from);
}

/* --- unwinding another --- */

void ck_carrier_resumed(struct ck_carrier *self)
{
    while (self->wanted) {
        self->found = self->has_begun ? ck_backtrace(self->frames, self->wanted) : 0;
        self->wanted = 0;
        if (by_baton)
            ck_baton_switch(self, self->asked_by);
        else
            ck_fiber_switch(self, self->asked_by);
    }
}

unsigned ck_carrier_backtrace(struct ck_carrier *carrier, uintptr_t *ret, unsigned most)
{
    struct ck_carrier *self = ck_self->carrier;

    if (!carrier->has_begun)
        return 0;
    carrier->frames = ret;
    carrier->wanted = most;
    carrier->asked_by = self;
    if (by_baton)
        ck_baton_switch(self, carrier);
    else
        ck_fiber_switch(self, carrier);
    return carrier->found;
}
