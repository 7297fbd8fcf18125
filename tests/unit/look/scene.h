/* SPDX-License-Identifier: MIT */
/* scene.h - this very process, read by a helper thread as another process would read it, through
 * reads that a test meddles with. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include <ravel/blocking.h>
#include <ravel/run.h>

#include "base/check.h"
#include "look/target.h"
#include "sched/roll.h"

struct scene {
    int (*play)(void *arg); /* the first task; it calls scene_look() and returns what that does */
    int (*read)(struct look_target *target, uint64_t address, void *to, size_t bytes);
    void (*begin)(void); /* before it is looked at: nothing is meddled with */
};

static struct look_target *target;
static int (*honest)(struct look_target *target, uint64_t address, void *to, size_t bytes);
static const struct scene *shown;
static void (*check)(void);

static int look(void *arg)
{
    struct look_trouble trouble;
    int r = look_open_process(&target, getpid(), &trouble);

    (void)arg;
    if (r == -EPERM || r == -ENOSYS)
        return r;
    RV_CHECK(r == 0);
    honest = target->read;
    target->read = shown->read;
    shown->begin();
    check();
    look_close(target);
    return 0;
}

/** Let a helper thread look. Errors: -EPERM, -ENOSYS it may not. */
static int scene_look(void)
{
    return rv_blocking(look, NULL, NULL);
}

/** Play a scene, with fn() on the thread that looks. */
static void show(const struct scene *scene, void (*fn)(void))
{
    const struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};

    shown = scene;
    check = fn;
    int r = rv_run(scene->play, NULL, &opts);
    if (r == -EPERM || r == -ENOSYS)
        skip();
    assert_int_equal(r, 0);
    assert_true(rvi_list_is_empty(&rvi_roll));
}
