/* SPDX-License-Identifier: MIT */
/* program.c - the program that a verb is about. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

_Bool cli_find_program(const char *name, char *ret, size_t room)
{
    struct stat is;
    const char *list = getenv("PATH");

    if (strchr(name, '/')) {
        char *whole = realpath(name, NULL);
        _Bool fits = whole && (size_t)snprintf(ret, room, "%s", whole) < room;
        free(whole);
        return fits;
    }
    while (list && *list) {
        size_t count = strcspn(list, ":");
        snprintf(ret, room, "%.*s/%s", (int)count, list, name);
        if (stat(ret, &is) == 0 && S_ISREG(is.st_mode) && access(ret, X_OK) == 0)
            return true;
        list += count + (list[count] == ':');
    }
    return false;
}
