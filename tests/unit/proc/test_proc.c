/* SPDX-License-Identifier: MIT */
/* test_proc.c - worker processes: how they start and what they get, what they refuse, how they end.
 * This program is its own worker: the roles below are what its workers do. */
#include "proc/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ravel.h>

#include "../sched/sched_test.h"
#include "proc/identity.h"

#define SOON rv_after(30 * RV_SECOND)

/* --- roles --- */

static void heard_nothing(void *arg, const void *bytes, size_t count, const int *fds,
                          size_t fd_count)
{
    (void)arg, (void)bytes, (void)count, (void)fds, (void)fd_count;
}

static void say(const struct rvi_proc_self *self, const char *text)
{
    RV_CHECK(rv_send_fds(self->control, text, strlen(text) + 1, NULL, 0, SOON) > 0);
}

/* Says what it was told, with the descriptors that it was given. */
static int repeat(const struct rvi_proc_self *self)
{
    RV_CHECK(rv_send_fds(self->control, self->hello, self->hello_bytes, self->fds, self->fd_count,
                         SOON) > 0);
    return 7;
}

static int list_descriptors(const struct rvi_proc_self *self)
{
    char text[256] = "";

    for (int fd = 0; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%d%s ", fd,
                     flags & FD_CLOEXEC ? "c" : "");
    }
    say(self, text);
    return 0;
}

static int wait_for_end(const struct rvi_proc_self *self)
{
    RV_CHECK(rvi_proc_listen(self, 64, heard_nothing, NULL) == 0);
    say(self, "waits");
    for (;;)
        pause();
}

static struct rvi_role roles[] = {
    {.name = "repeat", .run = repeat},
    {.name = "list descriptors", .run = list_descriptors},
    {.name = "wait for end", .run = wait_for_end},
};

__attribute__((constructor)) static void register_roles(void)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        rvi_role_register(&roles[i]);
}

/* --- the parent's side --- */

static struct rvi_proc start(const char *role, const struct rv_process_opts *opts)
{
    struct rvi_proc_start what = {.role = role, .opts = opts};
    struct rv_child_failure failure;
    struct rvi_proc proc;
    int r = rvi_proc_start(&proc, &what, &failure);

    if (r < 0)
        fail_msg("%s", failure.text);
    return proc;
}

static int answer_of(struct rvi_proc *proc)
{
    RV_CHECK(rv_poll(proc->control, POLLIN, SOON) > 0);
    return rvi_proc_take_answer(proc);
}

static void hear(struct rvi_proc *proc, char *text, size_t room)
{
    size_t count;

    RV_CHECK(rv_recv_fds(proc->control, text, room, NULL, 0, &count, SOON) > 0);
}

static void a_worker_gets_its_hello_and_descriptors(void **state)
{
    int pipe_fds[2], fds[2];
    struct rvi_proc_start what = {
        .role = "repeat", .hello = "hello", .hello_bytes = 6, .fds = pipe_fds, .fd_count = 2};
    struct rv_child_status status;
    struct rvi_proc proc;
    char text[16];
    size_t count;
    (void)state;
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    assert_int_equal(rvi_proc_start(&proc, &what, NULL), 0);
    assert_int_equal(answer_of(&proc), 0);
    assert_int_equal(rv_recv_fds(proc.control, text, sizeof text, fds, 2, &count, SOON), 6);
    assert_string_equal(text, "hello");
    assert_int_equal(count, 2);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(read(pipe_fds[0], text, 1), 1);
    assert_int_equal(rvi_proc_end(&proc, true, &status), 0);
    assert_int_equal(status.kind, RV_CHILD_EXITED);
    assert_int_equal(status.code, 7);
    rvi_proc_fini(&proc);
    for (int i = 0; i < 2; i++) {
        close(fds[i]);
        close(pipe_fds[i]);
    }
}

static void a_worker_has_the_descriptors_that_were_declared_and_no_other(void **state)
{
    const struct rv_child_fd declared[] = {{.fd = 2, .child_fd = 3}, {.fd = 1, .child_fd = 9}};
    struct rv_process_opts opts = {.size = sizeof opts, .fds = declared, .fd_count = 2};
    struct rvi_proc proc = start("list descriptors", &opts);
    char text[256];
    (void)state;
    assert_int_equal(answer_of(&proc), 0);
    hear(&proc, text, sizeof text);
    assert_string_equal(text, "0 1 2 3 4c 5c 6c 7c 9 ");
    rvi_proc_fini(&proc);
}

static void a_worker_of_another_build_refuses(void **state)
{
    (void)state;
    rvi_identity_forge(true);
    struct rvi_proc proc = start("wait for end", NULL);
    rvi_identity_forge(false);
    assert_int_equal(answer_of(&proc), -ESTALE);
    assert_non_null(strstr(proc.refusal, "another build"));
    rvi_proc_fini(&proc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_gets_its_hello_and_descriptors),
        cmocka_unit_test(a_worker_has_the_descriptors_that_were_declared_and_no_other),
        cmocka_unit_test(a_worker_of_another_build_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
