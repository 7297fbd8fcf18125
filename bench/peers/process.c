/* SPDX-License-Identifier: MIT */
/* process.c - a program started and waited for by the C library's calls. As both peers of it:
 * posix_spawn, which borrows our memory, and fork, which copies its page tables. */
#include "bench.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char program[] = "/bin/true";
static char *const command[] = {program, NULL};

static pid_t start(void)
{
    pid_t child = 0;
#ifdef BY_FORK
    child = fork();
    if (child == 0) {
        execve(command[0], command, environ);
        _exit(127);
    }
    bench_must(child < 0 ? -errno : 0, "fork");
#else
    bench_must(-posix_spawn(&child, command[0], NULL, NULL, command, environ), "posix_spawn");
#endif
    return child;
}

static void run(void *arg, long ops)
{
    (void)arg;
    while (ops-- > 0) {
        int status;
        pid_t child = start();
        bench_must(waitpid(child, &status, 0) == child ? 0 : -errno, "waitpid");
    }
}

/* Of the library's two ways there is one here. */
static void run_child(void)
{
    bench_param_text("how", "task");
    bench_touch(bench_param_upto("mib", 0, 4096));
    bench_batches(run, NULL, 50);
}

int main(int argc, char **argv)
{
    static const struct bench_choice benches[] = {{"child", run_child}, {NULL, NULL}};
    bench_choose(benches, WHO, argc, argv);
}
