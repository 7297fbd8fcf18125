/* SPDX-License-Identifier: MIT */
/* entry.c - before main(): the server that forks an execution a schedule.
 *
 * The program loads and runs its static constructors once, as always; then libc calls main(), which
 * is ours. An execution is a raw clone(): libc's fork() would take the threads in reserve for
 * dead, and their memory back. In it main() is called on the main thread's carrier.
 *
 *   E1  without a driver in the environment nothing happens but one getenv()
 *   E2  the server has one kernel thread that does anything; those in reserve only sleep
 *   E3  an execution dies with its server, and the server when its driver closes the socket
 *   E4  an execution whose progress does not rise for STUCK_S is asked where it is, and killed
 *
 * Checked by: tests/check/runtime.py */
#include "check/runtime/entry.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "check/runtime/access.h"
#include "check/runtime/carrier.h"
#include "check/runtime/clocks.h"
#include "check/runtime/crash.h"
#include "check/runtime/fail.h"
#include "check/runtime/next.h"
#include "check/runtime/places.h"
#include "check/runtime/posix.h"
#include "check/runtime/rewind.h"

enum { STUCK_S = 5, RESERVE_FIRST = 8, TAINTED_FORKS = 64, RESERVE_MORE = 2, FD_LOWEST = 900 };

typedef int main_fn(int argc, char **argv, char **env);
typedef int start_main_fn(main_fn *main, int argc, char **argv, void (*init)(void),
                          void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

struct ck_shared *ck_shared;
int ck_attached;

static int socket_fd = -1;
static main_fn *program_main;
static int program_argc;
static char **program_argv, **program_env;

/* --- finding the driver --- */

_Noreturn static void refuse(const char *why)
{
    fprintf(stderr, "libravel_check: %s\n", why);
    _exit(127);
}

/* Out of the way of the program's own descriptors, which begin at 3 as always. */
static int out_of_the_way(int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, FD_LOWEST);

    if (moved < 0)
        moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (moved < 0)
        refuse("a descriptor of " CK_ENV " is not open");
    close(fd);
    return moved;
}

static void map(int fd)
{
    void *mapping = mmap(NULL, sizeof *ck_shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (mapping == MAP_FAILED)
        refuse("the driver's memory cannot be mapped");
    close(fd);
    ck_shared = mapping;
    if (ck_shared->protocol != CK_PROTOCOL)
        refuse("the driver is of another version");
}

bool ck_attach_first(void)
{
    const char *text = getenv(CK_ENV);
    int mapping, end = 0;

    ck_attached = -1;
    if (!text)
        return false;
    if (sscanf(text, "%d,%d%n", &mapping, &socket_fd, &end) != 2 || text[end])
        refuse(CK_ENV " is for ravel check's own use");
    ck_attached = 1;
    unsetenv(CK_ENV);
    map(mapping);
    socket_fd = out_of_the_way(socket_fd);
    return true;
}

__attribute__((constructor(101))) static void at_load(void)
{
    ck_attach();
}

/* --- an execution --- */

static void run_main(void *arg)
{
    (void)arg;
    ck_sched_begin(ck_carrier_main(), &ck_posix_main);
    if (ck_threads_came_early)
        ck_unable("the program starts threads before main(), in a static constructor");
    exit(program_main(program_argc, program_argv, program_env));
}

static void begin(void)
{
    ck_carriers_begin(ck_shared->plan.flags & CK_BATON, run_main, NULL);
}

static int fork_execution(int *ret_pidfd, bool is_resident)
{
    long flags = CLONE_PIDFD | SIGCHLD;
    long pid = CK_NEXT(syscall)(SYS_clone, flags, 0, ret_pidfd, 0, 0);

    if (pid != 0)
        return (int)pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* E3 */
    if (!ck_rewind || !ck_rewind_is_wanted())
        begin();
    ck_rewind_begin(is_resident, socket_fd, begin);
}

/* --- the server --- */

void ck_result_reset(void)
{
    struct ck_result *result = &ck_shared->result;

    memset(result, 0, offsetof(struct ck_result, counts));
    ck_shared->result.failure.kind = CK_FINE;
}

/* False: it does not end. In a debugger it may stand for as long as its user thinks. */
static bool await_end(int pidfd)
{
    uint64_t progress = UINT64_MAX;
    int quiet_s = 0;

    for (;;) {
        struct pollfd end = {pidfd, POLLIN, 0};
        if (poll(&end, 1, 1000) > 0)
            return true;
        bool is_idle = ck_rewind && !ck_rewind->in_run;
        quiet_s = !is_idle && ck_shared->result.progress == progress ? quiet_s + 1 : 0;
        progress = ck_shared->result.progress;
        if (quiet_s >= STUCK_S && !(ck_shared->plan.flags & CK_BATON))
            return false;
    }
}

/* E4. What does not even take a signal is described here. */
static void end_stuck(int pid, int pidfd)
{
    struct pollfd end = {pidfd, POLLIN, 0};

    kill(pid, CK_SIGNAL_STUCK);
    if (poll(&end, 1, 1000) > 0)
        return;
    kill(pid, SIGKILL);
    ck_report_doom(ck_report_begin(CK_STUCK, "no scheduling point for %d seconds", STUCK_S));
}

static unsigned reserve = RESERVE_FIRST;
static bool reserve_was_short; /* making a thread taints */

/* So that the next execution has as many as this one had. */
static void fill_reserve(void)
{
    unsigned wanted = ck_shared->result.thread_count + RESERVE_MORE;

    reserve_was_short = ck_shared->result.thread_count > reserve;
    reserve = wanted > reserve ? wanted : reserve;
    ck_carriers_prepare(reserve);
}

/* Whether the next execution may stay: the last one that was forked was untainted. After one that
 * was not, others are tried only now and then. */
static bool may_stay(void)
{
    static unsigned forks, next_try = 1;

    if (!ck_rewind || ++forks <= next_try)
        return false;
    if (!ck_rewind->is_tainted)
        return true;
    next_try = forks + (reserve_was_short ? 0 : TAINTED_FORKS);
    return false;
}

/* False: nobody waits for an answer. */
static bool serve_run(void)
{
    int pidfd = -1, status = 0;

    ck_result_reset();
    if (ck_rewind)
        ck_rewind->in_run = 1;
    int pid = fork_execution(&pidfd, may_stay());
    if (pid < 0)
        ck_unable("fork: %s", strerror(errno));
    if (!await_end(pidfd))
        end_stuck(pid, pidfd);
    while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
        ;
    close(pidfd);
    if (ck_rewind && !ck_rewind->in_run)
        return false;
    if (ck_rewind && ck_rewind->hand_over) {
        ck_rewind->hand_over = 0;
        return serve_run();
    }
    ck_shared->result.exit_status = (uint32_t)status;
    return true;
}

static void answer(char byte)
{
    while (write(socket_fd, &byte, 1) < 0 && errno == EINTR)
        ;
}

_Noreturn static void serve(void)
{
    char order;

    answer(CK_READY);
    for (;;) {
        ssize_t got = read(socket_fd, &order, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got != 1 || order != CK_RUN)
            _exit(0);
        bool is_awaited = serve_run();
        fill_reserve();
        if (is_awaited)
            answer(CK_DONE);
    }
}

/* What the unwinder sets up at its first use is done before any execution. */
static void warm_up(void)
{
    uintptr_t frames[CK_FRAMES];

    ck_backtrace(frames, CK_FRAMES);
}

static int be_server(int argc, char **argv, char **env)
{
    program_argc = argc;
    program_argv = argv;
    program_env = env;
    ck_next_find_all();
    ck_places_learn();
    ck_access_prepare();
    warm_up();
    ck_crash_prepare();
    ck_rewind_prepare();
    ck_carriers_prepare(RESERVE_FIRST);
    serve();
}

start_main_fn __libc_start_main;

CK_EXPORT int __libc_start_main(main_fn *main, int argc, char **argv, void (*init)(void),
                                void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    start_main_fn *next = (start_main_fn *)dlsym(RTLD_NEXT, "__libc_start_main");

    program_main = main;
    return next(ck_attach() ? be_server : main, argc, argv, init, fini, rtld_fini, stack_end);
}
