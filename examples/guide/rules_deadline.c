/* SPDX-License-Identifier: MIT */
/* rules_deadline.c - one deadline for all attempts, handed through as it is. */
#include <errno.h>
#include <ravel.h>
#include <stdio.h>
#include <string.h>

static int attempts;

/* A server that does not answer: the attempt's time ends the wait, or the caller's. */
static int ask(rv_time deadline)
{
    struct rv_event answer = RV_EVENT_INIT;
    rv_time attempt = rv_after(30 * RV_MILLISECOND);
    attempts++;
    return rv_event_wait(&answer, attempt < deadline ? attempt : deadline);
}

static int ask_again_and_again(rv_time deadline)
{
    int r = ask(deadline);
    while (r == -ETIME && rv_now() < deadline)
        r = ask(deadline);
    return r;
}

static int entry(void *arg)
{
    rv_time begin = rv_now();
    int r = ask_again_and_again(begin + 100 * RV_MILLISECOND);
    printf("%s: %d attempts, %d ms\n", strerror(-r), attempts,
           (int)((rv_now() - begin) / RV_MILLISECOND));
    return r == -ETIME ? 0 : r;
}

int main(void)
{
    /* In virtual time, which is exact; see the chapter on testing. */
    return rv_sim_run(entry, NULL, NULL) < 0;
}
