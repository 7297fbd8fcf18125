/* SPDX-License-Identifier: MIT */
/* confine.c - seccomp(2) and landlock(7), asked for by bare system calls.
 *
 * Computing: an allow-list. What is on it moves bytes between memory and what is open already, asks
 * for memory and time, or concerns threads and signals of this process. What makes something new,
 * or takes a name, or reaches another process, is not. Some calls are on it for some of their
 * arguments:
 *
 *   clone       for threads alone; clone3, whose arguments a filter cannot see, is said not to
 *               exist, upon which the C library uses clone
 *   kill, tgkill to this process and its group
 *   process_vm_readv of this process, for the report of a crash
 *   fcntl       but for what would send signals (F_SETOWN, F_SETSIG) or locks out others
 *   ioctl       what says whether a descriptor is a terminal, and how many bytes wait
 *   newfstatat  of what is open, as fstat() is made in these days
 *
 * The filter is for all threads at once. A call outside fails with EPERM rather than killing: jobs
 * use libraries that can do without (a locale, a cache), and an error names what was wanted. What a
 * sanitizer does at exit to look for leaks (it traces the process) is not on the list.
 *
 * Reading: Landlock handles what changes files and does not handle what reads them; there are no
 * rules that would except anything. It holds for the calling thread and its offspring, and before
 * 7.0 cannot be had for others, so these must not be there.
 *
 * Rejected: libseccomp, for a list; namespaces, which want privileges in many places.
 *
 * Checked by: tests/unit/sys/test_confine.c */
#include "sys/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/call.h"

#if defined(__x86_64__)
#define OUR_TABLE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_TABLE AUDIT_ARCH_AARCH64
#endif

/* The C library's headers may be older than the kernel. */
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* A kernel without it, a filter around us that knows nothing of it: it is not to be had. */
static int unavailable(int error)
{
    return error == ENOMEM ? -ENOMEM : -EOPNOTSUPP;
}

static int forbid_privileges(void)
{
    return RVI_CALL(FORBID_PRIVILEGES, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) < 0
               ? unavailable(errno)
               : 0;
}

/* --- computing --- */

static const unsigned short allowed[] = {
    /* bytes, of what is open */
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_preadv,
    SYS_pwritev,
    SYS_preadv2,
    SYS_pwritev2,
    SYS_lseek,
    SYS_fstat,
    SYS_close,
    SYS_close_range,
    SYS_dup,
    SYS_dup3,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_fsync,
    SYS_fdatasync,
    SYS_fadvise64,
    SYS_sendfile,
    SYS_splice,
    SYS_copy_file_range,
    SYS_sendto,
    SYS_sendmsg,
    SYS_sendmmsg,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_recvmmsg,
    SYS_shutdown,
    SYS_getsockopt,
    SYS_getsockname,
    SYS_getpeername,
    /* waiting, and what is waited for inside a process */
    SYS_ppoll,
    SYS_pselect6,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_epoll_pwait2,
    SYS_eventfd2,
    SYS_pipe2,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
    SYS_signalfd4,
    SYS_wait4,
    SYS_waitid,
    /* memory */
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_mincore,
    SYS_msync,
    SYS_mlock,
    SYS_mlock2,
    SYS_munlock,
    SYS_mlockall,
    SYS_munlockall,
    SYS_memfd_create,
    SYS_get_mempolicy,
    SYS_set_mempolicy,
    SYS_mbind,
    /* threads */
    SYS_futex,
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_set_tid_address,
    SYS_rseq,
    SYS_membarrier,
    SYS_gettid,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_getcpu,
    SYS_exit,
    /* signals */
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigpending,
    SYS_rt_sigsuspend,
    SYS_rt_sigtimedwait,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_setitimer,
    SYS_getitimer,
    SYS_timer_create,
    SYS_timer_settime,
    SYS_timer_gettime,
    SYS_timer_getoverrun,
    SYS_timer_delete,
    /* time, and what one may know of oneself */
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_times,
    SYS_getrandom,
    SYS_getpid,
    SYS_getppid,
    SYS_getpgid,
    SYS_getsid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getgroups,
    SYS_getresuid,
    SYS_getresgid,
    SYS_getrusage,
    SYS_sysinfo,
    SYS_uname,
    SYS_exit_group,
#if defined(__x86_64__)
    /* older names of the same */
    SYS_poll,
    SYS_select,
    SYS_epoll_create,
    SYS_epoll_wait,
    SYS_eventfd,
    SYS_pipe,
    SYS_dup2,
    SYS_pause,
    SYS_alarm,
    SYS_time,
    SYS_getpgrp,
    SYS_arch_prctl,
    SYS_getrlimit,
#endif
};

static const unsigned allowed_fcntls[] = {F_DUPFD,      F_DUPFD_CLOEXEC, F_GETFD,
                                          F_SETFD,      F_GETFL,         F_SETFL,
                                          F_GETPIPE_SZ, F_ADD_SEALS,     F_GET_SEALS};
static const unsigned allowed_ioctls[] = {TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO};
static const unsigned allowed_prctls[] = {PR_SET_NAME,       PR_GET_NAME,     PR_GET_TIMERSLACK,
                                          PR_SET_TIMERSLACK, PR_GET_DUMPABLE, PR_SET_VMA};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct program {
    struct sock_filter code[2 * COUNT(allowed) + 96];
    unsigned short count;
};

static void add(struct program *program, unsigned short code, unsigned value, unsigned char if_so,
                unsigned char if_not)
{
    program->code[program->count++] = (struct sock_filter){code, if_so, if_not, value};
}

static void load(struct program *program, size_t offset)
{
    add(program, BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0, 0);
}

/* The lower half, on CPUs whose lower bytes come first; the kernel ignores the upper one of
 * ints. */
static void load_argument(struct program *program, unsigned which)
{
    load(program, offsetof(struct seccomp_data, args) + which * sizeof(uint64_t));
}

static void end(struct program *program, unsigned verdict)
{
    add(program, BPF_RET | BPF_K, verdict, 0, 0);
}

/* What is loaded is this: allowed. */
static void allow_value(struct program *program, unsigned value)
{
    add(program, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    end(program, SECCOMP_RET_ALLOW);
}

/* A call is allowed for some values of an argument, otherwise it fails. */
static void allow_for(struct program *program, unsigned call, unsigned which,
                      const unsigned *values, unsigned char count)
{
    add(program, BPF_JMP | BPF_JEQ | BPF_K, call, 0, (unsigned char)(2 * count + 2));
    load_argument(program, which);
    for (unsigned i = 0; i < count; i++)
        allow_value(program, values[i]);
    end(program, SECCOMP_RET_ERRNO | EPERM);
}

static void allow_threads(struct program *program)
{
    add(program, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4);
    load_argument(program, 0);
    add(program, BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1);
    end(program, SECCOMP_RET_ALLOW);
    end(program, SECCOMP_RET_ERRNO | EPERM);
    add(program, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
    end(program, SECCOMP_RET_ERRNO | ENOSYS);
}

static void make_program(struct program *program)
{
    const unsigned self = (unsigned)getpid(), own[] = {self, -self, 0}, empty_path = AT_EMPTY_PATH;

    program->count = 0;
    load(program, offsetof(struct seccomp_data, arch));
    add(program, BPF_JMP | BPF_JEQ | BPF_K, OUR_TABLE, 1, 0);
    end(program, SECCOMP_RET_KILL_PROCESS);
    load(program, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT(allowed); i++)
        allow_value(program, allowed[i]);
    allow_threads(program);
    allow_for(program, SYS_kill, 0, own, COUNT(own));
    allow_for(program, SYS_tgkill, 0, own, 1);
    allow_for(program, SYS_prlimit64, 0, own + 2, 1);
    allow_for(program, SYS_process_vm_readv, 0, own, 1);
    allow_for(program, SYS_newfstatat, 3, &empty_path, 1);
    allow_for(program, SYS_fcntl, 1, allowed_fcntls, COUNT(allowed_fcntls));
    allow_for(program, SYS_ioctl, 1, allowed_ioctls, COUNT(allowed_ioctls));
    allow_for(program, SYS_prctl, 0, allowed_prctls, COUNT(allowed_prctls));
    end(program, SECCOMP_RET_ERRNO | EPERM);
}

/* With SECCOMP_FILTER_FLAG_TSYNC a thread that could not be given the filter is the result. */
int rvi_confine_to_computing(void)
{
    struct program program;
    struct sock_fprog filter = {.filter = program.code};
    int r = forbid_privileges();

    if (r < 0)
        return r;
    make_program(&program);
    filter.len = program.count;
    long done = RVI_CALL(FILTER_CALLS, syscall(SYS_seccomp, (long)SECCOMP_SET_MODE_FILTER,
                                               (long)SECCOMP_FILTER_FLAG_TSYNC, &filter));
    return done == 0 ? 0 : unavailable(done < 0 ? errno : ESRCH);
}

/* --- reading --- */

/* As the kernel has it, whatever our headers know. */
struct ruleset {
    uint64_t files, net, scoped;
};

enum {
    VERSION = 1,           /* LANDLOCK_CREATE_RULESET_VERSION */
    ALL_THREADS = 1 << 3,  /* LANDLOCK_RESTRICT_SELF_TSYNC */
    ALL_THREADS_SINCE = 8, /* version */
    READ_FILE = 1 << 2,    /* LANDLOCK_ACCESS_FS_... */
    READ_FOLDER = 1 << 3,
    BIND_AND_CONNECT = 3,   /* LANDLOCK_ACCESS_NET_BIND_TCP, _CONNECT_TCP */
    SOCKETS_AND_SIGNALS = 3 /* LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, _SIGNAL */
};

/* What each version knows of files: its bits, all lower ones included. */
static uint64_t file_rights(long version)
{
    int bits = version >= 5 ? 16 : version >= 3 ? 15 : version == 2 ? 14 : 13;

    return ((uint64_t)1 << bits) - 1;
}

/* Fields that are zero may be of any version. */
static struct ruleset rules_of(long version)
{
    return (struct ruleset){
        .files = file_rights(version) & ~(uint64_t)(READ_FILE | READ_FOLDER),
        .net = version >= 4 ? BIND_AND_CONNECT : 0,
        .scoped = version >= 6 ? SOCKETS_AND_SIGNALS : 0,
    };
}

/* Each thread is a folder there, and links back. Where it cannot be told there are many. */
static bool is_only_thread(void)
{
    struct stat tasks;

    return stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink == 3;
}

static int enter(long version)
{
    struct ruleset rules = rules_of(version);
    long flags = version >= ALL_THREADS_SINCE ? ALL_THREADS : 0;
    long set =
        RVI_CALL(FILTER_FILES, syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0L));

    if (set < 0)
        return unavailable(errno);
    long done = RVI_CALL(FILTER_FILES, syscall(SYS_landlock_restrict_self, set, flags));
    int error = errno;
    (void)RVI_CALL(CLOSE, close((int)set));
    return done < 0 ? unavailable(error) : 0;
}

int rvi_confine_to_reading(void)
{
    long version =
        RVI_CALL(FILTER_FILES, syscall(SYS_landlock_create_ruleset, NULL, 0L, (long)VERSION));

    if (version < 0)
        return unavailable(errno);
    if (version < ALL_THREADS_SINCE && !is_only_thread())
        return -EOPNOTSUPP;
    int r = forbid_privileges();
    return r < 0 ? r : enter(version);
}
