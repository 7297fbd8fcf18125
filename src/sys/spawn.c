/* SPDX-License-Identifier: MIT */
/* spawn.c - start a program without copying this process.
 *
 * clone(2) with CLONE_VM and CLONE_VFORK: the child borrows our memory and its caller's thread
 * stands still until it has given that back, by execve or by its end. So a start costs the same
 * whatever the size of this process; the child tells why it failed by writing that down; and when
 * rvi_spawn() returns it is known whether the program runs. Other threads go on meanwhile.
 *
 * What may run in the child, therefore:
 *
 *   P1  on a stack of its own, as the caller's frames must be found as they were left;
 *   P2  no signal handler, which would run in our memory under another process's number: all
 *       signals are blocked from before the clone until no handler is left, in the child alone;
 *   P3  bare system calls: the C library's functions keep state in memory (setuid tells all threads
 *       of the process, which here are the parent's), and sanitizers watch them;
 *   P4  it ends in child_main(), which has no frame that a sanitizer has noted: those of the
 *       functions that it calls have returned.
 *
 * Descriptors. The child has its own table, a copy made at one moment; whatever other threads open
 * after that is not in it. There everything from 3 on is marked to close at execve, whoever has
 * opened it and with whichever flags, then what is to be passed on is put in its place. Sources
 * that lie where a target will come are moved first.
 *
 * No SIGCHLD for a failed start: the child's end is told to nobody (no signal in clone's flags)
 * until execve makes it an ordinary child, so a program that waits for any child of its own cannot
 * be handed one that it has never heard of.
 *
 * Rejected: posix_spawn, which does the same but knows of no limits, no user, no death signal, no
 * pidfd, closes a range of descriptors only from glibc 2.34 on, and tells an error without its
 * step. fork, which copies page tables (48 ms for a gigabyte) and whose child may find a lock
 * taken by a thread that it has not. A pipe for the error, which costs two descriptors and hangs if
 * somebody forks meanwhile.
 *
 * Emulators that make vfork a fork (valgrind, qemu's user mode) show neither the error nor when the
 * program runs: a start there reports success, and a child that could not run exits with 127.
 *
 * Checked by: tests/unit/io/test_child.c, tests/stress/stress_child.c, tests/faults */
#include "sys/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sys/call.h"

enum { STACK_BYTES = 32 << 10, SIGNALS = 64, NOT_RUN = 127, FIRST_CLOSED = 3, MOST_CPUS = 1 << 16 };

/* Linux 5.3 and 5.4; the C library's headers may be older. */
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* What sigaction(2) wants, on both CPUs that we know. */
struct kernel_sigaction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

/* In the parent's frame; the child writes the last three. */
struct birth {
    const struct rvi_spawn *what;
    pid_t parent;
    int *sources;    /* as many as what->fds */
    cpu_set_t *cpus; /* NULL: ours */
    size_t cpu_bytes;
    enum rv_child_step step;
    int error; /* errno, 0: it runs */
};

/* ThreadSanitizer takes clone() for fork(), and brings its own state in order on both sides of it,
 * which here are one memory, also in programs that are built with it while this library is not: the
 * C library's other name for it is not watched. */
extern int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
#define clone __clone

#if defined(__clang__) && RVI_TSAN
#define UNWATCHED __attribute__((disable_sanitizer_instrumentation))
#else
#define UNWATCHED
#endif

/* --- in the child --- */

static bool enter_group(const struct rv_child_opts *opts)
{
    switch (opts->group) {
    case RV_CHILD_GROUP_OURS:
        return true;
    case RV_CHILD_GROUP_OWN:
        return RVI_CALL(CHILD_GROUP, syscall(SYS_setpgid, 0, 0)) == 0;
    case RV_CHILD_GROUP_SESSION:
        return RVI_CALL(CHILD_GROUP, syscall(SYS_setsid)) >= 0;
    }
    errno = EINVAL;
    return false;
}

/* The highest target; what lies above it is in nobody's way. */
static int highest_target(const struct rvi_spawn *what)
{
    int highest = FIRST_CLOSED - 1;

    for (size_t i = 0; i < what->fd_count; i++) {
        if (what->fds[i].target > highest)
            highest = what->fds[i].target;
    }
    return highest;
}

static bool move_sources(const struct birth *birth)
{
    const struct rvi_spawn *what = birth->what;
    int highest = highest_target(what);

    for (size_t i = 0; i < what->fd_count; i++) {
        int source = what->fds[i].source;
        if (source >= 0 && source <= highest && source != what->fds[i].target)
            source = (int)RVI_CALL(
                CHILD_FD, syscall(SYS_fcntl, source, (long)F_DUPFD_CLOEXEC, (long)highest + 1));
        if (source < 0 && what->fds[i].source >= 0)
            return false;
        birth->sources[i] = source;
    }
    return true;
}

struct entry {
    uint64_t inode, offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

/* A descriptor's number; -1 for the names that are none. */
static int number_in(const char *name)
{
    int number = 0;

    for (; *name; name++) {
        if (*name < '0' || *name > '9')
            return -1;
        number = 10 * number + (*name - '0');
    }
    return number;
}

static void mark(long fd)
{
    (void)RVI_CALL(CHILD_MARK_FD, syscall(SYS_fcntl, fd, (long)F_SETFD, (long)FD_CLOEXEC));
}

/* Before Linux 5.11, and where a filter does not know the call. */
static bool mark_one_by_one(void)
{
    _Alignas(struct entry) char bytes[1024];
    long dir = RVI_CALL(CHILD_FD, syscall(SYS_openat, (long)AT_FDCWD, "/proc/self/fd",
                                          (long)(O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0L));
    long got;

    if (dir < 0)
        return false;
    while ((got = RVI_CALL(CHILD_FD, syscall(SYS_getdents64, dir, bytes, sizeof bytes))) > 0) {
        for (long at = 0; at < got;) {
            const struct entry *entry = (const struct entry *)(const void *)(bytes + at);
            int fd = number_in(entry->name);
            if (fd >= FIRST_CLOSED)
                mark(fd);
            at += entry->length;
        }
    }
    int saved = errno;
    (void)syscall(SYS_close, dir); /* opened for this alone */
    errno = saved;
    return got == 0;
}

static bool mark_all(void)
{
    return RVI_CALL(CHILD_MARK_ALL, syscall(SYS_close_range, (long)FIRST_CLOSED, ~0UL,
                                            (long)CLOSE_RANGE_CLOEXEC)) == 0 ||
           mark_one_by_one();
}

static bool open_null_at(int target)
{
    long fd =
        RVI_CALL(CHILD_FD, syscall(SYS_openat, (long)AT_FDCWD, "/dev/null", (long)O_RDWR, 0L));

    if (fd < 0 || fd == target)
        return fd == target;
    bool is_there = RVI_CALL(CHILD_FD, syscall(SYS_dup3, fd, (long)target, 0L)) >= 0;
    int saved = errno;
    (void)syscall(SYS_close, fd); /* just opened */
    errno = saved;
    return is_there;
}

static bool place(int source, int target)
{
    if (source == RVI_SPAWN_NULL)
        return open_null_at(target);
    if (source == RVI_SPAWN_AS_IS)
        return true;
    if (source == target)
        return RVI_CALL(CHILD_FD, syscall(SYS_fcntl, (long)target, (long)F_SETFD, 0L)) == 0;
    return RVI_CALL(CHILD_FD, syscall(SYS_dup3, (long)source, (long)target, 0L)) >= 0;
}

static bool set_descriptors(const struct birth *birth)
{
    const struct rvi_spawn *what = birth->what;

    if (!move_sources(birth) || !mark_all())
        return false;
    for (size_t i = 0; i < what->fd_count; i++) {
        if (!place(birth->sources[i], what->fds[i].target))
            return false;
    }
    return true;
}

static bool set_limits(const struct rv_child_opts *opts)
{
    for (size_t i = 0; i < opts->limit_count; i++) {
        const struct rv_child_limit *one = &opts->limits[i];
        if (RVI_CALL(CHILD_LIMIT,
                     syscall(SYS_prlimit64, 0L, (long)one->resource, &one->limit, NULL)) != 0)
            return false;
    }
    return true;
}

/* The bare getpriority() answers 20 less the value, so that it is never negative. */
static bool set_nice(const struct rv_child_opts *opts)
{
    if (opts->nice == 0)
        return true;
    long now = RVI_CALL(CHILD_NICE, syscall(SYS_getpriority, (long)PRIO_PROCESS, 0L));
    return now >= 0 && RVI_CALL(CHILD_NICE, syscall(SYS_setpriority, (long)PRIO_PROCESS, 0L,
                                                    20 - now + opts->nice)) == 0;
}

static bool set_cpus(const struct birth *birth)
{
    return !birth->cpus || RVI_CALL(CHILD_CPUS, syscall(SYS_sched_setaffinity, 0L, birth->cpu_bytes,
                                                        birth->cpus)) == 0;
}

static bool set_identity(const struct rv_child_opts *opts)
{
    if (!opts->as_user)
        return true;
    long gid = (long)opts->gid, uid = (long)opts->uid;
    return RVI_CALL(CHILD_IDENTITY, syscall(SYS_setgroups, opts->group_count, opts->groups)) == 0 &&
           RVI_CALL(CHILD_IDENTITY, syscall(SYS_setresgid, gid, gid, gid)) == 0 &&
           RVI_CALL(CHILD_IDENTITY, syscall(SYS_setresuid, uid, uid, uid)) == 0;
}

/* After the identity, whose change forgets it. A parent that has died before gave no signal. */
static bool set_death_signal(const struct birth *birth)
{
    long number = birth->what->opts->death_signal;

    if (number == 0)
        return true;
    if (RVI_CALL(CHILD_DEATH_SIGNAL,
                 syscall(SYS_prctl, (long)PR_SET_PDEATHSIG, number, 0L, 0L, 0L)) != 0)
        return false;
    if (syscall(SYS_getppid) != birth->parent)                /* cannot fail */
        (void)syscall(SYS_kill, syscall(SYS_getpid), number); /* itself: it may */
    return true;
}

static bool enter_folder(const struct rv_child_opts *opts)
{
    if (opts->set_umask)
        (void)syscall(SYS_umask, (long)opts->umask); /* cannot fail */
    return !opts->folder || RVI_CALL(CHILD_FOLDER, syscall(SYS_chdir, opts->folder)) == 0;
}

static bool stays(const struct kernel_sigaction *action, int number, bool resets_ignored)
{
    return action->handler == SIG_DFL ||
           (action->handler == SIG_IGN && !resets_ignored && number != SIGPIPE);
}

/* The dispositions are the child's own copy. Those of KILL and STOP are never changed. */
static bool reset_signals(const struct rv_child_opts *opts)
{
    const struct kernel_sigaction plain = {.handler = SIG_DFL};
    const uint64_t nothing = 0;
    long bytes = sizeof nothing;

    for (int number = 1; number <= SIGNALS; number++) {
        struct kernel_sigaction now;
        if (RVI_CALL(CHILD_SIGNALS, syscall(SYS_rt_sigaction, (long)number, NULL, &now, bytes)) !=
            0)
            return false;
        if (!stays(&now, number, opts->reset_ignored) &&
            RVI_CALL(CHILD_SIGNALS, syscall(SYS_rt_sigaction, (long)number, &plain, NULL, bytes)) !=
                0)
            return false;
    }
    return RVI_CALL(CHILD_SIGNALS,
                    syscall(SYS_rt_sigprocmask, (long)SIG_SETMASK, &nothing, NULL, bytes)) == 0;
}

/* Up to the program; true: all is ready for it. */
static bool prepare(struct birth *birth)
{
    const struct rv_child_opts *opts = birth->what->opts;
    enum rv_child_step *step = &birth->step;

    return (*step = RV_CHILD_STEP_GROUP, enter_group(opts)) &&
           (*step = RV_CHILD_STEP_DESCRIPTORS, set_descriptors(birth)) &&
           (*step = RV_CHILD_STEP_LIMITS, set_limits(opts)) &&
           (*step = RV_CHILD_STEP_NICE, set_nice(opts)) &&
           (*step = RV_CHILD_STEP_CPUS, set_cpus(birth)) &&
           (*step = RV_CHILD_STEP_IDENTITY, set_identity(opts)) &&
           (*step = RV_CHILD_STEP_PARENT, set_death_signal(birth)) &&
           (*step = RV_CHILD_STEP_FOLDER, enter_folder(opts)) &&
           (*step = RV_CHILD_STEP_SIGNALS, reset_signals(opts)) &&
           (*step = RV_CHILD_STEP_PROGRAM, true);
}

/* Whether the next path is worth a try: what is not there, or lies on what is not there. */
static bool is_elsewhere(int error)
{
    return error == ENOENT || error == ENOTDIR || error == EACCES || error == ENODEV ||
           error == ESTALE || error == ETIMEDOUT;
}

/* P4. The last error counts, but that one was there and could not be run tells more. */
UNWATCHED static int child_main(void *arg)
{
    struct birth *birth = arg;
    const struct rvi_spawn *what = birth->what;
    bool was_refused = false;

    if (prepare(birth)) {
        for (const char *const *path = what->paths; *path; path++) {
            (void)RVI_CALL(CHILD_EXEC, syscall(SYS_execve, *path, what->argv, what->env));
            was_refused |= errno == EACCES;
            if (!is_elsewhere(errno))
                break;
        }
        if (was_refused && is_elsewhere(errno))
            errno = EACCES;
    }
    birth->error = errno;
    return NOT_RUN;
}

/* --- in the parent --- */

/* Another identity makes the memory that the child borrows unfit for core dumps and debuggers; we
 * have it back, so it is as before. */
static int dumpable_now(const struct rv_child_opts *opts)
{
    return opts->as_user ? RVI_CALL(ASK_DUMPABLE, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)) : 0;
}

static void restore_dumpable(int before)
{
    if (before == 1)
        (void)RVI_CALL(SET_DUMPABLE, prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

/* All of them, those that the C library keeps for itself too: P2. */
static void block_all(uint64_t *ret_old)
{
    const uint64_t all = ~(uint64_t)0;

    (void)syscall(SYS_rt_sigprocmask, (long)SIG_SETMASK, &all, ret_old, (long)sizeof all);
}

static void unblock(const uint64_t *old)
{
    (void)syscall(SYS_rt_sigprocmask, (long)SIG_SETMASK, old, NULL, (long)sizeof *old);
}

static int give_birth(struct birth *birth, char *stack, pid_t *ret_pid, int *ret_pidfd)
{
    int dumpable = dumpable_now(birth->what->opts);
    uint64_t mask;

    block_all(&mask);
    pid_t pid =
        RVI_CALL(CLONE_CHILD, clone(child_main, stack + STACK_BYTES,
                                    CLONE_VM | CLONE_VFORK | CLONE_PIDFD, birth, ret_pidfd));
    int error = errno;
    unblock(&mask);
    restore_dumpable(dumpable);
    *ret_pid = pid;
    return pid < 0 ? -error : 0;
}

/* It has told why, and ends. */
static void bury(int pidfd)
{
    struct rv_child_status status;

    rvi_spawn_end(pidfd, false, true, &status);
    (void)RVI_CALL(CLOSE, close(pidfd));
}

static int spawn_with(struct birth *birth, char *stack, pid_t *ret_pid, int *ret_pidfd)
{
    int pidfd;
    int r = give_birth(birth, stack, ret_pid, &pidfd);

    if (r < 0)
        return r;
    if (birth->error) {
        bury(pidfd);
        return -birth->error;
    }
    *ret_pidfd = pidfd;
    return 0;
}

/* One that the kernel cannot have is refused here: it would take it for none. */
static int make_cpus(struct birth *birth, const struct rv_child_opts *opts)
{
    int highest = 0;

    if (!opts->cpus)
        return 0;
    for (size_t i = 0; i < opts->cpu_count; i++) {
        if (opts->cpus[i] < 0 || opts->cpus[i] >= MOST_CPUS)
            return -EINVAL;
        highest = opts->cpus[i] > highest ? opts->cpus[i] : highest;
    }
    birth->cpu_bytes = CPU_ALLOC_SIZE(highest + 1);
    birth->cpus = rvi_calloc(1, birth->cpu_bytes);
    for (size_t i = 0; birth->cpus && i < opts->cpu_count; i++)
        CPU_SET_S(opts->cpus[i], birth->cpu_bytes, birth->cpus);
    return birth->cpus ? 0 : -ENOMEM;
}

int rvi_spawn(const struct rvi_spawn *what, pid_t *ret_pid, int *ret_pidfd,
              enum rv_child_step *ret_step)
{
    struct birth birth = {.what = what, .parent = getpid(), .step = RV_CHILD_STEP_PREPARE};
    char *stack = rvi_alloc(STACK_BYTES);
    int r = make_cpus(&birth, what->opts);

    birth.sources = rvi_calloc(what->fd_count, sizeof *birth.sources);
    if (r == 0 && (!stack || !birth.sources))
        r = -ENOMEM;
    if (r == 0) {
        birth.step = RV_CHILD_STEP_PROCESS;
        r = spawn_with(&birth, stack, ret_pid, ret_pidfd);
    }
    *ret_step = r < 0 ? birth.step : RV_CHILD_STEP_NONE;
    rvi_free(birth.sources);
    rvi_free(birth.cpus);
    rvi_free(stack);
    return r;
}

/* --- afterwards --- */

static void describe_end(const siginfo_t *info, struct rv_child_status *ret)
{
    bool has_exited = info->si_code == CLD_EXITED;

    ret->kind = has_exited ? RV_CHILD_EXITED : RV_CHILD_KILLED;
    ret->code = has_exited ? info->si_status : 0;
    ret->signal = has_exited ? 0 : info->si_status;
    ret->dumped = info->si_code == CLD_DUMPED;
}

/* Bare, as the C library's waitid() has no place for what was used. */
int rvi_spawn_end(int pidfd, bool keeps, bool waits, struct rv_child_status *ret)
{
    siginfo_t info = {.si_pid = 0};
    long flags = WEXITED | __WALL | (keeps ? WNOWAIT : 0) | (waits ? 0 : WNOHANG);
    long r;

    do
        r = RVI_CALL(WAIT_CHILD,
                     syscall(SYS_waitid, (long)P_PIDFD, (long)pidfd, &info, flags, &ret->usage));
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return -errno;
    if (info.si_pid == 0)
        return -EAGAIN;
    describe_end(&info, ret);
    return 0;
}

int rvi_spawn_kill(int pidfd, int signal)
{
    long r =
        RVI_CALL(KILL_CHILD, syscall(SYS_pidfd_send_signal, (long)pidfd, (long)signal, NULL, 0L));

    return r < 0 ? -errno : 0;
}

int rvi_spawn_kill_group(pid_t leader, int signal)
{
    return RVI_CALL(KILL_CHILD, kill(-leader, signal)) < 0 ? -errno : 0;
}
