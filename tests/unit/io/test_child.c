/* SPDX-License-Identifier: MIT */
/* test_child.c - children: how they start and what they get, how they end and what is left of them.
 *
 * This program is its own child: by `--child` and what it is to do. */
#include <ravel/child.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child_test.h"
#include "sys/call.h"

/* --- what the child does --- */

static int list_descriptors(void)
{
    for (int fd = 0; fd < 1024; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            dprintf(1, "%d ", fd);
    }
    return 0;
}

static int tell_flags(void)
{
    for (int fd = 0; fd < 3; fd++)
        dprintf(1, "%d", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    return 0;
}

/* Lines of /proc/self/status: which signals are blocked, ignored; but for the C library's own two,
 * which it ignores in what posix_spawn(3) has started, this program perhaps among them. */
static int tell_signals(void)
{
    const unsigned long long internal = 3ull << 31;
    char line[256], word[8];
    unsigned long long set;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%7[^:]: %llx", word, &set) == 2 &&
            (strcmp(word, "SigBlk") == 0 || strcmp(word, "SigIgn") == 0))
            dprintf(1, "%s:\t%016llx\n", word, set & ~internal);
    }
    return file ? fclose(file) : 1;
}

static int tell_state(void)
{
    struct rlimit files;
    mode_t mask = umask(0);
    getrlimit(RLIMIT_NOFILE, &files);
    dprintf(1, "umask %o files %ld nice %d uid %d gid %d groups %d leads %d session %d", mask,
            (long)files.rlim_cur, getpriority(PRIO_PROCESS, 0), (int)getuid(), (int)getgid(),
            getgroups(0, NULL), getpgrp() == getpid(), getsid(0) == getpid());
    return 0;
}

static int tell_cpus(void)
{
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &cpus))
            dprintf(1, "%d ", cpu);
    }
    return 0;
}

/* Says when it is ready to be ended. */
static int await_end(const char *how)
{
    bool is_gentle = strcmp(how, "gently") == 0;
    sigset_t set;
    int number;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    if (is_gentle)
        sigprocmask(SIG_BLOCK, &set, NULL);
    if (strcmp(how, "stubborn") == 0)
        signal(SIGTERM, SIG_IGN);
    dprintf(1, "ready\n");
    return is_gentle ? sigwait(&set, &number) : pause();
}

static void ignore(int number)
{
    (void)number;
}

/* One that leads a group ends and leaves a child of its own, which holds the pipe. */
static int leave_one(void)
{
    if (fork() == 0) {
        dprintf(1, "ready\n");
        pause();
    }
    return 0;
}

static int be_child(char **argv)
{
    const char *what = argv[2];

    if (strcmp(what, "descriptors") == 0)
        return list_descriptors();
    if (strcmp(what, "flags") == 0)
        return tell_flags();
    if (strcmp(what, "signals") == 0)
        return tell_signals();
    if (strcmp(what, "state") == 0)
        return tell_state();
    if (strcmp(what, "cpus") == 0)
        return tell_cpus();
    if (strcmp(what, "leave") == 0)
        return leave_one();
    return await_end(what);
}

/* --- what is asked of it --- */

/* What it says is this. */
static void says(const char *const *argv, const struct rv_child_opts *opts, const char *expected)
{
    struct rv_child_io io = {0};
    struct rv_child_status status = ran(argv, opts, &io);
    if (strcmp(io.out, expected) != 0 || io.err_bytes > 0)
        fprintf(stderr, "said '%s' and '%s' instead of '%s'\n", io.out, io.err, expected);
    RV_CHECK(status.kind == RV_CHILD_EXITED && status.code == 0);
    RV_CHECK(strcmp(io.out, expected) == 0 && io.err_bytes == 0);
    rv_child_io_fini(&io);
}

static rv_child *started(const char *const *argv, struct rv_child_opts opts)
{
    rv_child *child;
    opts.size = sizeof opts;
    RV_CHECK(rv_child_start(&child, argv, &opts) == 0);
    return child;
}

/* One that has said that it is ready. */
static rv_child *ready(const char *what, struct rv_child_opts opts)
{
    char text[8];
    opts.out.kind = RV_CHILD_PIPE;
    rv_child *child = started(SELF(what), opts);
    RV_CHECK(rv_read(rv_child_pipe(child, 1), text, sizeof text, SOON) == 6);
    return child;
}

/* --- how it ended --- */

static int tell_endings(void *arg)
{
    (void)arg;
    for (int code = 0; code < 256; code += 51) {
        char script[32];
        snprintf(script, sizeof script, "exit %d", code);
        struct rv_child_status status = ran(SHELL(script), NULL, NULL);
        RV_CHECK(status.kind == RV_CHILD_EXITED && status.code == code && status.signal == 0);
        RV_CHECK(status.usage.ru_maxrss > 0);
    }
    struct rv_child_status status = ran(SHELL("kill -USR1 $$"), NULL, NULL);
    RV_CHECK(status.kind == RV_CHILD_KILLED && status.signal == SIGUSR1 && !status.dumped);
    return 0;
}
PLAYS(how_it_ended_is_told, tell_endings)

static int wait_again(void *arg)
{
    struct rv_child_status first, again;
    (void)arg;
    rv_child *child = started(SHELL("exit 7"), (struct rv_child_opts){0});
    RV_CHECK(rv_child_pid(child) > 0);
    RV_CHECK(rv_child_wait(child, &first, SOON) == 0 && first.code == 7);
    RV_CHECK(rv_child_wait(child, &again, 0) == 0 && again.code == 7);
    RV_CHECK(rv_child_wait(child, NULL, 0) == 0);
    RV_CHECK(rv_child_kill(child, SIGTERM) == -ESRCH);
    RV_CHECK(rv_child_stop(child, RV_SECOND, &again) == 0 && again.code == 7);
    RV_CHECK(rv_child_close(child) == NULL);
    return 0;
}
PLAYS(it_can_be_waited_for_again, wait_again)

static int wait_a_little(void *arg)
{
    struct rv_child_status status = {.code = 99};
    (void)arg;
    rv_child *child = ready("default", (struct rv_child_opts){0});
    RV_CHECK(rv_child_wait(child, &status, 0) == -ETIME);
    RV_CHECK(rv_child_wait(child, &status, rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(status.code == 99 && rv_child_kill(child, 0) == 0);
    RV_CHECK(rv_child_kill(child, SIGKILL) == 0);
    RV_CHECK(rv_child_wait(child, &status, SOON) == 0 && status.signal == SIGKILL);
    rv_child_close(child);
    return 0;
}
PLAYS(a_wait_that_is_late_leaves_it_as_it_is, wait_a_little)

static int wait_for_it(void *child)
{
    struct rv_child_status status;
    int r = rv_child_wait(child, &status, RV_NEVER);
    RV_CHECK(r < 0 || status.signal == SIGTERM);
    return r;
}

static int wait_together(void *arg)
{
    int err;
    (void)arg;
    rv_child *child = ready("default", (struct rv_child_opts){0});
    RV_SCOPE(s, err) {
        for (int i = 0; i < 5; i++)
            RV_CHECK(rv_go(s, wait_for_it, child) == 0);
        RV_CHECK(rv_sleep(RV_MILLISECOND) == 0 && rv_child_kill(child, SIGTERM) == 0);
    }
    RV_CHECK(err == 0 && rv_child_wait(child, NULL, 0) == 0);
    rv_child_close(child);
    return 0;
}

static int cancel_a_wait(void *arg)
{
    int err;
    (void)arg;
    rv_child *child = ready("default", (struct rv_child_opts){0});
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, wait_for_it, child) == 0);
        RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
        rv_scope_cancel(s, -ECANCELED);
        RV_CHECK(rv_child_wait(child, NULL, RV_NEVER) == -ECANCELED);
        rv_child *another;
        RV_CHECK(rv_child_start(&another, SHELL(":"), NULL) == -ECANCELED);
    }
    RV_CHECK(err == -ECANCELED && rv_child_kill(child, 0) == 0);
    rv_child_close(child);
    return 0;
}

static void several_tasks_wait_for_one(void **state)
{
    (void)state;
    if (is_under_valgrind())
        skip();
    assert_int_equal(run_on(1, wait_together, NULL), 0);
    assert_int_equal(run_on(2, wait_together, NULL), 0);
}

static void a_wait_that_is_cancelled_leaves_it_as_it_is(void **state)
{
    (void)state;
    if (is_under_valgrind())
        skip();
    assert_int_equal(run_on(1, cancel_a_wait, NULL), 0);
    assert_int_equal(run_on(2, cancel_a_wait, NULL), 0);
}

/* The kernel reaps it then. */
static int lose_an_end(void *arg)
{
    struct rv_child_status status;
    (void)arg;
    signal(SIGCHLD, SIG_IGN);
    for (int group = RV_CHILD_GROUP_OURS; group <= RV_CHILD_GROUP_OWN; group++) {
        rv_child *child =
            started(SHELL(":"), (struct rv_child_opts){.group = (enum rv_child_group)group});
        RV_CHECK(rv_child_wait(child, &status, SOON) == -ECHILD);
        RV_CHECK(rv_child_stop(child, RV_SECOND, &status) == -ECHILD);
        rv_child_close(child);
    }
    signal(SIGCHLD, SIG_DFL);
    return 0;
}
PLAYS(an_end_that_the_program_ignores_is_lost_and_said_so, lose_an_end)

/* --- starts that fail --- */

static void fails(const char *const *argv, struct rv_child_opts opts, int error,
                  enum rv_child_step step, const char *text)
{
    struct rv_child_failure failure = {0};
    rv_child *child = NULL;
    opts.size = sizeof opts;
    opts.ret_failure = &failure;
    int r = rv_child_start(&child, argv, &opts);
    if (r != error || failure.step != step || !strstr(failure.text, text))
        fprintf(stderr, "%d, step %d: %s\n", r, (int)failure.step, failure.text);
    RV_CHECK(r == error && failure.error == error && failure.step == step && child == NULL);
    RV_CHECK(strstr(failure.text, text) != NULL);
}

static int fail_to_run(void *arg)
{
    const struct rv_child_opts none = {0};
    char folder[] = "/tmp/ravel-child-XXXXXX", script[64], text[128];
    (void)arg;
    RV_CHECK(mkdtemp(folder) != NULL);
    snprintf(script, sizeof script, "%s/script", folder);
    snprintf(text, sizeof text, "%s: cannot run it: ", script);
    fails(COMMAND("no-such-program"), none, -ENOENT, RV_CHILD_STEP_PROGRAM,
          "no-such-program: cannot run it: No such file or directory");
    fails(COMMAND(script), none, -ENOENT, RV_CHILD_STEP_PROGRAM, text);
    int fd = open(script, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    RV_CHECK(write(fd, "#!/no/such/shell\n", 17) == 17);
    close(fd);
    fails(COMMAND(script), none, -EACCES, RV_CHILD_STEP_PROGRAM, "Permission denied");
    RV_CHECK(chmod(script, 0700) == 0);
    fails(COMMAND(script), none, -ENOENT, RV_CHILD_STEP_PROGRAM, text);
    RV_CHECK(truncate(script, 0) == 0);
    fails(COMMAND(script), none, -ENOEXEC, RV_CHILD_STEP_PROGRAM, text);
    fails(COMMAND(folder), none, -EACCES, RV_CHILD_STEP_PROGRAM, "Permission denied");
    RV_CHECK(unlink(script) == 0);
    fails(SHELL(":"), (struct rv_child_opts){.folder = script}, -ENOENT, RV_CHILD_STEP_FOLDER,
          "/bin/sh: cannot enter the folder '/tmp/ravel-child-");
    RV_CHECK(rmdir(folder) == 0);
    return 0;
}
PLAYS(what_could_not_be_run_is_told_exactly, fail_to_run)

static int fail_at_each_step(void *arg)
{
    const struct rv_child_limit limit = {.resource = 4711};
    const struct rv_child_fd fd = {.fd = 987, .child_fd = 3};
    (void)arg;
    fails(SHELL(":"), (struct rv_child_opts){.in = {RV_CHILD_FD, 987}}, -EBADF,
          RV_CHILD_STEP_DESCRIPTORS, "give it its descriptors: Bad file descriptor");
    fails(SHELL(":"), (struct rv_child_opts){.fds = &fd, .fd_count = 1}, -EBADF,
          RV_CHILD_STEP_DESCRIPTORS, "descriptors");
    fails(SHELL(":"), (struct rv_child_opts){.limits = &limit, .limit_count = 1}, -EINVAL,
          RV_CHILD_STEP_LIMITS, "limits");
    fails(SHELL(":"), (struct rv_child_opts){.death_signal = 1000}, -EINVAL, RV_CHILD_STEP_PARENT,
          "our death");
    fails(SHELL(":"), (struct rv_child_opts){.group = (enum rv_child_group)9}, -EINVAL,
          RV_CHILD_STEP_GROUP, "group");
    return 0;
}
PLAYS(the_step_that_failed_is_told, fail_at_each_step)

static int ask_for_nonsense(void *arg)
{
    const struct rv_child_fd low = {1, 2}, twice[] = {{1, 3}, {2, 3}}, none = {-1, 3};
    const char *const no_name[] = {"=x", NULL};
    const struct rv_child_opts nonsense[] = {
        {.fds = &low, .fd_count = 1},
        {.fds = twice, .fd_count = 2},
        {.fds = &none, .fd_count = 1},
        {.env_changes = no_name},
        {.in = {RV_CHILD_FD, -1}},
        {.in = {RV_CHILD_OUTPUT, 0}},
        {.out = {(enum rv_child_stdio)77, 0}},
        {.grace = -1},
        {.program = ""},
    };
    rv_child *child = NULL;
    (void)arg;
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++)
        RV_CHECK(rv_child_start(&child, SHELL(":"), &nonsense[i]) == -EINVAL);
    RV_CHECK(rv_child_start(&child, NULL, NULL) == -EINVAL);
    RV_CHECK(rv_child_start(&child, (const char *const[]){NULL}, NULL) == -EINVAL && !child);
    return 0;
}
PLAYS(nonsense_is_refused, ask_for_nonsense)

static int ask_for_the_unknown(void *arg)
{
    struct {
        struct rv_child_opts known;
        int unknown;
    } newer = {.known.size = sizeof newer, .unknown = 1};
    rv_child *child;
    (void)arg;
    RV_CHECK(rv_child_start(&child, SHELL(":"), &newer.known) == -E2BIG);
    RV_CHECK(rv_child_run(SHELL(":"), &newer.known, NULL, NULL, SOON) == -E2BIG);
    return 0;
}
PLAYS(what_only_a_newer_library_knows_is_refused, ask_for_the_unknown)

static int start_in_a_simulation(void *arg)
{
    rv_child *child;
    (void)arg;
    return rv_child_start(&child, SHELL(":"), NULL);
}

static void a_simulation_has_no_children(void **state)
{
    struct rv_sim_opts opts = {.size = sizeof opts, .quiet = 1};
    (void)state;
    assert_int_equal(rv_sim_run(start_in_a_simulation, NULL, &opts), -ENOTSUP);
}

/* --- what it gets --- */

static int give_folder_and_env(void *arg)
{
    const char *env[] = {"ONE=1", "TWO=2", "PATH=/nowhere:/bin:/usr/bin", NULL};
    const char *const changes[] = {"TWO", "THREE=3", "ONE=x", "ONE=y", "ABSENT", NULL};
    (void)arg;
    says(COMMAND("pwd"), &(struct rv_child_opts){.folder = "/"}, "/\n");
    says(SHELL("echo $ONE,$TWO,$THREE"), &(struct rv_child_opts){.env = env}, "1,2,\n");
    says(COMMAND("env"), &(struct rv_child_opts){.env = env, .env_changes = changes},
         "PATH=/nowhere:/bin:/usr/bin\nTHREE=3\nONE=y\n");
    says(SHELL("echo $THREE"), &(struct rv_child_opts){.env_changes = changes}, "3\n");
    says(COMMAND("name", "-c", "echo $0"), &(struct rv_child_opts){.program = "/bin/sh"}, "name\n");
    env[2] = "PATH=/nowhere";
    fails(COMMAND("pwd"), (struct rv_child_opts){.env = env}, -ENOENT, RV_CHILD_STEP_PROGRAM,
          "pwd");
    env[2] = "PATH=/nowhere::";
    says(COMMAND("sh", "-c", "echo here"), &(struct rv_child_opts){.env = env, .folder = "/bin"},
         "here\n");
    env[2] = NULL;
    says(COMMAND("sh", "-c", "echo there"), &(struct rv_child_opts){.env = env}, "there\n");
    return 0;
}
PLAYS(it_gets_a_folder_an_environment_and_its_path, give_folder_and_env)

static int give_state(void *arg)
{
    const struct rv_child_limit limit = {RLIMIT_NOFILE, {100, 100}};
    const struct rv_child_opts many = {.limits = &limit,
                                       .limit_count = 1,
                                       .nice = 3,
                                       .set_umask = 1,
                                       .umask = 027,
                                       .group = RV_CHILD_GROUP_OWN};
    const int nice_here = getpriority(PRIO_PROCESS, 0);
    const int nicer = nice_here + 3 < 19 ? nice_here + 3 : 19;
    char expected[256];
    (void)arg;
    snprintf(expected, sizeof expected,
             "umask 27 files 100 nice %d uid %d gid %d groups %d leads 1 session 0", nicer,
             (int)getuid(), (int)getgid(), getgroups(0, NULL));
    says(SELF("state"), &many, expected);
    struct rv_child_io io = {0};
    ran(SELF("state"), &(struct rv_child_opts){.group = RV_CHILD_GROUP_SESSION}, &io);
    RV_CHECK(strstr(io.out, "leads 1 session 1"));
    rv_child_io_fini(&io);
    ran(SELF("state"), NULL, &io);
    snprintf(expected, sizeof expected, " nice %d ", nice_here);
    RV_CHECK(strstr(io.out, expected) && strstr(io.out, "leads 0 session 0"));
    rv_child_io_fini(&io);
    return 0;
}
PLAYS(it_gets_limits_priority_mask_and_group, give_state)

/* The last one that we may use, alone; and one that there is not. */
static int give_cpus(void *arg)
{
    int cpu = CPU_SETSIZE - 1, none = CPU_SETSIZE - 1, absurd = -1;
    char expected[16];
    cpu_set_t ours;
    (void)arg;
    RV_CHECK(sched_getaffinity(0, sizeof ours, &ours) == 0);
    while (!CPU_ISSET(cpu, &ours))
        cpu--;
    snprintf(expected, sizeof expected, "%d ", cpu);
    says(SELF("cpus"), &(struct rv_child_opts){.cpus = &cpu, .cpu_count = 1}, expected);
    if (cpu != none)
        fails(SHELL(":"), (struct rv_child_opts){.cpus = &none, .cpu_count = 1}, -EINVAL,
              RV_CHILD_STEP_CPUS, "give it its CPUs");
    fails(SHELL(":"), (struct rv_child_opts){.cpus = &absurd, .cpu_count = 1}, -EINVAL,
          RV_CHILD_STEP_PREPARE, "prepare it");
    return 0;
}
PLAYS(it_gets_the_cpus_that_it_may_use, give_cpus)

static int give_a_user(void *arg)
{
    const gid_t groups[] = {4711, 4712};
    const struct rv_child_opts nobody = {
        .as_user = 1, .uid = 65534, .gid = 65533, .groups = groups, .group_count = 2};
    (void)arg;
    says(SHELL("id -u; id -g; id -G"), &nobody, "65534\n65533\n65533 4711 4712\n");
    RV_CHECK(getuid() == 0 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1);
    return 0;
}

static void it_runs_as_another_user_and_we_do_not(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    play(give_a_user);
}

/* What is caught here is at its default there, what is ignored here stays so, or not; nothing is
 * blocked. */
static int give_signals(void *arg)
{
    const struct rv_child_opts reset = {.reset_ignored = 1};
    sigset_t some, before;
    (void)arg;
    sigemptyset(&some);
    sigaddset(&some, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &some, &before);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, ignore);
    says(SELF("signals"), NULL, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000001\n");
    says(SELF("signals"), &reset, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    signal(SIGHUP, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGUSR1, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return 0;
}
PLAYS(it_gets_no_blocked_signal_and_ours_that_are_ignored, give_signals)

/* --- descriptors --- */

enum { SOME_FDS = 40 };

/* Without O_CLOEXEC, as foreign code may open them. */
static void open_some(int fds[SOME_FDS])
{
    for (int i = 0; i < SOME_FDS; i++)
        RV_CHECK((fds[i] = open("/dev/null", O_RDONLY)) >= 0); /* NOLINT: no O_CLOEXEC */
}

static void close_some(const int fds[SOME_FDS])
{
    for (int i = 0; i < SOME_FDS; i++)
        close(fds[i]);
}

static int leak_nothing(void *arg)
{
    int fds[SOME_FDS];
    (void)arg;
    open_some(fds);
    says(SELF("descriptors"), NULL, "0 1 2 ");
    const struct rv_child_fd pass[] = {{fds[7], fds[7]}, {fds[3], 4}, {1, 300}};
    char expected[64];
    snprintf(expected, sizeof expected, "0 1 2 4 %d 300 ", fds[7]);
    says(SELF("descriptors"), &(struct rv_child_opts){.fds = pass, .fd_count = 3}, expected);
    close_some(fds);
    return 0;
}
PLAYS(it_gets_no_descriptor_but_its_own, leak_nothing)

static void nor_where_the_kernel_cannot_mark_them_at_once(void **state)
{
    (void)state;
    if (RVI_DEBUG_CHECKS < 1)
        skip();
    rvi_call_lacks(RVI_CALL_CHILD_MARK_ALL, true);
    play(leak_nothing);
    rvi_call_lacks(RVI_CALL_CHILD_MARK_ALL, false);
}

/* What such a pipe holds, at a number that is no standard descriptor's. */
static int pipe_with(const char *text)
{
    int ends[2];

    RV_CHECK(pipe2(ends, O_CLOEXEC) == 0);
    RV_CHECK(write(ends[1], text, strlen(text)) == (ssize_t)strlen(text));
    int fd = fcntl(ends[0], F_DUPFD_CLOEXEC, 3);
    RV_CHECK(fd >= 3);
    close(ends[0]);
    close(ends[1]);
    return fd;
}

static int change_places(void *arg)
{
    int one = pipe_with("one"), two = pipe_with("two");
    const struct rv_child_fd pass[] = {{one, two}, {two, one}};
    char script[64];
    (void)arg;
    snprintf(script, sizeof script, "cat /dev/fd/%d; cat /dev/fd/%d", one, two);
    says(SHELL(script), &(struct rv_child_opts){.fds = pass, .fd_count = 2}, "twoone");
    close(one);
    close(two);
    return 0;
}
PLAYS(descriptors_may_change_places, change_places)

static int lead_streams(void *arg)
{
    int ends[2];
    char text[64] = "";
    struct rv_child_io io = {0};
    const struct rv_child_opts merged = {.err = {RV_CHILD_OUTPUT, 0}};
    (void)arg;
    says(SHELL("echo one; echo two >&2; echo three"), &merged, "one\ntwo\nthree\n");
    says(SHELL("cat; echo x >&2"), &(struct rv_child_opts){.err = {RV_CHILD_NULL, 0}}, "");
    RV_CHECK(pipe2(ends, O_CLOEXEC) == 0);
    const struct rv_child_opts to_fd = {.out = {RV_CHILD_FD, ends[1]}, .err = {RV_CHILD_OUTPUT, 0}};
    ran(SHELL("echo out; echo err >&2"), &to_fd, &io);
    RV_CHECK(io.out == NULL && io.err == NULL);
    RV_CHECK(read(ends[0], text, sizeof text) == 8 && strcmp(text, "out\nerr\n") == 0);
    const struct rv_child_opts from_fd = {.in = {RV_CHILD_FD, ends[0]}};
    RV_CHECK(write(ends[1], "hello", 5) == 5);
    close(ends[1]);
    says(COMMAND("cat"), &from_fd, "hello");
    close(ends[0]);
    return 0;
}
PLAYS(streams_lead_where_they_are_told_to, lead_streams)

static int look_at_flags(void *arg)
{
    struct rv_child_io io = {0};
    (void)arg;
    rv_child *child = started(SELF("flags"), (struct rv_child_opts){.in = {RV_CHILD_PIPE, 0},
                                                                    .out = {RV_CHILD_PIPE, 0},
                                                                    .err = {RV_CHILD_PIPE, 0}});
    for (int i = 0; i < 3; i++) {
        int fd = rv_child_pipe(child, i);
        RV_CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
        RV_CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    }
    RV_CHECK(rv_child_communicate(child, &io, SOON) == 0 && strcmp(io.out, "000") == 0);
    RV_CHECK(rv_child_pipe(child, 0) == -EBADF && rv_child_pipe(child, 3) == -EINVAL);
    RV_CHECK(rv_child_pipe_close(child, 1) == 0 && rv_child_pipe_close(child, -1) == -EINVAL);
    rv_child_io_fini(&io);
    rv_child_close(child);
    return 0;
}
PLAYS(pipes_never_block_at_our_end_and_do_at_its, look_at_flags)

static void start_without_standard_descriptors(void *arg)
{
    struct rv_child_io io = {0};
    (void)arg;
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    const struct rv_child_opts opts = {.in = {RV_CHILD_INHERIT, 0}, .err = {RV_CHILD_INHERIT, 0}};
    struct rv_child_status status;
    int r = rv_child_run(SELF("descriptors"), &opts, &io, &status, SOON);
    _exit(r == 0 && status.code == 0 && strcmp(io.out, "1 ") == 0 ? 0 : 1);
}

static void closed_standard_descriptors_are_no_trap(void **state)
{
    (void)state;
    if (is_under_valgrind())
        skip();
    struct ending ending = run_child(start_without_standard_descriptors, NULL);
    assert_int_equal(ending.status, 0);
}

/* --- ending it --- */

static int stop_each_way(void *arg)
{
    const struct {
        const char *how;
        rv_time grace;
        int signal; /* 0: it exits */
    } ways[] = {{"gently", RV_MINUTE, 0},
                {"default", RV_MINUTE, SIGTERM},
                {"stubborn", RV_MILLISECOND, SIGKILL},
                {"gently", 0, SIGKILL}};
    struct rv_child_status status;
    (void)arg;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        for (int group = RV_CHILD_GROUP_OURS; group <= RV_CHILD_GROUP_SESSION; group++) {
            rv_child *child =
                ready(ways[i].how, (struct rv_child_opts){.group = (enum rv_child_group)group});
            RV_CHECK(rv_child_stop(child, ways[i].grace, &status) == 0);
            RV_CHECK(status.signal == ways[i].signal && status.code == 0);
            rv_child_close(child);
        }
    }
    return 0;
}
PLAYS(it_is_asked_to_end_before_it_is_killed, stop_each_way)

/* The pipe ends when the last of them is gone. */
static void until_end_of_file(int fd)
{
    char byte;
    RV_CHECK(rv_read(fd, &byte, 1, SOON) == 0);
}

static int kill_a_group(void *arg)
{
    (void)arg;
    for (int by_close = 0; by_close < 2; by_close++) {
        rv_child *child = ready("leave", (struct rv_child_opts){.group = RV_CHILD_GROUP_OWN});
        RV_CHECK(rv_child_wait(child, NULL, SOON) == 0);
        int fd = dup(rv_child_pipe(child, 1));
        if (by_close)
            child = rv_child_close(child);
        else
            RV_CHECK(rv_child_kill_group(child, SIGTERM) == 0);
        until_end_of_file(fd);
        close(fd);
        rv_child_close(child);
    }
    rv_child *child = started(SHELL(":"), (struct rv_child_opts){0});
    RV_CHECK(rv_child_kill_group(child, SIGTERM) == -EINVAL);
    RV_CHECK(rv_child_kill(child, 1000) == -EINVAL);
    rv_child_close(child);
    return 0;
}
PLAYS(a_group_is_killed_even_after_its_leader_has_ended, kill_a_group)

static int close_when_cancelled(void *arg)
{
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        rv_child *child = ready("stubborn", (struct rv_child_opts){.grace = RV_MILLISECOND});
        rv_scope_cancel(s, -ECANCELED);
        rv_child_close(child);
    }
    RV_CHECK(err == -ECANCELED && has_no_child());
    return 0;
}

static void a_close_ends_it_whatever_is_cancelled(void **state)
{
    (void)state;
    if (is_under_valgrind())
        skip();
    assert_int_equal(run_on(1, close_when_cancelled, NULL), 0);
    assert_int_equal(run_on(2, close_when_cancelled, NULL), 0);
}

static void a_close_of_none_does_nothing(void **state)
{
    (void)state;
    assert_null(rv_child_close(NULL));
    rv_child_io_fini(NULL);
}

/* The parent tells the child's number and ends; that the child has gone too shows in the pipe. */
static void start_one_and_die(void *pipe)
{
    struct rv_child_opts opts = {.out = {RV_CHILD_FD, ((int *)pipe)[1]}, .death_signal = SIGKILL};
    rv_child *child;
    int r = rv_child_start(&child, SELF("stubborn"), &opts);
    _exit(r == 0 ? 0 : 1);
}

static void it_can_be_made_to_die_with_us(void **state)
{
    int ends[2];
    char text[16];
    (void)state;
    if (is_under_valgrind())
        skip();
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct ending ending = run_child(start_one_and_die, ends);
    close(ends[1]);
    assert_int_equal(ending.status, 0);
    while (read(ends[0], text, sizeof text) > 0) {}
    close(ends[0]);
}

/* --- at any point --- */

static int scene(void *arg)
{
    struct rv_child_opts opts = {
        .size = sizeof opts, .group = RV_CHILD_GROUP_OWN, .grace = RV_SECOND};
    rv_child *child;
    (void)arg;
    int r = rv_child_start(&child, COMMAND("sleep", "0.01"), &opts);
    if (r < 0)
        return r;
    r = rv_child_wait(child, NULL, RV_NEVER);
    rv_child_close(child);
    return r;
}

static void it_can_be_cancelled_at_every_point(void **state)
{
    (void)state;
    play_cancelled(scene);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    play_starved(scene);
}

/* --- what is short --- */

static void start_without_processes(void *arg)
{
    rv_child *child;
    (void)arg;
    allow_threads(1);
    _exit(rv_child_start(&child, SHELL(":"), NULL) == -EAGAIN ? 0 : 1);
}

static void too_many_processes_are_told(void **state)
{
    (void)state;
    if (!can_forbid_threads() || is_under_valgrind())
        skip();
    assert_int_equal(run_child(start_without_processes, NULL).status, 0);
}

/* --- many --- */

static int start_many(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < scaled(300, 30); i++) {
        struct rv_child_opts opts = {.in = {RV_CHILD_PIPE, 0}, .out = {RV_CHILD_PIPE, 0}};
        rv_child *child = started(COMMAND("true"), opts);
        if (i % 2)
            RV_CHECK(rv_child_wait(child, NULL, SOON) == 0);
        rv_child_close(child);
    }
    return 0;
}
PLAYS(a_thousand_leave_no_zombie_and_no_descriptor, start_many)

/* The first run and the first thread map what stays. */
static int warm_up(void **state)
{
    (void)state;
    return is_under_valgrind() ? 0 : run_on(2, wait_again, NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_it_ended_is_told),
        cmocka_unit_test(it_can_be_waited_for_again),
        cmocka_unit_test(a_wait_that_is_late_leaves_it_as_it_is),
        cmocka_unit_test(several_tasks_wait_for_one),
        cmocka_unit_test(a_wait_that_is_cancelled_leaves_it_as_it_is),
        cmocka_unit_test(an_end_that_the_program_ignores_is_lost_and_said_so),
        cmocka_unit_test(what_could_not_be_run_is_told_exactly),
        cmocka_unit_test(the_step_that_failed_is_told),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(what_only_a_newer_library_knows_is_refused),
        cmocka_unit_test(a_simulation_has_no_children),
        cmocka_unit_test(it_gets_a_folder_an_environment_and_its_path),
        cmocka_unit_test(it_gets_limits_priority_mask_and_group),
        cmocka_unit_test(it_gets_the_cpus_that_it_may_use),
        cmocka_unit_test(it_runs_as_another_user_and_we_do_not),
        cmocka_unit_test(it_gets_no_blocked_signal_and_ours_that_are_ignored),
        cmocka_unit_test(it_gets_no_descriptor_but_its_own),
        cmocka_unit_test(nor_where_the_kernel_cannot_mark_them_at_once),
        cmocka_unit_test(descriptors_may_change_places),
        cmocka_unit_test(streams_lead_where_they_are_told_to),
        cmocka_unit_test(pipes_never_block_at_our_end_and_do_at_its),
        cmocka_unit_test(closed_standard_descriptors_are_no_trap),
        cmocka_unit_test(it_is_asked_to_end_before_it_is_killed),
        cmocka_unit_test(a_group_is_killed_even_after_its_leader_has_ended),
        cmocka_unit_test(a_close_ends_it_whatever_is_cancelled),
        cmocka_unit_test(a_close_of_none_does_nothing),
        cmocka_unit_test(it_can_be_made_to_die_with_us),
        cmocka_unit_test(it_can_be_cancelled_at_every_point),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(too_many_processes_are_told),
        cmocka_unit_test(a_thousand_leave_no_zombie_and_no_descriptor),
    };
    if (argc > 2 && strcmp(argv[1], "--child") == 0)
        return be_child(argv);
    know_self();
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
