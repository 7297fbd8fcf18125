/* SPDX-License-Identifier: MIT */
/* test_job.c - the registry of jobs. */
#include <ravel/job.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"

struct pair {
    int first, second;
};

static int add_pair(const struct pair *in, long *out)
{
    *out = (long)in->first + in->second;
    return 0;
}
RV_JOB(add_pair, struct pair, long);

static int ignored(const void *in, void *out)
{
    (void)in;
    (void)out;
    return 0;
}

/* Register while stderr goes to `said`; returns what rv_job_register did. */
static int register_listening(struct rv_job *job, char *said, size_t bytes)
{
    int ends[2], terminal = dup(STDERR_FILENO);

    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    int r = rv_job_register(job);
    dup2(terminal, STDERR_FILENO);
    close(terminal);
    close(ends[1]);
    ssize_t length = read(ends[0], said, bytes - 1);
    assert_true(length >= 0);
    said[length] = '\0';
    close(ends[0]);
    return r;
}

static void a_job_is_registered_before_main(void **state)
{
    (void)state;
    const struct rv_job *job = rv_job_find("add_pair");
    assert_ptr_equal(job, &rv_job_add_pair);
    assert_string_equal(job->name, "add_pair");
    assert_string_equal(job->file, __FILE__);
    assert_int_equal(job->in_bytes, sizeof(struct pair));
    assert_int_equal(job->out_bytes, sizeof(long));
}

static void a_job_runs_by_its_bytes(void **state)
{
    (void)state;
    long sum = 0;
    assert_int_equal(rv_job_find("add_pair")->run(&(struct pair){40, 2}, &sum), 0);
    assert_int_equal(sum, 42);
}

static void a_name_is_found_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_null(rv_job_find("add_pai"));
    assert_null(rv_job_find("add_pairs"));
    assert_null(rv_job_find(""));
}

static void a_second_job_of_a_name_is_refused_and_both_places_are_named(void **state)
{
    static struct rv_job first = {"twin", ignored, 0, 0, "first.c", 11, NULL, 0, 0};
    static struct rv_job second = {"twin", ignored, 0, 0, "second.c", 22, NULL, 0, 0};
    char said[1024];

    (void)state;
    assert_int_equal(register_listening(&first, said, sizeof(said)), 0);
    assert_string_equal(said, "");
    assert_int_equal(register_listening(&second, said, sizeof(said)), -EEXIST);
    assert_non_null(strstr(said, "twin"));
    assert_non_null(strstr(said, "first.c:11"));
    assert_non_null(strstr(said, "second.c:22"));
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
    assert_ptr_equal(rv_job_find("twin"), &first);
}

static void registering_one_job_twice_does_not_tie_a_loop(void **state)
{
    static struct rv_job job = {"twice", ignored, 0, 0, "here.c", 1, NULL, 0, 0};
    char said[1024];

    (void)state;
    assert_int_equal(register_listening(&job, said, sizeof(said)), 0);
    assert_int_equal(register_listening(&job, said, sizeof(said)), -EEXIST);
    assert_null(rv_job_find("a name that makes the search go to the end"));
}

static void the_report_of_a_long_name_is_still_one_line(void **state)
{
    static char name[2000];
    static struct rv_job job = {name, ignored, 0, 0, "here.c", 1, NULL, 0, 0};
    char said[4096];

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    assert_int_equal(register_listening(&job, said, sizeof(said)), 0);
    assert_int_equal(register_listening(&job, said, sizeof(said)), -EEXIST);
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
}

enum { CROWD = 4, EACH = 100 };

static struct rv_job crowd[CROWD][EACH];
static char crowd_names[CROWD][EACH][24];

static void *register_many(void *arg)
{
    size_t who = (size_t)(uintptr_t)arg;

    for (size_t i = 0; i < EACH; i++) {
        char *name = crowd_names[who][i];
        snprintf(name, sizeof(crowd_names[who][i]), "crowd %zu.%zu", who, i);
        crowd[who][i] = (struct rv_job){name, ignored, 0, 0, "crowd.c", 1, NULL, 0, 0};
        RV_CHECK(rv_job_register(&crowd[who][i]) == 0);
        RV_CHECK(rv_job_find(name) == &crowd[who][i]);
        RV_CHECK(rv_job_find("add_pair") == &rv_job_add_pair);
    }
    return NULL;
}

static void threads_register_and_find_at_one_time(void **state)
{
    pthread_t threads[CROWD];

    (void)state;
    for (size_t i = 0; i < CROWD; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, register_many, (void *)(uintptr_t)i), 0);
    for (size_t i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    for (size_t who = 0; who < CROWD; who++) {
        for (size_t i = 0; i < EACH; i++)
            assert_ptr_equal(rv_job_find(crowd_names[who][i]), &crowd[who][i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_is_registered_before_main),
        cmocka_unit_test(a_job_runs_by_its_bytes),
        cmocka_unit_test(a_name_is_found_whole_or_not_at_all),
        cmocka_unit_test(a_second_job_of_a_name_is_refused_and_both_places_are_named),
        cmocka_unit_test(registering_one_job_twice_does_not_tie_a_loop),
        cmocka_unit_test(the_report_of_a_long_name_is_still_one_line),
        cmocka_unit_test(threads_register_and_find_at_one_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
