/* SPDX-License-Identifier: MIT */
/* cmd_check.c - `ravel check`: what the user asks for, and how it is said to them.
 *
 * Checked by: tests/cli/test_check.py */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/driver/elf_file.h"
#include "check/driver/replay.h"
#include "check/driver/session.h"
#include "check/driver/words.h"
#include "cli/check_debug.h"
#include "cli/check_opts.h"
#include "cli/cli.h"
#include "cli/terminal.h"

enum { PATH_BYTES = 4096 };

/* Without limits of the user's. */
enum { SECONDS_USUAL = 60 };

static void show_progress(const struct ck_findings *so_far, void *arg)
{
    const struct ck_check_opts *opts = arg;

    fprintf(stderr, "\r\033[K%.*s  %llu schedules  %.0f/s  %s  depth %llu  %.0f s", 30,
            opts->program, (unsigned long long)so_far->schedules,
            so_far->seconds > 0 ? (double)so_far->schedules / so_far->seconds : 0, so_far->seen,
            (unsigned long long)so_far->steps, so_far->seconds);
}

static void end_progress(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

/* --- the program --- */

/* 0, or the exit status. */
static int judge_program(const char *program)
{
    struct ck_elf *elf;
    enum ck_elf_sort sort = ck_elf_open(program, &elf);
    bool has_libtsan = elf && ck_elf_needs(elf, "libtsan.so");

    ck_elf_close(elf);
    if (sort == CK_ELF_NONE)
        return cli_unable("cannot read %s", program);
    if (sort == CK_ELF_SCRIPT)
        return cli_unable("%s is a script; name the program itself (libtool's are below .libs/)",
                          program);
    if (sort == CK_ELF_OTHER)
        return cli_unable("%s is no program for this machine", program);
    if (sort == CK_ELF_STATIC)
        return cli_unable("%s is linked statically, so that nothing can be put below it; link it "
                          "dynamically, with `ravel cc`",
                          program);
    if (has_libtsan)
        return cli_unable("%s has ThreadSanitizer's own runtime in it; link it with `ravel cc`",
                          program);
    return 0;
}

/* --- the reports --- */

static int write_file(const char *path, const struct ck_findings *found,
                      void (*put)(FILE *, const struct ck_findings *))
{
    FILE *file = fopen(path, "we");

    if (!file)
        return cli_unable("cannot write %s: %s", path, strerror(errno));
    put(file, found);
    bool is_whole = !ferror(file);
    is_whole &= fclose(file) == 0;
    return is_whole ? 0 : cli_unable("cannot write %s", path);
}

static int say(const struct ck_check_opts *opts, const struct ck_findings *found)
{
    int status = found->failure || found->aside_count ? CLI_FOUND : CLI_FINE;

    if (opts->json)
        ck_report_json(stdout, found);
    else
        ck_report_text(stdout, found, cli_terminal_width(STDOUT_FILENO),
                       cli_has_colours(STDOUT_FILENO));
    if (opts->html && write_file(opts->html, found, ck_report_html) != 0)
        return CLI_UNABLE;
    return fflush(stdout) == 0 && !ferror(stdout) ? status : CLI_UNABLE;
}

static int unable_by(struct rvi_text *why, int err)
{
    int status = cli_unable("%s", why->count ? why->bytes : strerror(-err));

    rvi_text_fini(why);
    return status;
}

/* --- the session --- */

static void fill_session(const struct ck_check_opts *opts, struct ck_session_opts *session)
{
    session->output = opts->output;
    session->schedules = opts->schedules;
    session->seconds = opts->seconds;
    session->is_patient = opts->schedules || opts->seconds > 0;
    if (!session->is_patient)
        session->seconds = SECONDS_USUAL;
    session->seed = opts->seed;
    session->strategy = opts->strategy;
    session->granularity = opts->granularity;
    session->bound = opts->bound;
    session->races = opts->races;
    session->jobs = opts->jobs;
    session->is_preloaded = opts->is_preloaded;
    session->expected_file = opts->expected_file;
    session->expected = opts->expected;
    session->expected_bytes = opts->expected_bytes;
    session->suppressions = (struct ck_suppressions *)(uintptr_t)&opts->suppressions;
    if (isatty(STDERR_FILENO) && !opts->json) {
        session->progress = show_progress;
        session->progress_arg = (void *)(uintptr_t)opts;
    }
}

static int run_session(const struct ck_check_opts *opts, const struct ck_session_opts *what,
                       const struct ck_replay *replay)
{
    struct ck_session *session;
    struct ck_findings found;
    struct rvi_text why = {0};

    int err = ck_session_open(what, &session, &why);
    if (err < 0)
        return unable_by(&why, err);
    err = replay ? ck_session_replay(session, replay, &found, &why)
                 : ck_session_run(session, &found, &why);
    end_progress();
    int status = err < 0 ? unable_by(&why, err) : say(opts, &found);
    ck_session_close(session);
    return status;
}

static int explore(struct ck_check_opts *opts, const char *library)
{
    char program[PATH_BYTES], folder[PATH_BYTES];
    struct ck_session_opts session = {.folder = folder};

    if (!cli_find_program(opts->program, program, sizeof program))
        return cli_unable("there is no program %s", opts->program);
    int status = judge_program(program);
    if (status != 0)
        return status;
    if (!getcwd(folder, sizeof folder))
        return cli_unable("the current folder has no name: %s", strerror(errno));
    session.stream = (struct ck_stream_opts){.program = program,
                                             .argv = opts->argv,
                                             .runtime = library,
                                             .is_randomised = opts->is_randomised};
    fill_session(opts, &session);
    session.interrupted = cli_watch_interrupts();
    return run_session(opts, &session, NULL);
}

static int replay(struct ck_check_opts *opts, const char *library)
{
    struct ck_replay file;
    struct rvi_text why = {0};
    int status, err = ck_replay_read(&file, opts->replay, &why);

    if (err < 0)
        return unable_by(&why, err);
    if (chdir(file.folder) != 0) {
        status = cli_unable("the folder of the failure is gone: %s", file.folder);
        ck_replay_fini(&file);
        return status;
    }
    struct ck_session_opts session = {.folder = file.folder};
    session.stream = (struct ck_stream_opts){.program = file.program,
                                             .argv = (const char *const *)file.argv,
                                             .runtime = library,
                                             .is_randomised = opts->is_randomised};
    opts->is_preloaded = file.is_preloaded;
    opts->jobs = 1;
    fill_session(opts, &session);
    status = judge_program(file.program);
    if (status == 0)
        status = opts->is_debugged ? check_debug(&session.stream, &file)
                                   : run_session(opts, &session, &file);
    ck_replay_fini(&file);
    return status;
}

int cli_check(int argc, char **argv)
{
    struct ck_check_opts opts;
    char library[PATH_BYTES];
    int status = check_opts_read(&opts, argc, argv);

    if (status < 0 && cli_find_runtime(library, sizeof library))
        status = opts.replay ? replay(&opts, library) : explore(&opts, library);
    check_opts_fini(&opts);
    return status < 0 ? CLI_UNABLE : status;
}
