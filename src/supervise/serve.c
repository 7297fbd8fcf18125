/* SPDX-License-Identifier: MIT */
/* serve.c - a process that is a service: the function runs in a scope, in the first task of a
 * runtime; the control thread hears that it is to stop, and cancels the scope.
 *
 *   V1  serving.scope is open while it is not NULL, with the lock held
 *   V2  who was told to stop before the scope was there does not begin
 *
 * What the function returns is said before the process ends: a status has room for eight bits.
 *
 * Checked by: tests/unit/supervise/test_process.c */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ravel/run.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/check.h"
#include "proc/proc.h"
#include "supervise/inside.h"

/* --- the registry: it grows before main, on the first thread --- */

static struct rv_service_entry *entries;

const struct rv_service_entry *rvi_service_find(const char *name)
{
    const struct rv_service_entry *entry = entries;

    while (entry && strcmp(entry->name, name) != 0)
        entry = entry->next;
    return entry;
}

void rv_service_register(struct rv_service_entry *entry)
{
    if (strlen(entry->name) >= RVI_SERVICE_NAME_BYTES || rvi_service_find(entry->name))
        rvi_panic("service %s: there is another of that name, or the name is too long",
                  entry->name);
    entry->next = entries;
    entries = entry;
}

/* --- the process --- */

static struct {
    struct rvi_lock lock; /* guards these two */
    rv_scope *scope;
    bool is_told; /* to stop */
    const struct rv_service_entry *entry;
    void *arg;
    int control;
    bool serves; /* from before the function */
} serving = {.control = -1};

int rvi_serve_say_ready(void)
{
    return serving.serves ? rvi_service_say(serving.control, RVI_SERVICE_READY, 0) : -EPERM;
}

static void hear(void *arg, const void *bytes, size_t count, const int *fds, size_t fd_count)
{
    struct rvi_service_message message;

    (void)arg, (void)fds, (void)fd_count;
    if (count != sizeof message)
        return;
    memcpy(&message, bytes, sizeof message);
    if (message.word != RVI_SERVICE_STOP)
        return;
    rvi_lock_acquire(&serving.lock);
    serving.is_told = true;
    if (serving.scope)
        rv_scope_cancel(serving.scope, -ECANCELED);
    rvi_lock_release(&serving.lock);
}

/* V1, V2. Whether it begins. */
static bool enter(rv_scope *scope)
{
    rvi_lock_acquire(&serving.lock);
    bool begins = !serving.is_told;
    if (begins)
        serving.scope = scope;
    rvi_lock_release(&serving.lock);
    return begins;
}

static void leave(void)
{
    rvi_lock_acquire(&serving.lock);
    serving.scope = NULL;
    rvi_lock_release(&serving.lock);
}

static int run_in_scope(void *unused)
{
    struct rv_scope_opts opts = {.size = sizeof opts, .name = serving.entry->name};
    rv_scope *scope;
    int r = rv_scope_open(&scope, &opts);

    (void)unused;
    if (r < 0)
        return r;
    r = -ECANCELED;
    if (enter(scope)) {
        r = serving.entry->run(serving.arg);
        leave();
    }
    (void)!rv_scope_close(scope); /* why it was cancelled is no news */
    return r;
}

static int take_hello(const struct rvi_proc_self *self)
{
    size_t head = sizeof(struct rvi_service_hello);

    if (self->hello_bytes < head || !memchr(self->hello, '\0', RVI_SERVICE_NAME_BYTES))
        return -EPROTO;
    serving.entry = rvi_service_find(self->hello);
    if (!serving.entry || serving.entry->arg_bytes != self->hello_bytes - head)
        return -ENOSYS;
    serving.arg = rvi_alloc(serving.entry->arg_bytes + 1);
    if (!serving.arg)
        return -ENOMEM;
    memcpy(serving.arg, (const char *)self->hello + head, serving.entry->arg_bytes);
    serving.control = self->control;
    serving.serves = true;
    return 0;
}

/* What would be asked of a ring, no filter could see: there is none for who only computes, whatever
 * the environment wants. */
static int run_runtime(const struct rvi_proc_self *self)
{
    struct rv_run_opts opts = {.size = sizeof opts};

    if (self->confinement == RV_CONFINE_COMPUTE)
        opts.backend = RV_BACKEND_EPOLL;
    return rv_run(run_in_scope, NULL, &opts);
}

static int serve(const struct rvi_proc_self *self)
{
    int r = take_hello(self);

    if (r == 0)
        r = rvi_proc_listen(self, sizeof(struct rvi_service_message), hear, NULL);
    if (r == 0)
        r = run_runtime(self);
    (void)rvi_service_say(self->control, RVI_SERVICE_RETURNED, r); /* if anybody hears it */
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static struct rvi_role service_role = {.name = "service", .run = serve};

__attribute__((constructor)) static void register_role(void)
{
    rvi_role_register(&service_role);
}
