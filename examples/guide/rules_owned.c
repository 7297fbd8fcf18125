/* SPDX-License-Identifier: MIT */
/* rules_owned.c - nothing runs on behind its block, also when a part fails. */
#include <errno.h>
#include <ravel.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static atomic_int alive;

static int part(void *arg)
{
    int number = *(const int *)arg;
    atomic_fetch_add(&alive, 1);
    int r = rv_sleep(number == 3 ? 10 * RV_MILLISECOND : 60 * RV_MINUTE);
    if (r == 0)
        r = -EIO; /* the third part fails */
    atomic_fetch_sub(&alive, 1);
    return r;
}

static int entry(void *arg)
{
    int numbers[] = {1, 2, 3, 4, 5}, err;
    RV_SCOPE(s, err) {
        for (int i = 0; i < 5; i++) {
            int r = rv_go(s, part, &numbers[i]);
            if (r < 0)
                rv_scope_cancel(s, r);
        }
    }
    printf("%s; %d parts alive\n", strerror(-err), atomic_load(&alive));
    return err == -EIO ? 0 : err;
}

int main(void)
{
    return rv_run(entry, NULL, NULL) < 0;
}
