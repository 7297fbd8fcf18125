/* SPDX-License-Identifier: MIT */
/* exchange.c - an empty job to another process and back by what the kernel offers: eight bytes
 * there and eight back, through two pipes or over a socket pair. Both peers sleep for each; two
 * cores or one as asked for. */
#include "bench.h"
#include "pipe.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int mine, theirs_in, theirs_out, mine_in;

static void open_both(void)
{
#ifdef BY_PIPE
    int there[2], back[2];
    bench_must(pipe(there) == 0 && pipe(back) == 0 ? 0 : -errno, "pipe");
    mine = there[1], theirs_in = there[0], theirs_out = back[1], mine_in = back[0];
#else
    int pair[2];
    bench_must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 ? 0 : -errno, "socketpair");
    mine = mine_in = pair[0], theirs_in = theirs_out = pair[1];
#endif
}

static void echo(void)
{
    long number;
    while (read(theirs_in, &number, sizeof number) == sizeof number)
        bench_require(write(theirs_out, &number, sizeof number) == sizeof number, "write");
    _exit(0);
}

static void run(void *arg, long ops)
{
    (void)arg;
    for (long i = 0; i < ops; i++) {
        long back = -1;
        bench_require(write(mine, &i, sizeof i) == sizeof i, "write");
        bench_require(read(mine_in, &back, sizeof back) == sizeof back && back == i, "read");
    }
}

static void run_exchange(void)
{
    long cores = bench_param_upto("cores", 2, 2);
    if (strcmp(bench_param_text("wait", "both"), "sleep") != 0 ||
        bench_param("in_flight", 1) != 1 || bench_param("bytes", 0) != 0)
        bench_not_here();
    open_both();
    bench_stay_on(cores - 1);
    pid_t child = fork();
    bench_must(child < 0 ? -errno : 0, "fork");
    if (child == 0)
        echo();
    bench_stay_on(0);
    bench_batches(run, NULL, 10000);
    bench_must(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child ? 0 : -errno, "kill");
}

int main(int argc, char **argv)
{
    static const struct bench_choice benches[] = {
        {"shm-ring", run_exchange},
#ifdef BY_PIPE
        {"process-queue", run_pipe_queue},
#endif
        {NULL, NULL},
    };
    bench_choose(benches, WHO, argc, argv);
}
