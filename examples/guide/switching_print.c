/* SPDX-License-Identifier: MIT */
/* switching_print.c - how many system calls a thousand printed lines are. */
#define _GNU_SOURCE 1
#include <stdio.h>
#include <sys/types.h>

static int calls;

/* In the place of write(2). */
static ssize_t count_call(void *cookie, const char *text, size_t bytes)
{
    calls++;
    return (ssize_t)bytes;
}

static int print(const char *how, int mode)
{
    char buffer[4096];
    cookie_io_functions_t to_count = {.write = count_call};
    FILE *out = fopencookie(NULL, "w", to_count);
    if (out == NULL)
        return -1;
    setvbuf(out, buffer, mode, sizeof(buffer));
    calls = 0;
    for (int i = 0; i < 1000; i++)
        fprintf(out, "this is line %d\n", i);
    fclose(out);
    printf("%s: %d calls\n", how, calls);
    return 0;
}

int main(void)
{
    return print("line by line, as to a terminal", _IOLBF) < 0 ||
           print("in blocks, as to a file or a pipe", _IOFBF) < 0;
}
