/* SPDX-License-Identifier: MIT */
/* calls.h - each system call of whole scenarios fails in turn: once, and from then on.
 *
 * A failure of an optional call must not show. Of any other the outcome is a clear error, or none
 * where the library has a second way (a smaller region, a thread fewer).
 *
 * Of all sites that there are, each is to fail in one of two programs: those that only processes
 * come to (`of_processes`) in faults_calls_processes.c, whose scenarios take long, and all others,
 * so any new one too, in faults_calls.c. */
#pragma once

#include "scenario.h"
#include "sys/call.h"
#include "sys/fence.h"
#include "sys/stack.h"

/* Errors that the library may pass on: those of the table, -EAGAIN where a thread could not be had
 * for want of memory, -ECHILD where a process was killed that could not be heard. */
static bool is_clear(int r)
{
    static const int clear[] = {EAGAIN,  EMFILE,   ENFILE,     ENOMEM,       EPERM,
                                EINVAL,  EPIPE,    ENOSPC,     ESRCH,        EACCES,
                                ENOENT,  EIO,      ECONNRESET, ECONNREFUSED, EADDRINUSE,
                                ENOBUFS, ENOTCONN, ENODEV,     ENOSYS,       ECHILD};
    for (size_t i = 0; i < sizeof clear / sizeof clear[0]; i++) {
        if (r == -clear[i])
            return true;
    }
    return false;
}

static void check_outcome(int r, const char *failed, bool is_optional)
{
    if (r == 0)
        return;
    if (!failed || is_optional || !is_clear(r))
        fail_msg("%sreturned %d", playing, r);
}

/* The fences ask the kernel once a process, so each play starts them anew. */
static int play(scenario *play_it)
{
    watch_for_a_hang();
    rvi_fence_asym_force_symmetric(false);
    int r = play_it();
    alarm(0);
    return r;
}

/* ---- which sites have failed ---- */

static const char *const sites[RVI_CALL_COUNT] = {
#define SITE_NAME(site, ...) #site,
    RVI_CALLS(SITE_NAME)
#undef SITE_NAME
};
static long failures[RVI_CALL_COUNT];

static void remember(const char *failed)
{
    for (size_t i = 0; failed && i < RVI_CALL_COUNT; i++)
        failures[i] += strcmp(sites[i], failed) == 0;
}

static void say_what_failed(const char *failed)
{
    snprintf(playing + strlen(playing), sizeof playing - strlen(playing), "%s ", failed);
}

/* What is armed may come up or not: whether it did. After the play one in which nothing fails: the
 * first has broken nothing for those that follow. */
static bool play_armed(scenario *play_it, const struct left *before)
{
    bool is_optional = false;
    int r = play(play_it);
    bool has_failed = !rvi_call_fail_pending();
    const char *failed = rvi_call_failed(&is_optional);
    rvi_call_fail_after(-1, 0, false);
    say_what_failed(failed ? failed : "nothing");
    check_outcome(r, failed, is_optional);
    check_nothing_is_left(before);
    check_signal_stack_is_as_before(before, failed ? failed : "nothing");
    remember(failed);
    check_handlers_are_as_before(before);
    assert_int_equal(play(play_it), 0);
    check_nothing_is_left(before);
    return has_failed;
}

/* Returns how many calls were made to fail. */
static long fail_every_call(scenario *play_it, unsigned variant, bool stays)
{
    bool has_failed = true;
    long last = 0;
    assert_int_equal(play_it(), 0); /* the tools start threads of their own */
    struct left before = look_at_what_is_left();
    for (long n = 1; has_failed; n = next(n)) {
        snprintf(playing, sizeof playing, "call %ld, variant %u%s: ", n, variant,
                 stays ? ", from then on" : "");
        rvi_call_fail_after(n, variant, stays);
        has_failed = play_armed(play_it, &before);
        last = n;
    }
    return last - 1;
}

static bool kernel_is_recent(void)
{
    struct rvi_stack_pool *pool;
    struct rvi_stack_stats stats;
    RV_CHECK(rvi_stack_pool_open(&pool, NULL) == 0);
    rvi_stack_pool_stats(pool, &stats);
    rvi_stack_pool_close(pool);
    return stats.has_light_guards;
}

static void fail_all(scenario *play_it)
{
    long tried = 0;
    for (unsigned variant = 0; variant < RVI_CALL_VARIANTS; variant++) {
        tried += fail_every_call(play_it, variant, false);
        tried += fail_every_call(play_it, variant, true);
    }
    RV_CHECK(RVI_DEBUG_CHECKS < 1 || tried > 0);
}

/* ---- every site ------------------------------------------------------------------------------ */

static const enum rvi_call_site of_processes[] = {
    RVI_CALL_MAKE_MEMORY_NOEXEC, RVI_CALL_MAKE_MEMORY,       RVI_CALL_SIZE_MEMORY,
    RVI_CALL_SEAL_MEMORY,        RVI_CALL_FILL_MEMORY,       RVI_CALL_MAP_MEMORY,
    RVI_CALL_DROP_MEMORY,        RVI_CALL_ASK_RANDOM,        RVI_CALL_SHARE_LIFE,
    RVI_CALL_OPEN_PROCESS_STAT,  RVI_CALL_READ_PROCESS_STAT, RVI_CALL_OPEN_PROCESS,
    RVI_CALL_ASK_PROCESS,        RVI_CALL_COPY_FD,
};

static bool is_of_processes(size_t site)
{
    for (size_t i = 0; i < sizeof of_processes / sizeof of_processes[0]; i++) {
        if (of_processes[i] == site)
            return true;
    }
    return false;
}

/* These confine who makes them: tests/unit/sys/test_confine.c lets each fail. */
static bool is_tried_elsewhere(size_t site)
{
    return site == RVI_CALL_FORBID_PRIVILEGES || site == RVI_CALL_FILTER_CALLS ||
           site == RVI_CALL_FILTER_FILES;
}

/* Tools take some calls away, and so do older kernels. */
static bool may_demand_sites(void)
{
    return RVI_DEBUG_CHECKS >= 1 && !is_under_a_tool() && scaled(100, 1) >= 50 &&
           kernel_is_recent();
}

/* The n-th call is not the same one in each play, so a site with few may have been passed over. */
static void fail_at(enum rvi_call_site site, scenario *const scenarios[], size_t count)
{
    for (size_t i = 0; failures[site] == 0 && i < count; i++) {
        struct left before = look_at_what_is_left();
        snprintf(playing, sizeof playing, "scenario %zu: ", i);
        rvi_call_fail_at(site);
        (void)play_armed(scenarios[i], &before);
    }
}

static void demand_sites(bool those_of_processes, scenario *const scenarios[], size_t count)
{
    for (size_t i = 0; i < RVI_CALL_COUNT; i++) {
        if (is_tried_elsewhere(i) || is_of_processes(i) != those_of_processes)
            continue;
        fail_at((enum rvi_call_site)i, scenarios, count);
        if (failures[i] == 0)
            fail_msg("%s never failed", sites[i]);
    }
}
