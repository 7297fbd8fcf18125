/* SPDX-License-Identifier: MIT */
/* check_debug.c - a replay in gdb.
 *
 * gdb starts the program, which becomes a server as always; this process is its driver and hands it
 * the one plan. gdb follows the fork of the execution. There each thread of the program is a thread
 * of the kernel, so that gdb sees them all, and the failure is a breakpoint in the runtime, with
 * the program's frames above it.
 *
 * Checked by: tests/cli/test_check.py */
#include "cli/check_debug.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"

enum { PATH_BYTES = 4096 };

static bool is_gdb_there(void)
{
    char path[PATH_BYTES];
    const char *list = getenv("PATH");

    while (list && *list) {
        size_t count = strcspn(list, ":");
        snprintf(path, sizeof path, "%.*s/gdb", (int)count, list);
        if (access(path, X_OK) == 0)
            return true;
        list += count + (list[count] == ':');
    }
    return false;
}

/* From the runtime's frames to the innermost one of the program's author. */
static const char select_frame[] =
    "python exec(\""
    "f = gdb.newest_frame()\\n"
    "is_ours = lambda f: 'libravel_check' in (gdb.solib_name(f.pc()) or '')\\n"
    "is_known = lambda f: f.find_sal().symtab and not "
    "(gdb.solib_name(f.pc()) or '').startswith(('/lib', '/usr/lib'))\\n"
    "while f and (is_ours(f) or not is_known(f)): f = f.older()\\n"
    "f and (f.select(), gdb.execute('frame'))\")";

int check_debug(const struct ck_stream_opts *given, const struct ck_replay *replay)
{
    struct ck_stream_opts opts = *given;
    struct ck_stream *stream = NULL;
    struct rvi_text why = {0};
    char preload[PATH_BYTES];
    const char *const gdb[] = {
        "gdb",    "-q",
        "-ex",    "set confirm off",
        "-ex",    "set breakpoint pending on",
        "-ex",    "set environment " CK_ENV "=" CK_STREAM_NUMBERS,
        "-ex",    preload,
        "-ex",    "set debuginfod enabled off",
        "-ex",    "set print thread-events off",
        "-ex",    "set startup-with-shell off",
        "-ex",    "set follow-fork-mode child",
        "-ex",    "break ck_report_doom",
        "-ex",    "run",
        "-ex",    select_frame,
        "--args", NULL,
    };

    if (!is_gdb_there())
        return cli_unable("there is no gdb to be run");
    snprintf(preload, sizeof preload, "set environment LD_PRELOAD=%s", opts.runtime);
    opts.debugger = gdb;
    signal(SIGINT, SIG_IGN);
    int err = ck_stream_open(&opts, &stream, &why);
    if (err == 0)
        err = ck_replay_load(replay, ck_stream_shared(stream), &why);
    if (err == 0) {
        ck_stream_shared(stream)->plan.flags |= CK_BATON;
        err = ck_stream_start(stream);
    }
    if (err == 0)
        ck_stream_wait(stream);
    else
        cli_unable("%s", why.count ? why.bytes : strerror(-err));
    rvi_text_fini(&why);
    ck_stream_close(stream);
    return err == 0 ? CLI_FOUND : CLI_UNABLE;
}
