/* SPDX-License-Identifier: MIT */
/* party.c - a program that submits jobs to the cluster that RAVEL_CLUSTER names, and is its worker.
 *
 *     party double N     N jobs that double a number; prints their sum
 *     party linger MS    a job that sleeps; prints how it has ended
 *     party fragile DIR  a job that kills its process until there is a file DIR/mended, and then
 *                        makes DIR/done; prints how it has ended
 *
 * Exit status: 0 it was printed, 2 it was not, and why. */
#include <errno.h>
#include <fcntl.h>
#include <ravel.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 10000 };

struct number {
    long value;
};

struct place {
    char dir[512];
};

static int twice(const struct number *in, struct number *out)
{
    out->value = in->value * 2;
    return 0;
}
RV_JOB_IDEMPOTENT(twice, struct number, struct number);

static int linger(const struct number *in, struct number *out)
{
    out->value = in->value;
    return rv_sleep(in->value * RV_MILLISECOND);
}
RV_JOB(linger, struct number, struct number);

static int fragile(const struct place *in, struct number *out)
{
    char path[600];

    snprintf(path, sizeof path, "%s/mended", in->dir);
    if (access(path, F_OK) != 0)
        raise(SIGKILL);
    snprintf(path, sizeof path, "%s/done", in->dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    close(fd);
    out->value = 1;
    return 0;
}
RV_JOB_IDEMPOTENT(fragile, struct place, struct number);

static int complain(const char *what, int error, const char *words)
{
    fprintf(stderr, "%s: %s%s%s\n", what, strerror(-error), words[0] ? ": " : "", words);
    return 2;
}

static int double_all(rv_executor *ex, long count)
{
    struct number *in = calloc((size_t)count, sizeof *in),
                  *out = calloc((size_t)count, sizeof *out);
    long sum = 0;
    int r = in && out ? 0 : -ENOMEM;

    for (long i = 0; r == 0 && i < count; i++)
        in[i].value = i;
    if (r == 0)
        r = rv_map(ex, twice, in, (size_t)count, out, NULL, rv_after(60 * RV_SECOND));
    for (long i = 0; r == 0 && i < count; i++)
        sum += out[i].value;
    free(in);
    free(out);
    if (r < 0)
        return complain("rv_map", r, "");
    printf("%ld\n", sum);
    return 0;
}

static int wait_for(rv_future *f)
{
    struct number out;
    struct rv_outcome outcome;
    int r = rv_future_get(f, &out, &outcome, rv_after(60 * RV_SECOND));

    if (r == 0)
        printf("%s\n", rv_outcome_word(outcome.kind));
    rv_future_free(f);
    return r == 0 ? 0 : complain("rv_future_get", r, "");
}

static int run_one(rv_executor *ex, const char *verb, const char *word)
{
    struct number ms = {atol(word)};
    struct place place = {""};
    rv_future *f = NULL;
    int r;

    snprintf(place.dir, sizeof place.dir, "%s", word);
    r = strcmp(verb, "linger") == 0 ? rv_submit(ex, &f, linger, &ms, RV_NEVER)
                                    : rv_submit(ex, &f, fragile, &place, RV_NEVER);
    return r == 0 ? wait_for(f) : complain("rv_submit", r, "");
}

int main(int argc, char **argv)
{
    char words[256] = "";
    struct rv_cluster_opts cluster = {.size = sizeof cluster,
                                      .connect_timeout = 30 * RV_SECOND, /* elections take some */
                                      .worker_wait = 20 * RV_SECOND,
                                      .words = words,
                                      .words_bytes = sizeof words};
    struct rv_executor_opts opts = {.size = sizeof opts, .retries = 1, .cluster = &cluster};
    rv_executor *ex;

    if (argc != 3 || atol(argv[2]) < 0 || atol(argv[2]) > MOST) {
        fputs("usage: party double N | linger MS | fragile DIR\n", stderr);
        return 2;
    }
    int r = rv_executor_open(&ex, "cluster", &opts);
    if (r < 0)
        return complain("rv_executor_open", r, words);
    int status = strcmp(argv[1], "double") == 0 ? double_all(ex, atol(argv[2]))
                                                : run_one(ex, argv[1], argv[2]);
    r = rv_executor_close(ex, RV_CLOSE_WAIT, rv_after(10 * RV_SECOND));
    return r < 0 ? complain("rv_executor_close", r, "") : status;
}
