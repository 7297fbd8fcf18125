/* SPDX-License-Identifier: MIT */
/* test_process.c - a live process that ends while it is looked at, before each read in turn. */
#include "look/target.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <ravel/run.h>

#include "../../support/under_tool.h"
#include "base/check.h"

/* Whom it meets, before which read from now on, and whether nobody has buried it yet. */
static struct {
    pid_t pid;
    long reads;
    bool is_zombie;
} doomed;

static void end_the_doomed(void)
{
    siginfo_t info;

    kill(doomed.pid, SIGKILL);
    RV_CHECK(waitid(P_PID, (id_t)doomed.pid, &info, WEXITED | WNOWAIT) == 0);
    if (!doomed.is_zombie)
        RV_CHECK(waitpid(doomed.pid, NULL, 0) == doomed.pid);
}

/* In place of libc's, for all of this program. */
ssize_t process_vm_readv(pid_t pid, const struct iovec *here, unsigned long here_count,
                         const struct iovec *there, unsigned long there_count, unsigned long flags)
{
    if (pid == doomed.pid && doomed.reads-- == 0)
        end_the_doomed();
    return syscall(SYS_process_vm_readv, pid, here, here_count, there, there_count, flags);
}

__attribute__((noreturn)) static int stay(void *arg)
{
    (void)arg;
    while (true)
        pause();
}

/* This program once more; there is a Ravel in it as it has a use for one. */
static void start_one(long reads, bool is_zombie)
{
    doomed.pid = fork();
    RV_CHECK(doomed.pid >= 0);
    if (doomed.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(rv_run(stay, NULL, NULL));
    }
    doomed.reads = reads;
    doomed.is_zombie = is_zombie;
}

/* True: it was there until it was opened. It is opened also when it ends after all was found. */
static bool open_one(void)
{
    struct look_target *target;
    struct look_trouble trouble;
    int r = look_open_process(&target, doomed.pid, &trouble);
    bool was_there = doomed.reads >= 0;

    if (r == 0)
        look_close(target);
    if (was_there || doomed.is_zombie) {
        kill(doomed.pid, SIGKILL);
        RV_CHECK(waitpid(doomed.pid, NULL, 0) == doomed.pid);
    }
    if (r == -EPERM || r == -ENOSYS)
        skip(); /* nobody may be looked at here */
    if (r != 0 || was_there)
        assert_int_equal(r, was_there ? 0 : -ESRCH);
    if (r != 0)
        assert_non_null(strstr(trouble.text, "there is no process"));
    return was_there;
}

static void regress_one_that_ends_meanwhile_is_not_said_to_have_no_ravel(void **state)
{
    long reads = 0;

    (void)state;
    if (is_under_valgrind())
        skip(); /* what lies in its memory is valgrind, too */
    for (; start_one(reads, false), !open_one(); reads++) {
        start_one(reads, true);
        assert_false(open_one());
    }
    assert_true(reads > 3); /* a module, its segments, a note, the layout */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regress_one_that_ends_meanwhile_is_not_said_to_have_no_ravel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
