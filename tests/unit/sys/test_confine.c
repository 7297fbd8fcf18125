/* SPDX-License-Identifier: MIT */
/* test_confine.c - what a confined process can still do, and what it can do no more. Each test
 * confines a child of its own, which tells by its exit status which check has failed. */
#include "sys/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ravel.h>

#include "sys/call.h"
#include "sys_test.h"

/* _exit, as what sanitizers do at exit is none of computing. */
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            _exit((int)(__LINE__ % 250) + 1);                                                      \
    } while (0)

enum { UNSUPPORTED = 255 };

static int in_child(void (*fn)(void))
{
    int status;
    pid_t child = fork();
    RV_CHECK(child >= 0);
    if (child == 0) {
        fn();
        _exit(0);
    }
    RV_CHECK(waitpid(child, &status, 0) == child);
    return status;
}

static void check_child(void (*fn)(void))
{
    if (is_under_valgrind() || is_under_qemu())
        skip(); /* what emulates a kernel asks the real one for more */
    int status = in_child(fn);
    if (WIFEXITED(status) && WEXITSTATUS(status) == UNSUPPORTED)
        skip();
    if (status != 0)
        fail_msg("status %x: the check in line %d (modulo 250)", (unsigned)status,
                 WEXITSTATUS(status) - 1);
}

static void compute_only(void)
{
    int r = rvi_confine_to_computing();
    if (r == -EOPNOTSUPP)
        _exit(UNSUPPORTED);
    EXPECT(r == 0);
}

static bool is_refused(long result)
{
    return result < 0 && errno == EPERM;
}

static void try_what_is_not_computing(void)
{
    struct rlimit limit;
    compute_only();
    EXPECT(is_refused(open("/dev/null", O_RDONLY)));
    EXPECT(is_refused(open("/dev/shm/x", O_CREAT | O_RDWR, 0600)));
    EXPECT(is_refused(access("/", F_OK)));
    EXPECT(is_refused(socket(AF_INET, SOCK_STREAM, 0)));
    EXPECT(is_refused(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)));
    EXPECT(is_refused(execl("/bin/true", "true", (char *)NULL)));
    EXPECT(is_refused(kill(getppid(), 0)));
    EXPECT(is_refused(kill(1, 0)));
    EXPECT(is_refused(fcntl(0, F_SETOWN, getppid())));
    EXPECT(is_refused(prlimit(getppid(), RLIMIT_CORE, NULL, &limit)));
    EXPECT(is_refused(prctl(PR_SET_DUMPABLE, 1)));
    EXPECT(is_refused(syscall(SYS_ptrace, 0, 0, 0, 0)));
    EXPECT(is_refused(syscall(SYS_io_uring_setup, 1, NULL)));
    EXPECT(is_refused(syscall(SYS_bpf, 0, NULL, 0)));
    EXPECT(is_refused(syscall(SYS_pidfd_open, getppid(), 0)));
    EXPECT(is_refused(ioctl(0, TIOCSTI, "x")));
}

static void what_is_not_computing_is_refused(void **state)
{
    (void)state;
    check_child(try_what_is_not_computing);
}

static void *pass_on(void *arg)
{
    return arg;
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int three_tasks(void *arg)
{
    rv_scope *scope;
    int r = rv_scope_open(&scope, NULL);

    (void)arg;
    for (int i = 0; i < 3 && r == 0; i++)
        r = rv_go(scope, do_nothing, NULL);
    EXPECT(r == 0 && rv_sleep(RV_MILLISECOND) == 0);
    return rv_scope_close(scope);
}

static void compute(void)
{
    struct rlimit limit;
    struct stat status;
    pthread_t thread;
    void *result;
    int ends[2];
    char byte;
    compute_only();
    char *memory = malloc(10 << 20);
    EXPECT(memory);
    memset(memory, 1, 10 << 20);
    free(memory);
    EXPECT(pthread_create(&thread, NULL, pass_on, ends) == 0);
    EXPECT(pthread_join(thread, &result) == 0 && result == ends);
    EXPECT(pipe2(ends, O_CLOEXEC) == 0 && write(ends[1], "x", 1) == 1);
    EXPECT(read(ends[0], &byte, 1) == 1 && fstat(ends[0], &status) == 0);
    EXPECT(getrlimit(RLIMIT_CORE, &limit) == 0);
    EXPECT(fprintf(stdout, "%s", "") == 0 && fflush(stdout) == 0);
    EXPECT(isatty(0) >= 0 && time(NULL) > 0);
    EXPECT(signal(SIGUSR1, SIG_IGN) == SIG_DFL && raise(SIGUSR1) == 0 && kill(getpid(), 0) == 0);
}

static void computing_goes_on(void **state)
{
    (void)state;
    check_child(compute);
}

static void compute_in_tasks(void)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 2};
    rvi_stack_note_thread();
    compute_only();
    EXPECT(rv_run(three_tasks, NULL, &opts) == 0);
}

static void a_runtime_runs_in_a_confined_process(void **state)
{
    (void)state;
    check_child(compute_in_tasks);
}

static void *try_to_open(void *arg)
{
    int *ends = arg;
    char byte;
    EXPECT(read(ends[0], &byte, 1) == 1);
    return is_refused(open("/dev/null", O_RDONLY)) ? arg : NULL;
}

static void confine_beside_a_thread(void)
{
    pthread_t thread;
    void *result;
    int ends[2];
    EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    EXPECT(pthread_create(&thread, NULL, try_to_open, ends) == 0);
    compute_only();
    EXPECT(write(ends[1], "x", 1) == 1);
    EXPECT(pthread_join(thread, &result) == 0 && result);
}

static void threads_that_run_already_are_confined_too(void **state)
{
    (void)state;
    check_child(confine_beside_a_thread);
}

#if defined(__x86_64__)
static void call_of_another_table(void)
{
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    compute_only();
    long number = 20; /* getpid(2) of 32 bits */
    __asm__ volatile("int $0x80" : "+a"(number)::"memory");
}

static void a_call_by_another_cpus_table_kills(void **state)
{
    (void)state;
    if (is_under_a_tool())
        skip();
    int status = in_child(call_of_another_table);
    if (WIFEXITED(status) && WEXITSTATUS(status) == UNSUPPORTED)
        skip();
    /* Where the kernel has no such table it is a fault instead. */
    assert_true(WIFSIGNALED(status) && (WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGSEGV));
}
#endif

static bool is_denied(long result)
{
    return result < 0 && errno == EACCES;
}

static void read_only(void)
{
    int r = rvi_confine_to_reading();
    if (r == -EOPNOTSUPP)
        _exit(UNSUPPORTED);
    EXPECT(r == 0);
}

static void read_and_try_more(void)
{
    char folder[] = "/tmp/ravel-confine-XXXXXX", path[64], byte;
    EXPECT(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/x", folder);
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    EXPECT(fd >= 0);
    pid_t cleaner = fork();
    if (cleaner > 0) { /* who may still remove it afterwards */
        int status;
        waitpid(cleaner, &status, 0);
        unlink(path);
        rmdir(folder);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 254);
    }
    read_only();
    int source = open("/proc/self/exe", O_RDONLY);
    EXPECT(source >= 0 && read(source, &byte, 1) == 1);
    EXPECT(write(fd, "x", 1) == 1); /* it was open */
    EXPECT(is_denied(open(path, O_WRONLY)));
    EXPECT(is_denied(mkdir("/tmp/ravel-confine-y", 0700)));
    EXPECT(is_denied(unlink(path)));
    EXPECT(is_denied(rename(path, "/tmp/ravel-confine-y")));
    EXPECT(is_denied(execl("/bin/true", "true", (char *)NULL)));
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    EXPECT(child > 0 && waitpid(child, NULL, 0) == child);
}

static void files_are_read_and_not_changed(void **state)
{
    (void)state;
    check_child(read_and_try_more);
}

static void what_the_kernel_has_not_is_an_error(void **state)
{
    (void)state;
    if (RVI_DEBUG_CHECKS < 1)
        skip();
    for (unsigned variant = 0; variant < RVI_CALL_VARIANTS; variant++) {
        int expected = variant < 2 ? -EOPNOTSUPP : -ENOMEM;
        rvi_call_fail_after(1, variant, true);
        assert_int_equal(rvi_confine_to_reading(), expected);
        rvi_call_fail_after(variant == 0 ? 2 : 1, variant, true); /* the filter's own */
        assert_int_equal(rvi_confine_to_computing(), expected);
    }
    rvi_call_fail_after(1, 0, true);
    assert_int_equal(rvi_confine_to_computing(), -EOPNOTSUPP);
    rvi_call_fail_after(-1, 0, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_computing_is_refused),
        cmocka_unit_test(computing_goes_on),
        cmocka_unit_test(a_runtime_runs_in_a_confined_process),
        cmocka_unit_test(threads_that_run_already_are_confined_too),
#if defined(__x86_64__)
        cmocka_unit_test(a_call_by_another_cpus_table_kills),
#endif
        cmocka_unit_test(files_are_read_and_not_changed),
        cmocka_unit_test(what_the_kernel_has_not_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
