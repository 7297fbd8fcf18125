/* SPDX-License-Identifier: MIT */
/* test_dump.c - what a dump says, from wherever it is asked for; that SIGQUIT asks for one; and
 * that it neither waits for a task that holds its worker nor needs memory that is not there. */
#include "task/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "../../support/under_tool.h"
#include "base/alloc.h"
#include "base/atomic.h"
#include "stage.h"
#include "sys/backtrace.h"
#include "sys/thread.h"

enum { ALIKE = 300, TEXT_BYTES = 1 << 20 };

static int run_on(unsigned workers, rv_fn *fn, void *arg)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = workers};
    return rv_run(fn, arg, &opts);
}

/* --- reading a dump --- */

static char text[TEXT_BYTES];

static void read_back(int fd)
{
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    RV_CHECK(n >= 0);
    text[n] = '\0';
}

static void dump(void)
{
    int fd = memfd_create("dump", MFD_CLOEXEC);
    RV_CHECK(fd >= 0 && rv_dump(fd) == 0);
    read_back(fd);
    close(fd);
}

static bool says(const char *what)
{
    return strstr(text, what) != NULL;
}

/* A busy machine may keep a worker from stopping in time; the next dump says more. */
static void dump_until_it_says(const char *what)
{
    do
        dump();
    while (!says(what));
}

/* Found out before the tests: libdw wants more stack than a task has. */
static bool has_lines;

static int find_out(void **state)
{
    struct rvi_backtracer *b = rvi_backtracer_new(true);
    (void)state;
    has_lines = b && rvi_backtracer_is_exact(b);
    rvi_backtracer_free(b);
    return 0;
}

/* --- tasks that wait --- */

static struct rv_event gate;
static rv_chan *letters;

static int take_letter(void *arg)
{
    int r = rv_chan_recv(letters, arg, RV_NEVER);
    return r == -EPIPE ? 0 : r;
}

static int pass_gate(void *arg)
{
    (void)arg;
    int r = rv_event_wait(&gate, RV_NEVER);
    return r < 0 ? r : 0;
}

static int have_children(void *arg)
{
    int err;
    RV_SCOPE(s, err, .name = "letters", .policy = RV_COLLECT_ALL,
             .deadline = rv_after(1000 * RV_SECOND)) {
        RV_CHECK(rv_go_named(s, take_letter, arg, "taker") == 0);
    }
    return err;
}

static void check_words(void)
{
    RV_CHECK(says("scope 'gate', fail fast\n"));
    RV_CHECK(says("scope 'letters', collect all, "));
    RV_CHECK(says(" s to its deadline\n"));
    RV_CHECK(says("'have_children', from ../"));
    RV_CHECK(says("test_dump.c:"));
    RV_CHECK(says(": waits (scope close)"));
    RV_CHECK(says("'taker', from "));
    RV_CHECK(says(": waits (channel receive)"));
    RV_CHECK(says("worker 0"));
    if (!has_lines || is_under_a_tool())
        return; /* a tool may use up the time for a look before the first frame */
    dump_until_it_says(": waits (channel receive) in take_letter at task/test_dump.c:");
    RV_CHECK(says("have_children at task/test_dump.c:"));
    RV_CHECK(!says("fiber_main") && !says("rvi_ctx_first_frame"));
}

static int let_them_wait(void *arg)
{
    int err, letter;
    size_t alike = *(size_t *)arg;
    char line[64];
    rv_event_init(&gate);
    RV_CHECK(rv_chan_new(&letters, sizeof(int), 1) == 0);
    RV_SCOPE(s, err, .name = "gate") {
        for (size_t i = 0; i < alike; i++)
            RV_CHECK(rv_go(s, pass_gate, NULL) == 0);
        RV_CHECK(rv_go(s, have_children, &letter) == 0);
        dump_until_it_says(": waits (channel receive)");
        check_words();
        snprintf(line, sizeof line, "%zu tasks like ", alike);
        if (alike > 1)
            dump_until_it_says(line);
        rv_event_set(&gate);
        rv_chan_close(letters);
    }
    rv_chan_free(letters);
    return err;
}

static void every_task_is_there_with_where_and_why_it_waits(void **state)
{
    (void)state;
    size_t few = 1;
    assert_int_equal(run_on(1, let_them_wait, &few), 0);
    assert_int_equal(run_on(3, let_them_wait, &few), 0);
}

static void tasks_that_wait_alike_are_one_entry(void **state)
{
    (void)state;
    size_t many = ALIKE;
    if (!has_lines)
        skip(); /* guesses hold stale calls, which differ */
    assert_int_equal(run_on(1, let_them_wait, &many), 0);
}

static int cancel_and_look(void *arg)
{
    int err;
    (void)arg;
    rv_event_init(&gate);
    RV_SCOPE(s, err, .name = "doomed") {
        rv_scope_cancel(s, -EHOSTUNREACH);
        dump_until_it_says("scope 'doomed', fail fast, cancelled (EHOSTUNREACH)\n");
        RV_CHECK(rv_task_rename("undertaker") == 0);
        dump_until_it_says("'undertaker'");
    }
    return err;
}

static void a_cancelled_scope_says_why_and_its_tasks_may_dump(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, cancel_and_look, NULL), -EHOSTUNREACH);
}

static int nest(void *arg)
{
    int err, *depth = arg;
    if (--*depth < 0) {
        dump();
        return 0;
    }
    RV_SCOPE(s, err)
        RV_CHECK(rv_go(s, nest, depth) == 0);
    return err;
}

static void scopes_nest_deeper_than_is_shown(void **state)
{
    (void)state;
    int few = 10, many = 150;
    assert_int_equal(run_on(1, nest, &few), 0);
    assert_false(says("(deeper scopes are not shown)"));
    assert_int_equal(run_on(1, nest, &many), 0);
    assert_true(says("(deeper scopes are not shown)"));
}

/* --- a task that holds its worker --- */

static _Atomic(bool) is_over, is_spinning;

static int spin(void *arg)
{
    (void)arg;
    rvi_store_seq_cst(&is_spinning, true); /* pairs: test-spin */
    while (!rvi_load_seq_cst(&is_over))    /* pairs: test-spin */
        rvi_thread_yield();
    return 0;
}

static int spin_elsewhere(void *arg)
{
    RV_CHECK(rv_migrate(1) == 0);
    return spin(arg);
}

static int look_at_spinner(void *arg)
{
    int err;
    (void)arg;
    rvi_store_seq_cst(&is_over, false);     /* pairs: test-spin */
    rvi_store_seq_cst(&is_spinning, false); /* pairs: test-spin */
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, spin_elsewhere, NULL) == 0);
        while (!rvi_load_seq_cst(&is_spinning)) /* pairs: test-spin */
            RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
        dump_until_it_says("worker 1: could not be stopped: held for about ");
        RV_CHECK(says("'spin_elsewhere', from "));
        RV_CHECK(says("belongs to a worker that could not be stopped"));
        RV_CHECK(says("worker 0: "));
        rvi_store_seq_cst(&is_over, true); /* pairs: test-spin */
    }
    return err;
}

static void who_holds_a_worker_is_named_and_the_others_are_shown(void **state)
{
    (void)state;
    assert_int_equal(run_on(2, look_at_spinner, NULL), 0);
}

/* --- from outside --- */

static void without_a_runtime_it_says_so(void **state)
{
    (void)state;
    dump();
    assert_true(says("ravel: no runtime\n"));
}

static void *run_and_wait(void *arg)
{
    RV_CHECK(run_on(2, pass_gate, arg) == 0);
    return NULL;
}

static size_t count_of(const char *what)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        count++;
    return count;
}

static void a_plain_thread_sees_all_runtimes(void **state)
{
    (void)state;
    pthread_t threads[3];
    rv_event_init(&gate);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_and_wait, NULL), 0);
    do
        dump();
    while (count_of("waits (event)") < 3);
    assert_int_equal(count_of("ravel: a runtime with 2 workers and 1 tasks\n"), 3);
    rv_event_set(&gate);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

static int dump_to_nowhere(void *arg)
{
    (void)arg;
    return rv_dump(-1);
}

static void a_file_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(rv_dump(-1), -EBADF);
    assert_int_equal(run_on(1, dump_to_nowhere, NULL), -EBADF);
}

/* --- memory --- */

static int dump_without_memory(void *arg)
{
    int err, fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)arg;
    rv_event_init(&gate);
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, pass_gate, NULL) == 0);
        rv_yield();
        RV_CHECK(rv_dump(fd) == 0); /* the helper thread is there from now on */
        for (long n = 1;; n++) {
            rvi_alloc_fail_after(n);
            int r = rv_dump(fd);
            if (rvi_alloc_fail_pending())
                break;
            RV_CHECK(r == -ENOMEM || r == -EAGAIN || n == 1); /* a second helper, not needed */
        }
        rvi_alloc_fail_after(-1);
        rv_event_set(&gate);
    }
    close(fd);
    return err;
}

static void without_memory_at_any_point_it_is_an_error(void **state)
{
    (void)state;
    long live = rvi_alloc_live();
    assert_int_equal(run_on(1, dump_without_memory, NULL), 0);
    assert_int_equal(rvi_alloc_live(), live);
}

/* --- SIGQUIT, in a child whose standard error is a file --- */

static bool error_says(const char *what)
{
    read_back(STDERR_FILENO);
    return says(what);
}

static void in_a_child(void (*fn)(void))
{
    pid_t child = fork();
    int status;
    assert_true(child >= 0);
    if (child == 0) {
        RV_CHECK(dup2(memfd_create("stderr", 0), STDERR_FILENO) == STDERR_FILENO);
        signal(SIGQUIT, SIG_DFL);
        fn();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static int quit_and_wait(void *arg)
{
    (void)arg;
    kill(getpid(), SIGQUIT);
    while (!error_says("'entry'"))
        RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
    return 0;
}

static void quit_twice(void)
{
    for (int i = 0; i < 2; i++) {
        RV_CHECK(ftruncate(STDERR_FILENO, 0) == 0 && lseek(STDERR_FILENO, 0, SEEK_SET) == 0);
        RV_CHECK(run_on(2, quit_and_wait, NULL) == 0);
    }
}

static void sigquit_dumps_and_the_program_goes_on(void **state)
{
    (void)state;
    in_a_child(quit_twice);
}

static void *quit_the_stuck(void *arg)
{
    while (!rvi_load_seq_cst(&is_spinning)) /* pairs: test-spin */
        rvi_thread_yield();
    do {
        kill(getpid(), SIGQUIT);
        rvi_thread_yield();
    } while (!error_says("worker 0: could not be stopped"));
    rvi_store_seq_cst(&is_over, true); /* pairs: test-spin */
    return arg;
}

static void be_stuck(void)
{
    pthread_t quitter;
    RV_CHECK(pthread_create(&quitter, NULL, quit_the_stuck, NULL) == 0);
    RV_CHECK(run_on(1, spin, NULL) == 0);
    pthread_join(quitter, NULL);
}

static void a_program_that_is_stuck_can_be_asked(void **state)
{
    (void)state;
    rvi_store_seq_cst(&is_over, false);     /* pairs: test-spin */
    rvi_store_seq_cst(&is_spinning, false); /* pairs: test-spin */
    in_a_child(be_stuck);
}

static int look_at_disposition(void *arg)
{
    struct sigaction now;
    RV_CHECK(sigaction(SIGQUIT, NULL, &now) == 0);
    *(bool *)arg = !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL;
    return 0;
}

static bool is_left_alone(struct rv_run_opts opts)
{
    bool is_default = false;
    opts.size = sizeof opts;
    RV_CHECK(rv_run(look_at_disposition, &is_default, &opts) == 0);
    return is_default;
}

static void ask_not_to(void)
{
    RV_CHECK(!is_left_alone((struct rv_run_opts){0}));
    RV_CHECK(is_left_alone((struct rv_run_opts){.no_quit_dump = 1}));
    setenv("RAVEL_DUMP", "0", 1);
    RV_CHECK(is_left_alone((struct rv_run_opts){0}));
    setenv("RAVEL_DUMP", "1", 1);
    RV_CHECK(!is_left_alone((struct rv_run_opts){0}));
    setenv("RAVEL_DUMP", "maybe", 1);
    RV_CHECK(rv_run(look_at_disposition, NULL, NULL) == -EINVAL);
    RV_CHECK(error_says("RAVEL_DUMP=maybe"));
}

static void a_program_may_keep_the_signal(void **state)
{
    (void)state;
    in_a_child(ask_not_to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_is_there_with_where_and_why_it_waits),
        cmocka_unit_test(tasks_that_wait_alike_are_one_entry),
        cmocka_unit_test(a_cancelled_scope_says_why_and_its_tasks_may_dump),
        cmocka_unit_test(scopes_nest_deeper_than_is_shown),
        cmocka_unit_test(who_holds_a_worker_is_named_and_the_others_are_shown),
        cmocka_unit_test(without_a_runtime_it_says_so),
        cmocka_unit_test(a_plain_thread_sees_all_runtimes),
        cmocka_unit_test(a_file_that_cannot_be_written_is_an_error),
        cmocka_unit_test(without_memory_at_any_point_it_is_an_error),
        cmocka_unit_test(sigquit_dumps_and_the_program_goes_on),
        cmocka_unit_test(a_program_that_is_stuck_can_be_asked),
        cmocka_unit_test(a_program_may_keep_the_signal),
    };
    return cmocka_run_group_tests(tests, find_out, NULL);
}
