/* SPDX-License-Identifier: MIT */
/* process_start.c - how long it takes to have one more process, for a process that has touched so
 * much memory.
 *
 * how=worker   a worker process of ours, until it has answered: its constructors have run, it has
 *              found its role and is told what to do
 * how=spawn    the floor: posix_spawn of a program that ends at once, until it has ended. With
 *              program=static its executable is static, otherwise dynamic
 * how=fork     fork, the child ends at once, until it has ended */
#include "bench.h"

#include <poll.h>
#include <ravel.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/proc.h"

enum { MOST = 10000 };

static int wait_to_be_killed(const struct rvi_proc_self *self)
{
    (void)self;
    return pause();
}

static struct rvi_role role = {.name = "bench", .run = wait_to_be_killed};

__attribute__((constructor)) static void add_role(void)
{
    rvi_role_register(&role);
}

static double start_worker(void)
{
    const struct rvi_proc_start what = {.role = "bench"};
    struct rvi_proc proc;
    int64_t begin = bench_now();

    bench_must(rvi_proc_start(&proc, &what, NULL), "rvi_proc_start");
    bench_must(rv_poll(proc.control, POLLIN, RV_NEVER), "rv_poll");
    bench_must(rvi_proc_take_answer(&proc), "rvi_proc_take_answer");
    double taken = (double)(bench_now() - begin);
    rvi_proc_fini(&proc);
    return taken;
}

static char program[4096];

/* Beside this one. */
static void find_program(void)
{
    const char *kind = bench_param_text("program", "dynamic");
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 32);

    bench_require(n > 0, "readlink /proc/self/exe");
    program[n] = '\0';
    strcpy(strrchr(program, '/'), strcmp(kind, "static") == 0 ? "/nothing-static" : "/nothing");
    if (access(program, X_OK) != 0)
        bench_not_here();
}

static double spawn(void)
{
    char *argv[] = {program, NULL};
    int64_t begin = bench_now();
    int status;
    pid_t pid;

    bench_must(-posix_spawn(&pid, program, NULL, NULL, argv, environ), "posix_spawn");
    bench_require(waitpid(pid, &status, 0) == pid && status == 0, "waitpid");
    return (double)(bench_now() - begin);
}

static double fork_one(void)
{
    int64_t begin = bench_now();
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    bench_require(waitpid(pid, &status, 0) == pid && status == 0, "waitpid");
    return (double)(bench_now() - begin);
}

int main(int argc, char **argv)
{
    static double taken[MOST];
    char how[16] = {0};
    bench_begin("process-start", "ravel", argc, argv);
    strncpy(how, bench_param_text("how", "worker"), sizeof how - 1);
    bool is_worker = strcmp(how, "worker") == 0, is_spawn = strcmp(how, "spawn") == 0;
    bench_require(is_worker || is_spawn || strcmp(how, "fork") == 0, "how=worker, spawn or fork");
    if (is_spawn)
        find_program();
    bench_touch(bench_param_upto("mib", 0, 4096));
    long ops = bench_param_upto("ops", 100, MOST);
    for (long i = -1; i < ops; i++) /* the first is the warm-up */
        taken[i < 0 ? 0 : i] = is_worker ? start_worker() : is_spawn ? spawn() : fork_one();
    bench_result(NULL, bench_percentile(taken, (size_t)ops, 50), "ns");
}
