/* SPDX-License-Identifier: MIT */
/* snapshot_names.c - the words in a snapshot: where tasks are started, and what they are called.
 * Each site is kept once.
 *
 * Checked by: tests/unit/look/test_snapshot.c */
#include "look/maker.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"

/* A name that cannot be read is no reason to fail: a library may have been unloaded. */
int look_maker_name(const struct look_maker *m, uint64_t address, char *to, size_t room)
{
    int r = address ? look_read_text(m->target, address, to, room) : -EFAULT;

    if (r == -EFAULT)
        strcpy(to, "?");
    return r == -EFAULT ? 0 : r;
}

static int read_site(const struct look_maker *m, uint64_t address, struct look_site *ret)
{
    char record[LOOK_RECORD_BYTES_MOST] = {0};
    int r = look_maker_read(m, address, record, look_maker_bytes(m, RVI_RECORD_SITE));

    if (r < 0 && r != -EFAULT)
        return r;
    ret->line = (unsigned)look_maker_get(m, record, RVI_AT_SITE_LINE);
    r = look_maker_name(m, look_maker_get(m, record, RVI_AT_SITE_FILE), ret->file,
                        sizeof ret->file);
    if (r == 0)
        r = look_maker_name(m, look_maker_get(m, record, RVI_AT_SITE_FUNC), ret->func,
                            sizeof ret->func);
    if (r == 0)
        r = look_maker_name(m, look_maker_get(m, record, RVI_AT_SITE_NAME), ret->name,
                            sizeof ret->name);
    return r;
}

static int add_site(struct look_maker *m, uint64_t address, const struct look_site **ret)
{
    struct look_snapshot *made = m->made;
    struct look_site **sites =
        rvi_realloc(made->sites, (made->site_count + 1) * sizeof(struct look_site *));

    if (!sites)
        return -ENOMEM;
    made->sites = sites;
    struct look_site *site = rvi_calloc(1, sizeof *site);
    if (!site)
        return -ENOMEM;
    sites[made->site_count++] = site;
    *ret = site;
    int r = read_site(m, address, site);
    return r < 0 ? r : look_index_put(&made->site_at, address, (int64_t)made->site_count - 1);
}

int look_maker_site(struct look_maker *m, uint64_t address, const struct look_site **ret)
{
    int64_t known = look_index_get(&m->made->site_at, address);

    if (known == LOOK_NONE)
        return add_site(m, address, ret);
    *ret = m->made->sites[known];
    return 0;
}

static int keep_name(struct look_maker *m, const char *name, const char **ret)
{
    struct look_snapshot *made = m->made;
    char **names = rvi_realloc(made->own_names, (made->own_name_count + 1) * sizeof *names);

    if (!names)
        return -ENOMEM;
    made->own_names = names;
    char *copy = rvi_alloc(strlen(name) + 1);
    if (!copy)
        return -ENOMEM;
    strcpy(copy, name);
    names[made->own_name_count++] = copy;
    *ret = copy;
    return 0;
}

/* Its own name is freed with the task, or for a new one: it was read whole if it is still there. */
int look_maker_task_name(struct look_maker *m, const struct look_task *task, const char *record,
                         const char **ret)
{
    char name[LOOK_NAME_BYTES];
    uint64_t id, again, address = look_maker_get(m, record, RVI_AT_TASK_OWN_NAME);

    *ret = task->site->name;
    if (!address || task->is_torn)
        return 0;
    int r = look_maker_name(m, address, name, sizeof name);
    if (r < 0 ||
        (r = look_read_number(m->target, m->layout, task->address, RVI_AT_TASK_ID, &id)) < 0 ||
        (r = look_read_number(m->target, m->layout, task->address, RVI_AT_TASK_OWN_NAME, &again)) <
            0)
        return r;
    return id == task->id && again == address ? keep_name(m, name, ret) : 0;
}
