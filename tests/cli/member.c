/* SPDX-License-Identifier: MIT */
/* member.c - a program with a job, that `ravel worker` makes a member of a cluster. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ravel.h>

static int twice(const int *in, int *out)
{
    *out = 2 * *in;
    return 0;
}
RV_JOB(twice, int, int);

/* What a constructor sees is what the user has said behind "--". */
__attribute__((constructor)) static void look_at_arguments(int argc, char **argv)
{
    const char *wanted = getenv("MEMBER_SAYS");

    if (wanted && argc > 1)
        fprintf(stderr, "%s %s\n", wanted, argv[1]);
}

/* One job of a cluster. */
static int submit_one(void)
{
    rv_executor *ex;
    rv_future *f = NULL;
    struct rv_outcome outcome = {.kind = RV_OUTCOME_LOST};
    int in = 21, out = 0;
    int r = rv_executor_open(&ex, "cluster", NULL);

    if (r < 0)
        return 1;
    r = rv_submit(ex, &f, twice, &in, RV_NEVER);
    if (r == 0)
        r = rv_future_get(f, &out, &outcome, rv_after(RV_MINUTE));
    printf("%s %d\n", rv_outcome_word(outcome.kind), out);
    rv_future_free(f);
    return r < 0 || rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER) < 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "submit") == 0)
        return submit_one();
    puts("main was run");
    return 3;
}
