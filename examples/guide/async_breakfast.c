/* SPDX-License-Identifier: MIT */
/* async_breakfast.c - three waits, one by one and together; with an argument, "one"
 * or "together", only that. */
#include <ravel.h>
#include <stdio.h>
#include <string.h>

static rv_time coffee = 100 * RV_MILLISECOND;
static rv_time egg = 300 * RV_MILLISECOND;
static rv_time toast = 200 * RV_MILLISECOND;

/* Stands for whatever answers later: a disk, a database, another machine. */
static int make(void *wait)
{
    return rv_sleep(*(rv_time *)wait);
}

static int one_by_one(void *arg)
{
    int r = make(&coffee);
    if (r == 0)
        r = make(&egg);
    if (r == 0)
        r = make(&toast);
    return r;
}

static int together(void *arg)
{
    int err;
    RV_SCOPE(s, err, .name = "breakfast") {
        int r = rv_go_named(s, make, &coffee, "coffee");
        if (r == 0)
            r = rv_go_named(s, make, &egg, "egg");
        if (r == 0)
            r = rv_go_named(s, make, &toast, "toast");
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    return err;
}

static int tell(const char *how, rv_fn *breakfast)
{
    struct rv_run_opts one_thread = {.size = sizeof(one_thread), .workers = 1};
    rv_time begin = rv_now();
    int r = rv_run(breakfast, NULL, &one_thread);
    rv_time sum = coffee + egg + toast, took = rv_now() - begin;
    printf("%s: %s\n", how, took >= sum ? "the sum of the waits" : "less than that");
    return r;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int r = 0;
    if (strcmp(what, "together") != 0)
        r = tell("one by one", one_by_one);
    if (r == 0 && strcmp(what, "one") != 0)
        r = tell("together", together);
    return r < 0;
}
