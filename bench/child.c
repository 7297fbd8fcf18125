/* SPDX-License-Identifier: MIT */
/* child.c - a program started and waited for, by a process that has touched so much memory.
 *
 * how=task starts from a task, on a helper thread; how=thread from a plain thread. */
#include "bench.h"

#include <ravel.h>
#include <string.h>

static void run(void *arg, long ops)
{
    const char *const argv[] = {"/bin/true", NULL};
    (void)arg;
    while (ops-- > 0) {
        struct rv_child_status status;
        rv_child *child;
        bench_must(rv_child_start(&child, argv, NULL), "rv_child_start");
        bench_must(rv_child_wait(child, &status, RV_NEVER), "rv_child_wait");
        rv_child_close(child);
    }
}

static int measure(void *arg)
{
    bench_batches(run, arg, 50);
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("child", "ravel", argc, argv);
    char how[16] = {0};
    strncpy(how, bench_param_text("how", "task"), sizeof how - 1);
    bench_require(!strcmp(how, "task") || !strcmp(how, "thread"), "how=task or how=thread");
    bench_touch(bench_param_upto("mib", 0, 4096));
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};
    bench_must(strcmp(how, "task") == 0 ? rv_run(measure, NULL, &opts) : measure(NULL), "measure");
}
