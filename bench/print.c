/* SPDX-License-Identifier: MIT */
/* print.c - a line of 60 bytes printed: `tasks` tasks on as many workers as `workers` says print to
 * standard error, which goes to `to`: "null", the null device, or "file", a file without a name.
 * All is written when the time is taken. */
#include "tasks.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static long tasks;

static int print_many(void *arg)
{
    int r = 0;
    for (long left = *(long *)arg; r == 0 && left > 0; left--)
        r = rv_print_error("line %10ld of a task that has something to tell, again\n", left);
    return r;
}

static void run(void *arg, long ops)
{
    (void)arg;
    bench_share_out(print_many, tasks, ops);
    bench_must(rv_print_flush(RV_NEVER), "rv_print_flush");
}

static int measure(void *arg)
{
    (void)arg;
    bench_batches(run, NULL, 500000);
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("print", "ravel", argc, argv);
    tasks = bench_param("tasks", 8);
    const char *to = bench_param_text("to", "null");
    struct rv_run_opts opts = {.size = sizeof opts, .workers = (unsigned)bench_param("workers", 2)};
    int fd =
        strcmp(to, "file") ? open("/dev/null", O_WRONLY) : open(".", O_TMPFILE | O_WRONLY, 0600);
    bench_require(fd >= 0 && dup2(fd, STDERR_FILENO) >= 0, "nothing to print to");
    bench_must(rv_run(measure, NULL, &opts), "rv_run");
}
