/* SPDX-License-Identifier: MIT */
/* role.c - what a worker process can be asked to do, by name. The list grows before main only, on
 * the first thread; hence it needs no lock. */
#include <string.h>

#include "base/check.h"
#include "proc/inside.h"

static struct rvi_role *roles;

void rvi_role_register(struct rvi_role *role)
{
    RV_CHECK(strlen(role->name) < RVI_ROLE_BYTES);
    role->next = roles;
    roles = role;
}

const struct rvi_role *rvi_role_find(const char *name)
{
    const struct rvi_role *role = roles;

    while (role && strcmp(role->name, name) != 0)
        role = role->next;
    return role;
}
