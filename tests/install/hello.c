/* SPDX-License-Identifier: MIT */
/* hello.c - a program from outside the tree: a task in a scope, told to the installed library. */
#include <ravel.h>

#include <stdio.h>

static int greet(void *arg)
{
    printf("hello from %s, ravel %s\n", (const char *)arg, rv_version());
    return 0;
}

static int entry(void *arg)
{
    int err;
    RV_SCOPE(s, err) {
        if (rv_go(s, greet, arg) < 0)
            rv_scope_cancel(s, 0);
    }
    return err;
}

int main(void)
{
    char name[] = "a task";
    return rv_run(entry, name, NULL) == 0 ? 0 : 1;
}
