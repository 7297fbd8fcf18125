/* SPDX-License-Identifier: MIT */
/* turns.c - three questions to somebody who takes 50 ms to answer, on one worker: one after the
 * other, or, with an argument, together. */
#include <stddef.h>

#include <ravel.h>

static int question(void *arg)
{
    (void)arg;
    return rv_sleep(50 * RV_MILLISECOND);
}

static int one_by_one(void *arg)
{
    int err = 0;

    (void)arg;
    for (int i = 0; i < 3 && err == 0; i++) {
        RV_SCOPE(s, err, .name = "one question") {
            err = rv_go(s, question, NULL);
        }
    }
    return err;
}

static int together(void *arg)
{
    int err;

    (void)arg;
    RV_SCOPE(s, err, .name = "all questions") {
        for (int i = 0; i < 3 && err == 0; i++)
            err = rv_go(s, question, NULL);
    }
    return err;
}

int main(int argc, char **argv)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};

    (void)argv;
    return rv_run(argc > 1 ? together : one_by_one, NULL, &opts) < 0;
}
