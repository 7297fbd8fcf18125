/* SPDX-License-Identifier: MIT */
/* test_proc.c - worker processes: how they start and what they get, what they refuse, how they end.
 * This program is its own worker: the roles below are what its workers do. */
#include "proc/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ravel.h>

#include "../sched/sched_test.h"
#include "proc/identity.h"
#include "sys/cpu.h"

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

/* Those that what it starts would have; the room's own are closed then. */
static int list_descriptors(const struct rvi_proc_self *self)
{
    char text[256] = "";

    for (int fd = 0; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0 && !(flags & FD_CLOEXEC))
            snprintf(text + strlen(text), sizeof text - strlen(text), "%d ", fd);
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

static int describe(const struct rvi_proc_self *self)
{
    struct rlimit files;
    cpu_set_t cpus;
    sigset_t blocked;
    char text[512], folder[128], line[64] = "";
    int ignored = 0;
    ssize_t read_of_input = read(0, text, 1);
    FILE *file = fopen("/proc/self/comm", "re");

    RV_CHECK(file && fgets(line, sizeof line, file) && fclose(file) == 0);
    line[strcspn(line, "\n")] = '\0';
    getrlimit(RLIMIT_NOFILE, &files);
    sched_getaffinity(0, sizeof cpus, &cpus);
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (int number = 1; number < 32; number++) {
        struct sigaction now;
        ignored += sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
        RV_CHECK(sigismember(&blocked, number) == 0);
    }
    snprintf(text, sizeof text,
             "%s nice %d files %ld cpus %d folder %s X %s HOME %d ignored %d leads %d input %zd "
             "marked %d role %s",
             line, getpriority(PRIO_PROCESS, 0), (long)files.rlim_cur, CPU_COUNT(&cpus),
             getcwd(folder, sizeof folder), getenv("X"), getenv("HOME") != NULL, ignored,
             getpgrp() == getpid(), read_of_input, getenv("RAVEL_WORKER") != NULL, self->role);
    say(self, text);
    return 0;
}

static int try_to_open(const struct rvi_proc_self *self)
{
    int fd = open("/dev/null", O_RDWR);
    RV_CHECK(rvi_proc_listen(self, 64, heard_nothing, NULL) == 0);
    say(self, fd >= 0 ? "opened" : strerrorname_np(errno));
    _exit(0); /* what sanitizers do at exit is none of computing */
}

/* Leaves somebody behind, who loops; then stops. */
static int stop_beside_a_child(const struct rvi_proc_self *self)
{
    pid_t child = fork();
    if (child == 0) {
        for (;;)
            rvi_cpu_relax();
    }
    char text[32];
    snprintf(text, sizeof text, "%d", child);
    say(self, text);
    raise(SIGSTOP);
    return 0;
}

/* The kernel's way is taken away: only the control thread is left to notice. */
static int loop_without_a_life(const struct rvi_proc_self *self)
{
    RV_CHECK(rvi_proc_listen(self, 64, heard_nothing, NULL) == 0);
    RV_CHECK(fcntl(self->control + 1, F_SETFL, 0) == 0); /* no O_ASYNC any more */
    say(self, "loops");
    for (;;)
        rvi_cpu_relax();
}

static void repeat_message(void *arg, const void *bytes, size_t count, const int *fds,
                           size_t fd_count)
{
    const struct rvi_proc_self *self = arg;
    RV_CHECK(rv_send_fds(self->control, bytes, count, fds, fd_count, SOON) > 0);
    for (size_t i = 0; i < fd_count; i++)
        RV_CHECK(close(fds[i]) == 0);
}

static int repeat_messages(const struct rvi_proc_self *self)
{
    static struct rvi_proc_self known;
    known = *self;
    RV_CHECK(rvi_proc_listen(self, 64, repeat_message, &known) == 0);
    for (;;)
        pause();
}

static int close_everything(const struct rvi_proc_self *self)
{
    RV_CHECK(rvi_proc_listen(self, 64, heard_nothing, NULL) == 0);
    say(self, "closes");
    close_range(0, ~0u, 0);
    for (;;)
        pause();
}

static struct rvi_role roles[] = {
    {.name = "describe", .run = describe},
    {.name = "try to open", .run = try_to_open},
    {.name = "stop beside a child", .run = stop_beside_a_child},
    {.name = "loop without a life", .run = loop_without_a_life},
    {.name = "repeat messages", .run = repeat_messages},
    {.name = "close everything", .run = close_everything},
    {.name = "repeat", .run = repeat},
    {.name = "list descriptors", .run = list_descriptors},
    {.name = "wait for end", .run = wait_for_end},
};

__attribute__((constructor)) static void register_roles(void)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        rvi_role_register(&roles[i]);
}

/* In a worker, before it has a role: as the environment says. */
__attribute__((constructor)) static void misbehave(void)
{
    const char *how = getenv("CONSTRUCTORS");

    if (how && strcmp(how, "talk") == 0)
        dprintf(2, "constructed\n");
    if (how && strcmp(how, "exit") == 0)
        _exit(5);
    if (how && strcmp(how, "loop") == 0) {
        for (;;)
            pause();
    }
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
    assert_string_equal(text, "0 1 2 3 9 ");
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

static void builds_can_be_told_apart_by_one_word(void **state)
{
    char own[RVI_BUILD_BYTES], again[RVI_BUILD_BYTES], other[RVI_BUILD_BYTES];

    (void)state;
    rvi_identity_build(own);
    rvi_identity_build(again);
    rvi_identity_forge(true);
    rvi_identity_build(other);
    rvi_identity_forge(false);
    assert_string_equal(own, again);
    assert_string_not_equal(own, other);
    assert_int_equal(strspn(own, "0123456789abcdef"), RVI_BUILD_BYTES - 1);
}

static void manners_are_what_was_asked_for(void **state)
{
    const struct rv_child_limit limit = {RLIMIT_NOFILE, {100, 100}};
    const char *const changes[] = {"X=y", "HOME", NULL};
    const int cpu = sched_getcpu();
    struct rv_process_opts opts = {.size = sizeof opts,
                                   .nice = 3,
                                   .cpus = &cpu,
                                   .cpu_count = 1,
                                   .limits = &limit,
                                   .limit_count = 1,
                                   .folder = "/usr",
                                   .env_changes = changes};
    const int nice_here = getpriority(PRIO_PROCESS, 0);
    char text[512], expected[512], comm[16];
    (void)state;
    if (is_under_valgrind() || is_under_qemu())
        skip(); /* they have descriptors, names and limits of their own */
    sighandler_t before = signal(SIGUSR1, SIG_IGN);
    struct rvi_proc proc = start("describe", &opts);
    signal(SIGUSR1, before);
    assert_int_equal(answer_of(&proc), 0);
    hear(&proc, text, sizeof text);
    snprintf(comm, sizeof comm, "%s", program_invocation_short_name);
    snprintf(expected, sizeof expected,
             "%s nice %d files 100 cpus 1 folder /usr X y HOME 0 ignored 0 leads 1 input 0 "
             "marked 0 role describe",
             comm, nice_here + 3 < 19 ? nice_here + 3 : 19);
    assert_string_equal(text, expected);
    rvi_proc_fini(&proc);
}

static void check_confined(enum rv_confinement confinement, const char *expected)
{
    struct rv_process_opts opts = {.size = sizeof opts, .confinement = confinement};
    struct rvi_proc proc = start("try to open", &opts);
    char text[32];
    int r = answer_of(&proc);

    if (r == -EOPNOTSUPP) {
        assert_non_null(strstr(proc.refusal, "kernel"));
    } else {
        assert_int_equal(r, 0);
        hear(&proc, text, sizeof text);
        assert_string_equal(text, expected);
    }
    rvi_proc_fini(&proc);
    if (r < 0)
        skip();
}

static void a_worker_is_confined_to_computing(void **state)
{
    (void)state;
    check_confined(RV_CONFINE_COMPUTE, "EPERM");
}

static void a_worker_is_confined_to_reading(void **state)
{
    (void)state;
    check_confined(RV_CONFINE_READING, "EACCES");
}

static void what_makes_no_sense_is_refused(void **state)
{
    const int cpu = -1;
    struct rv_process_opts odd_cpu = {.size = sizeof odd_cpu, .cpus = &cpu, .cpu_count = 1};
    struct rv_process_opts odd = {.size = sizeof odd, .confinement = 17};
    struct rv_process_opts nowhere = {.size = sizeof nowhere, .folder = "/nowhere"};
    struct rvi_proc_start what = {.role = "repeat", .opts = &odd};
    struct rv_child_failure failure;
    struct rvi_proc proc;
    (void)state;
    assert_int_equal(rvi_proc_start(&proc, &what, &failure), -EINVAL);
    what.opts = &odd_cpu;
    assert_int_equal(rvi_proc_start(&proc, &what, &failure), -EINVAL);
    what.opts = &nowhere;
    if (!is_under_valgrind() && !is_under_qemu()) { /* which learn of it too late: sys/spawn.c */
        assert_int_equal(rvi_proc_start(&proc, &what, &failure), -ENOENT);
        assert_non_null(strstr(failure.text, "/nowhere"));
    }
    what.opts = NULL;
    what.role = "no such role";
    assert_int_equal(rvi_proc_start(&proc, &what, &failure), -EINVAL);
    what.role = "repeat";
    what.hello_bytes = RVI_HELLO_BYTES + 1;
    assert_int_equal(rvi_proc_start(&proc, &what, &failure), -EMSGSIZE);
    assert_true(failure.error == -EMSGSIZE && failure.text[0]);
    what.hello_bytes = 0;
    what.fd_count = RVI_HELLO_FDS + 1;
    assert_int_equal(rvi_proc_start(&proc, &what, NULL), -EMSGSIZE);
}

static void messages_and_descriptors_go_both_ways(void **state)
{
    struct rvi_proc proc = start("repeat messages", NULL);
    char text[64];
    int fd;
    size_t count;
    (void)state;
    assert_int_equal(answer_of(&proc), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rv_send_fds(proc.control, "again", 6, &proc.life, 1, SOON), 6);
        assert_int_equal(rv_recv_fds(proc.control, text, sizeof text, &fd, 1, &count, SOON), 6);
        assert_true(count == 1 && strcmp(text, "again") == 0);
        close(fd);
    }
    rvi_proc_fini(&proc);
}

/* Readable: it has ended. */
static void await_pidfd(int pidfd)
{
    assert_int_equal(rv_poll(pidfd, POLLIN, SOON), POLLIN);
}

static void a_worker_whose_control_socket_is_closed_ends(void **state)
{
    struct rvi_proc proc = start("loop without a life", NULL);
    struct rv_child_status status;
    char text[16];
    (void)state;
    assert_int_equal(answer_of(&proc), 0);
    hear(&proc, text, sizeof text);
    shutdown(proc.control, SHUT_RDWR);
    await_pidfd(proc.pidfd);
    assert_int_equal(rvi_proc_end(&proc, false, &status), 0);
    assert_int_equal(status.signal, SIGKILL);
    rvi_proc_fini(&proc);
}

static void a_worker_that_closes_all_its_descriptors_ends(void **state)
{
    struct rvi_proc proc = start("close everything", NULL);
    struct rv_child_status status;
    char text[16];
    size_t count;
    (void)state;
    assert_int_equal(answer_of(&proc), 0);
    hear(&proc, text, sizeof text);
    ssize_t n = rv_recv_fds(proc.control, text, sizeof text, NULL, 0, &count, SOON);
    assert_true(n <= 0); /* its parent sees that it is out of reach, and kills it */
    assert_int_equal(rvi_proc_kill(&proc, SIGKILL), 0);
    assert_int_equal(rvi_proc_end(&proc, true, &status), 0);
    assert_int_equal(status.signal, SIGKILL);
    rvi_proc_fini(&proc);
}

static struct rvi_proc start_with(const char *how)
{
    char change[32];
    const char *const changes[] = {change, NULL};
    struct rv_process_opts opts = {.size = sizeof opts, .env_changes = changes};
    snprintf(change, sizeof change, "CONSTRUCTORS=%s", how);
    return start("wait for end", &opts);
}

static void constructors_may_talk(void **state)
{
    struct rvi_proc proc = start_with("talk");
    char words[32];
    (void)state;
    assert_int_equal(answer_of(&proc), 0);
    assert_int_equal(rvi_words_read(&proc.words), strlen("constructed\n"));
    rvi_words_last(&proc.words, words, sizeof words);
    assert_string_equal(words, "constructed\n");
    rvi_proc_fini(&proc);
}

static void a_worker_that_ends_in_its_constructors_has_not_answered(void **state)
{
    struct rvi_proc proc = start_with("exit");
    struct rv_child_status status;
    (void)state;
    assert_int_equal(answer_of(&proc), -EPIPE);
    assert_true(proc.refusal[0]);
    assert_int_equal(rvi_proc_end(&proc, true, &status), 0);
    assert_int_equal(status.code, 5);
    rvi_proc_fini(&proc);
}

static void a_worker_that_never_comes_out_of_its_constructors_ends_all_the_same(void **state)
{
    struct rvi_proc proc = start_with("loop");
    struct rv_child_status status;
    (void)state;
    assert_int_equal(rvi_proc_take_answer(&proc), -EAGAIN);
    assert_int_equal(rvi_proc_end(&proc, false, &status), -EAGAIN);
    rvi_proc_fini(&proc);
}

/* --- where the program came from --- */

enum { ELSEWHERE_WORKS = 42, NOT_PRIVILEGED = 43 };

/* A copy of this program, started by a relative path through a symbolic link, whose file is
 * replaced by another one as soon as it runs, and which goes elsewhere. */
static int start_from_elsewhere(const char *how)
{
    bool is_replaced = strcmp(how, "replaced") == 0;

    RV_CHECK(unlink("copy") == 0);
    RV_CHECK(!is_replaced || symlink("/bin/false", "copy") == 0);
    RV_CHECK(chdir("/") == 0);
    struct rvi_proc proc = start("wait for end", NULL);
    int r = answer_of(&proc);
    rvi_proc_fini(&proc);
    return r == 0 ? ELSEWHERE_WORKS : 1;
}

static void be_elsewhere(const char *folder, const char *how)
{
    RV_CHECK(chdir(folder) == 0);
    execl("./link", "link", "--elsewhere", how, (char *)NULL);
    _exit(127);
}

static void copy_this_program(const char *path)
{
    char self[512];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1); /* valgrind answers this one */
    RV_CHECK(n > 0);
    self[n] = '\0';
    int from = open(self, O_RDONLY | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    RV_CHECK(from >= 0 && to >= 0);
    while ((n = sendfile(to, from, NULL, 1 << 20)) > 0)
        ;
    RV_CHECK(n == 0 && close(from) == 0 && close(to) == 0);
}

static void check_from_elsewhere(const char *how)
{
    char folder[] = "/tmp/ravel-proc-XXXXXX", copy[64], link[64];
    int status;

    assert_non_null(mkdtemp(folder));
    snprintf(copy, sizeof copy, "%s/copy", folder);
    snprintf(link, sizeof link, "%s/link", folder);
    copy_this_program(copy);
    assert_int_equal(symlink("copy", link), 0);
    pid_t child = fork();
    if (child == 0)
        be_elsewhere(folder, how);
    assert_int_equal(waitpid(child, &status, 0), child);
    unlink(copy);
    unlink(link);
    rmdir(folder);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), ELSEWHERE_WORKS);
}

static void workers_are_of_the_file_that_runs_though_it_was_deleted(void **state)
{
    (void)state;
    if (is_under_qemu())
        skip();
    check_from_elsewhere("deleted");
}

static void workers_are_of_the_file_that_runs_though_it_was_replaced(void **state)
{
    (void)state;
    if (is_under_qemu())
        skip();
    check_from_elsewhere("replaced");
}

/* A copy of another user's that runs as that user, whoever starts it. */
static void run_privileged(const char *path)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        execl(path, "test", "--privileged", "", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_PRIVILEGED)
        return; /* a file system without such files */
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == ELSEWHERE_WORKS);
}

static void a_privileged_program_has_no_workers(void **state)
{
    char path[] = "/tmp/ravel-proc-XXXXXX";
    (void)state;
    if (is_under_a_tool() || geteuid() != 0)
        skip();
    int fd = mkstemp(path);
    assert_true(fd >= 0 && close(fd) == 0);
    copy_this_program(path);
    assert_int_equal(chown(path, 65534, 65534), 0);
    assert_int_equal(chmod(path, 04755), 0);
    run_privileged(path);
    unlink(path);
}

static int be_privileged(void)
{
    const char *why;
    if (getauxval(AT_SECURE) == 0)
        return NOT_PRIVILEGED;
    return rvi_proc_possible(&why) == -EOPNOTSUPP && strstr(why, "privileges") ? ELSEWHERE_WORKS
                                                                               : 1;
}

/* By hand, or by somebody who wants this program to do what he says. */
static void the_variable_alone_makes_no_worker(void **state)
{
    int status;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        dup2(open("/dev/null", O_WRONLY), 2);
        setenv("RAVEL_WORKER", "0,1,1", 1);
        execl("/proc/self/exe", "test", "--elsewhere", "nowhere", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
}

/* --- the parent's death --- */

enum { HEIRS = 3 };

/* In a process that will be killed: starts one worker a role, and tells their numbers. */
static void be_parent(const char *const *names, int out, bool keeps_a_child)
{
    static struct rvi_proc procs[HEIRS];
    char text[32];
    pid_t pids[HEIRS + 1] = {0};

    for (int i = 0; i < HEIRS; i++) {
        procs[i] = start(names[i], NULL);
        RV_CHECK(answer_of(&procs[i]) == 0);
        hear(&procs[i], text, sizeof text);
        pids[i] = procs[i].pid;
        if (strcmp(names[i], "stop beside a child") == 0)
            pids[HEIRS] = (pid_t)atoi(text);
    }
    if (keeps_a_child && fork() == 0) {
        close(out);
        for (;;) /* holds our ends of all pipes and sockets until the test ends it by its group */
            pause();
    }
    RV_CHECK(write(out, pids, sizeof pids) == sizeof pids);
    for (;;)
        pause();
}

static void check_all_end_with_the_parent(const char *const *names, bool keeps_a_child)
{
    pid_t pids[HEIRS + 1];
    int ends[2], pidfds[HEIRS + 1];

    if (is_under_valgrind() || is_under_qemu())
        skip(); /* forks of them end in other ways */
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t parent = fork();
    if (parent == 0) {
        setpgid(0, 0);
        be_parent(names, ends[1], keeps_a_child);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], pids, sizeof pids), sizeof pids);
    for (int i = 0; i <= HEIRS; i++) {
        pidfds[i] = pids[i] ? (int)syscall(SYS_pidfd_open, pids[i], 0) : -1;
        assert_true(!pids[i] || pidfds[i] >= 0);
    }
    kill(parent, SIGKILL);
    for (int i = 0; i <= HEIRS; i++) {
        if (pidfds[i] >= 0)
            await_pidfd(pidfds[i]);
        close(pidfds[i]);
    }
    kill(-parent, SIGKILL);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    close(ends[0]);
}

static void no_worker_outlives_its_parent(void **state)
{
    static const char *const names[HEIRS] = {"wait for end", "stop beside a child",
                                             "loop without a life"};
    (void)state;
    check_all_end_with_the_parent(names, false);
}

/* Then no end of a pipe or socket is closed by the parent's death. */
static void a_fork_of_the_parent_keeps_no_worker_alive(void **state)
{
    static const char *const names[HEIRS] = {"wait for end", "loop without a life", "wait for end"};
    (void)state;
    check_all_end_with_the_parent(names, true);
}

static void what_a_worker_has_started_ends_with_it(void **state)
{
    (void)state;
    if (is_under_valgrind() || is_under_qemu())
        skip(); /* they know no pidfd_open */
    struct rvi_proc proc = start("stop beside a child", NULL);
    struct rv_child_status status;
    char text[32];
    assert_int_equal(answer_of(&proc), 0);
    hear(&proc, text, sizeof text);
    int pidfd = (int)syscall(SYS_pidfd_open, atoi(text), 0);
    assert_true(pidfd >= 0);
    assert_int_equal(rv_child_kill(proc.child, SIGKILL), 0); /* the worker alone */
    assert_int_equal(rvi_proc_end(&proc, true, &status), 0);
    await_pidfd(pidfd);
    close(pidfd);
    rvi_proc_fini(&proc);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_gets_its_hello_and_descriptors),
        cmocka_unit_test(a_worker_has_the_descriptors_that_were_declared_and_no_other),
        cmocka_unit_test(a_worker_of_another_build_refuses),
        cmocka_unit_test(builds_can_be_told_apart_by_one_word),
        cmocka_unit_test(manners_are_what_was_asked_for),
        cmocka_unit_test(a_worker_is_confined_to_computing),
        cmocka_unit_test(a_worker_is_confined_to_reading),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(messages_and_descriptors_go_both_ways),
        cmocka_unit_test(a_worker_whose_control_socket_is_closed_ends),
        cmocka_unit_test(a_worker_that_closes_all_its_descriptors_ends),
        cmocka_unit_test(constructors_may_talk),
        cmocka_unit_test(a_worker_that_ends_in_its_constructors_has_not_answered),
        cmocka_unit_test(a_worker_that_never_comes_out_of_its_constructors_ends_all_the_same),
        cmocka_unit_test(workers_are_of_the_file_that_runs_though_it_was_deleted),
        cmocka_unit_test(workers_are_of_the_file_that_runs_though_it_was_replaced),
        cmocka_unit_test(the_variable_alone_makes_no_worker),
        cmocka_unit_test(a_privileged_program_has_no_workers),
        cmocka_unit_test(no_worker_outlives_its_parent),
        cmocka_unit_test(a_fork_of_the_parent_keeps_no_worker_alive),
        cmocka_unit_test(what_a_worker_has_started_ends_with_it),
    };
    if (argc == 3 && strcmp(argv[1], "--elsewhere") == 0)
        return start_from_elsewhere(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--privileged") == 0)
        return be_privileged();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
