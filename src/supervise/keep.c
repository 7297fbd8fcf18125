/* SPDX-License-Identifier: MIT */
/* keep.c - a keeper: the task in which one service lives once, from its start to its end.
 *
 *   K1  a keeper that was launched tells of an end, once, whatever happens: also when no stack can
 *       be had for it
 *   K2  kept->scope is open while it is not NULL, with the supervisor's lock held: so the manager
 *       may cancel it
 *   K3  who was told to stop before he began does not begin
 *
 * The service's function runs in the keeper itself: a scope around it is all that stopping it
 * needs. A keeper's own result is 0 always, as the ends of services are the manager's to judge, and
 * its scope collects.
 *
 * Checked by: tests/unit/supervise/test_supervisor.c, tests/explore/explore_supervisor.c */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ravel/local.h>

#include "base/check.h"
#include "supervise/inside.h"

static const struct rv_local_key of_service = {"service"};

/* --- words --- */

void rvi_end_returned(struct rv_service_end *end, int result)
{
    end->error = result < 0 ? result : 0;
    if (result >= 0) {
        snprintf(end->text, sizeof end->text, "returned %d", result);
        return;
    }
    const char *name = strerrorname_np(-result), *words = strerrordesc_np(-result);
    if (name)
        snprintf(end->text, sizeof end->text, "returned -%s (%s)", name, words);
    else
        snprintf(end->text, sizeof end->text, "returned %d", result);
}

void rvi_end_error(struct rv_service_end *end, int error, const char *before)
{
    const char *words = strerrordesc_np(-error);

    end->error = error;
    if (error == -ETIME)
        snprintf(end->text, sizeof end->text, "%s", before);
    else
        snprintf(end->text, sizeof end->text, "%s: %s", before, words ? words : "unknown error");
}

/* --- one life --- */

static int run_function(struct rvi_kept *kept)
{
    void *arg = kept->what.arg;

    if (kept->arg)
        arg = memcpy(kept->arg + kept->copy_at, kept->arg, kept->what.arg_bytes);
    return kept->what.run(arg);
}

static void play(struct rvi_kept *kept, struct rv_service_end *end)
{
    if (kept->below) {
        int r = rvi_supervise(kept->below);
        *end = kept->below->end;
        end->error = r;
        return;
    }
    if (kept->what.process) {
        rvi_keep_process(kept, end);
        return;
    }
    if (kept->what.start_time == 0)
        rvi_kept_is_ready(kept);
    rvi_end_returned(end, run_function(kept));
}

/* K2, K3. False: it is not to begin. */
static bool enter(struct rvi_kept *kept, rv_scope *scope)
{
    rvi_lock_acquire(&kept->above->lock);
    bool begins = !kept->is_told;
    if (begins)
        kept->scope = scope;
    rvi_lock_release(&kept->above->lock);
    return begins;
}

static void leave(struct rvi_kept *kept)
{
    rvi_lock_acquire(&kept->above->lock);
    kept->scope = NULL;
    rvi_lock_release(&kept->above->lock);
}

static void live(struct rvi_kept *kept, rv_scope *scope, struct rv_service_end *end)
{
    int r = rv_local_set(&of_service, kept);

    if (r < 0) {
        rvi_end_error(end, r, "could not be started");
    } else if (enter(kept, scope)) {
        play(kept, end);
        leave(kept);
    } else {
        rvi_end_returned(end, -ECANCELED);
    }
    (void)!rv_scope_close(scope); /* why it was cancelled is no news */
}

static int keep(struct rvi_errand *errand)
{
    struct rvi_kept *kept = rvi_container_of(errand, struct rvi_kept, errand);
    struct rv_scope_opts opts = {.size = sizeof opts, .name = kept->name};
    struct rv_service_end end;
    rv_scope *scope;
    int r = rv_scope_open(&scope, &opts);

    memset(&end, 0, sizeof end);
    if (r < 0)
        rvi_end_error(&end, r, "could not be started");
    else
        live(kept, scope, &end);
    rvi_kept_has_ended(kept, &end);
    return 0;
}

/* K1 */
static void lose(struct rvi_errand *errand, int why)
{
    struct rvi_kept *kept = rvi_container_of(errand, struct rvi_kept, errand);
    struct rv_service_end end;

    memset(&end, 0, sizeof end);
    rvi_end_error(&end, why, "could not be started");
    rvi_kept_has_ended(kept, &end);
}

int rvi_kept_launch(struct rvi_kept *kept)
{
    static const struct rv_site site = {"(supervisor)", "rv_supervisor_start", "service", 0};

    kept->errand = (struct rvi_errand){keep, lose};
    return rvi_scope_send(kept->above->inner, &kept->errand, &site);
}

int rv_service_ready(void)
{
    struct rvi_kept *kept = rv_local_get(&of_service);

    if (!kept)
        return rvi_serve_say_ready();
    rvi_kept_is_ready(kept);
    return 0;
}
