/* SPDX-License-Identifier: MIT */
/* test_object.c - shared memory by name: in the process that has made it, and in workers, which
 * get what lives and nothing else. */
#include "shm/object.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <ravel/io.h>
#include <ravel/net.h>
#include <ravel/time.h>

#include "../../support/child.h"
#include "base/alloc.h"
#include "base/check.h"
#include "sys/call.h"
#include "sys/thread.h"

static struct rv_shm make(size_t bytes)
{
    struct rv_shm shm;
    assert_int_equal(rv_shm_alloc(&shm, bytes), 0);
    return shm;
}

static char *map(struct rv_shm shm)
{
    void *memory = NULL;
    assert_int_equal(rv_shm_map(shm, &memory), 0);
    return memory;
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* --- in the process that makes it --- */

static void its_bytes_are_where_they_were(void **state)
{
    (void)state;
    struct rv_shm shm = make(100);
    assert_true(shm.id != 0);
    assert_int_equal(shm.bytes, 100);
    char *memory = map(shm);
    for (int i = 0; i < 100; i++)
        assert_int_equal(memory[i], 0);
    strcpy(memory, "here");
    assert_ptr_equal(map(shm), memory);
    assert_ptr_equal(map((struct rv_shm){shm.id, 1}), memory);
    rv_shm_free(shm);
}

static void only_what_lives_is_found(void **state)
{
    (void)state;
    void *memory;
    struct rv_shm shm = make(100);
    assert_int_equal(rv_shm_map((struct rv_shm){shm.id, 101}, &memory), -EINVAL);
    assert_int_equal(rv_shm_map((struct rv_shm){shm.id + 1, 100}, &memory), -ENOENT);
    rv_shm_free(shm);
    assert_int_equal(rv_shm_map(shm, &memory), -ENOENT);
    assert_int_equal(rv_shm_map((struct rv_shm){0}, &memory), -ENOENT);
    assert_int_equal(rv_shm_alloc(&shm, 0), -EINVAL);
    rv_shm_free((struct rv_shm){0});
}

static void many_are_kept_apart(void **state)
{
    (void)state;
    enum { MANY = 100 };
    struct rv_shm all[MANY];
    long before = rvi_alloc_live();
    for (int i = 0; i < MANY; i++) {
        all[i] = make(sizeof(int));
        *(int *)(void *)map(all[i]) = i;
    }
    for (int i = 0; i < MANY; i += 2)
        rv_shm_free(all[i]);
    for (int i = 1; i < MANY; i += 2) {
        assert_int_equal(*(int *)(void *)map(all[i]), i);
        rv_shm_free(all[i]);
    }
    assert_int_equal(rvi_alloc_live(), before);
}

static void free_twice(void *arg)
{
    struct rv_shm shm;
    (void)arg;
    if (rv_shm_alloc(&shm, 1) == 0) {
        rv_shm_free(shm);
        rv_shm_free(shm);
    }
}

static void freeing_twice_stops_the_program(void **state)
{
    (void)state;
    struct ending ending = run_child(free_twice, NULL);
    assert_true(WIFSIGNALED(ending.status));
    assert_non_null(strstr(ending.text, "rv_shm_free: no shared memory"));
}

static void a_failure_leaves_nothing(void **state)
{
    (void)state;
    struct rv_shm shm = {7, 7};
    int descriptors = open_descriptors();
    long live = rvi_alloc_live();
    rvi_alloc_fail_after(1);
    assert_int_equal(rv_shm_alloc(&shm, 100), -ENOMEM);
    rvi_alloc_fail_after(-1);
    for (long n = 1; RVI_DEBUG_CHECKS >= 1; n++) {
        bool is_optional;
        rvi_call_fail_after(n, 0, false);
        int r = rv_shm_alloc(&shm, 100);
        if (rvi_call_fail_pending()) {
            rv_shm_free(shm);
            break;
        }
        rvi_call_failed(&is_optional);
        assert_int_equal(r < 0, !is_optional);
        if (r == 0)
            rv_shm_free(shm);
        assert_int_equal(open_descriptors(), descriptors);
        assert_int_equal(rvi_alloc_live(), live);
    }
    rvi_call_fail_after(-1, 0, false);
}

/* --- both sides in one process: the asking is a call --- */

static int questions, lend_result;
static struct rv_shm instead; /* id 0: tell the truth */

static int ask_here(void *arg, struct rvi_shm_ask ask)
{
    int fd;
    (void)arg;
    questions++;
    if (lend_result < 0)
        return lend_result;
    struct rvi_shm_answer answer = rvi_shm_lend(ask, &fd);
    if (instead.id != 0)
        rvi_loans_told((struct rvi_shm_answer){.shm = instead}, dup(fd));
    rvi_loans_told(answer, fd);
    rvi_loans_told(answer, dup(0)); /* nobody waits any more */
    return 0;
}

static void be_worker(void)
{
    questions = lend_result = 0;
    instead = (struct rv_shm){0};
    rvi_loans_begin(ask_here, NULL);
}

static void a_worker_asks_once(void **state)
{
    (void)state;
    int descriptors = open_descriptors();
    long live = rvi_alloc_live();
    struct rv_shm shm = make(5000);
    char *mine = map(shm);
    be_worker();
    char *theirs = map(shm);
    assert_ptr_not_equal(mine, theirs);
    strcpy(theirs + 4990, "result");
    assert_string_equal(mine + 4990, "result");
    assert_ptr_equal(map(shm), theirs);
    assert_int_equal(questions, 1);
    rvi_loans_end();
    rv_shm_free(shm);
    assert_int_equal(open_descriptors(), descriptors);
    assert_int_equal(rvi_alloc_live(), live);
}

static void a_worker_gets_what_lives_and_makes_nothing(void **state)
{
    (void)state;
    void *memory;
    struct rv_shm made, shm = make(100);
    be_worker();
    assert_int_equal(rv_shm_alloc(&made, 100), -EOPNOTSUPP);
    assert_int_equal(rv_shm_map((struct rv_shm){shm.id ^ 1, 100}, &memory), -ENOENT);
    assert_int_equal(rv_shm_map((struct rv_shm){shm.id, 101}, &memory), -EINVAL);
    lend_result = -EPIPE;
    assert_int_equal(rv_shm_map((struct rv_shm){shm.id ^ 1, 100}, &memory), -EPIPE);
    rvi_loans_end();
    rv_shm_free(shm);
}

static void answers_to_other_questions_are_dropped(void **state)
{
    (void)state;
    int descriptors = open_descriptors();
    struct rv_shm shm = make(100);
    be_worker();
    instead = (struct rv_shm){shm.id ^ 1, 100};
    assert_non_null(map(shm));
    rvi_loans_end();
    rv_shm_free(shm);
    assert_int_equal(open_descriptors(), descriptors);
}

static int ask_and_lose(void *arg, struct rvi_shm_ask ask)
{
    (void)arg, (void)ask;
    rvi_loans_lost(-EMFILE);
    rvi_loans_lost(-EIO); /* nobody waits any more */
    return 0;
}

static void a_worker_is_told_that_an_answer_is_lost(void **state)
{
    (void)state;
    long live = rvi_alloc_live();
    void *memory;
    rvi_loans_begin(ask_and_lose, NULL);
    assert_int_equal(rv_shm_map((struct rv_shm){1, 1}, &memory), -EMFILE);
    rvi_loans_end();
    assert_int_equal(rvi_alloc_live(), live);
}

static void freed_memory_is_gone_under_its_borrowers(void **state)
{
    (void)state;
    struct rv_shm shm = make(100);
    char *mine = map(shm);
    be_worker();
    char *theirs = map(shm);
    strcpy(mine, "secret");
    assert_string_equal(theirs, "secret");
    rv_shm_free(shm);
    assert_int_equal(theirs[0], 0);
    rvi_loans_end();
}

static void memory_that_is_left_stays_with_its_borrowers(void **state)
{
    (void)state;
    struct rv_shm shm = make(100);
    void *none;
    strcpy(map(shm), "kept");
    be_worker();
    char *theirs = map(shm);
    rvi_shm_leave(shm);
    assert_string_equal(theirs, "kept");
    rvi_loans_end();
    assert_int_equal(rv_shm_map(shm, &none), -ENOENT);
}

static void few_loans_are_kept_between_jobs(void **state)
{
    (void)state;
    enum { MANY = 80, KEPT = 64 };
    struct rv_shm all[MANY];
    for (int i = 0; i < MANY; i++)
        all[i] = make(1);
    be_worker();
    for (int i = 0; i < MANY; i++)
        map(all[i]);
    map(all[0]);
    rvi_loans_trim();
    assert_int_equal(questions, MANY);
    map(all[0]);
    for (int i = MANY - KEPT + 1; i < MANY; i++)
        map(all[i]);
    assert_int_equal(questions, MANY);
    map(all[1]);
    assert_int_equal(questions, MANY + 1);
    rvi_loans_end();
    for (int i = 0; i < MANY; i++)
        rv_shm_free(all[i]);
}

static void a_loan_that_fails_leaves_nothing(void **state)
{
    (void)state;
    void *memory;
    int descriptors = open_descriptors();
    long live = rvi_alloc_live();
    struct rv_shm shm = make(100);
    be_worker();
    rvi_alloc_fail_after(1);
    assert_int_equal(rv_shm_map(shm, &memory), -ENOMEM);
    rvi_alloc_fail_after(-1);
    rvi_call_lacks(RVI_CALL_COPY_FD, true);
    int r = rv_shm_map(shm, &memory);
    rvi_call_lacks(RVI_CALL_COPY_FD, false);
    assert_int_equal(r, RVI_DEBUG_CHECKS >= 1 ? -EMFILE : 0);
    rvi_loans_end();
    be_worker();
    rvi_call_lacks(RVI_CALL_MAP_MEMORY, true);
    r = rv_shm_map(shm, &memory);
    rvi_call_lacks(RVI_CALL_MAP_MEMORY, false);
    assert_int_equal(r, RVI_DEBUG_CHECKS >= 1 ? -ENOMEM : 0);
    rvi_loans_end();
    rv_shm_free(shm);
    assert_int_equal(open_descriptors(), descriptors);
    assert_int_equal(rvi_alloc_live(), live);
}

/* --- in two processes --- */

static void *listen_to_parent(void *arg)
{
    int control = *(int *)arg, fd = -1;
    struct rvi_shm_answer answer;
    size_t count;
    while (rv_recv_fds(control, &answer, sizeof(answer), &fd, 1, &count, RV_NEVER) > 0)
        rvi_loans_told(answer, count == 1 ? fd : -1);
    return NULL;
}

static int ask_parent(void *arg, struct rvi_shm_ask ask)
{
    return rv_send_all(*(int *)arg, &ask, sizeof(ask), NULL, RV_NEVER);
}

/* Doubles all numbers, on threads that all need the same memory at first. */
struct doubling {
    struct rv_shm shm;
    int begin, end;
};

static void *double_some(void *arg)
{
    const struct doubling *d = arg;
    void *memory;
    RV_CHECK(rv_shm_map(d->shm, &memory) == 0);
    for (int i = d->begin; i < d->end; i++)
        ((int *)memory)[i] *= 2;
    return NULL;
}

static void be_worker_process(int control, struct rv_shm shm)
{
    struct doubling halves[2] = {{shm, 0, 1000}, {shm, 1000, 2000}};
    pthread_t listener, threads[2];
    RV_CHECK(pthread_create(&listener, NULL, listen_to_parent, &control) == 0);
    rvi_loans_begin(ask_parent, &control);
    for (int i = 0; i < 2; i++)
        RV_CHECK(pthread_create(&threads[i], NULL, double_some, &halves[i]) == 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    _exit(0);
}

/* Until the worker has gone; returns how often it has asked. */
static int answer_worker(int control)
{
    struct rvi_shm_ask ask;
    int answers = 0;
    while (rv_recv(control, &ask, sizeof(ask), 0, RV_NEVER) == sizeof(ask)) {
        int fd;
        struct rvi_shm_answer answer = rvi_shm_lend(ask, &fd);
        assert_int_equal(rv_send_fds(control, &answer, sizeof(answer), &fd, fd >= 0, RV_NEVER),
                         sizeof(answer));
        close(fd);
        answers++;
    }
    return answers;
}

static void a_worker_process_works_on_it(void **state)
{
    (void)state;
    struct rv_shm shm = make(2000 * sizeof(int));
    int *numbers = (int *)(void *)map(shm);
    int pair[2], status;
    for (int i = 0; i < 2000; i++)
        numbers[i] = i;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(pair[0]);
        be_worker_process(pair[1], shm);
    }
    close(pair[1]);
    assert_int_equal(answer_worker(pair[0]), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(numbers[i], 2 * i);
    close(pair[0]);
    rv_shm_free(shm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_bytes_are_where_they_were),
        cmocka_unit_test(only_what_lives_is_found),
        cmocka_unit_test(many_are_kept_apart),
        cmocka_unit_test(freeing_twice_stops_the_program),
        cmocka_unit_test(a_failure_leaves_nothing),
        cmocka_unit_test(a_worker_asks_once),
        cmocka_unit_test(a_worker_gets_what_lives_and_makes_nothing),
        cmocka_unit_test(answers_to_other_questions_are_dropped),
        cmocka_unit_test(a_worker_is_told_that_an_answer_is_lost),
        cmocka_unit_test(freed_memory_is_gone_under_its_borrowers),
        cmocka_unit_test(memory_that_is_left_stays_with_its_borrowers),
        cmocka_unit_test(few_loans_are_kept_between_jobs),
        cmocka_unit_test(a_loan_that_fails_leaves_nothing),
        cmocka_unit_test(a_worker_process_works_on_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
