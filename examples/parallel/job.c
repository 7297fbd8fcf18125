/* SPDX-License-Identifier: MIT */
#include "job.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

/* --- the command of a line --- */

static size_t count_marks(const char *argument)
{
    size_t count = 0;

    for (const char *at = argument; (at = strstr(at, "{}")); at += 2)
        count++;
    return count;
}

/* The argument with the line in place of each mark. */
static char *fill_in(const char *argument, const char *line)
{
    char *text = malloc(strlen(argument) + count_marks(argument) * strlen(line) + 1), *end = text;
    const char *mark;

    if (!text)
        return NULL;
    for (; (mark = strstr(argument, "{}")); argument = mark + 2) {
        end = mempcpy(end, argument, (size_t)(mark - argument));
        end = stpcpy(end, line);
    }
    strcpy(end, argument);
    return text;
}

static int make_argv(struct job *job, const char *const *command)
{
    size_t count = 0, marks = 0;

    while (command[count])
        marks += count_marks(command[count++]);
    job->argv = calloc(count + 2, sizeof *job->argv);
    if (!job->argv)
        return -ENOMEM;
    for (size_t i = 0; i < count + (marks == 0); i++) {
        job->argv[i] = fill_in(i < count ? command[i] : "{}", job->line);
        if (!job->argv[i])
            return -ENOMEM;
    }
    return 0;
}

struct job *job_new(const struct options *options, const char *line, size_t bytes)
{
    struct job *job = calloc(1, sizeof *job);

    if (!job)
        return NULL;
    rv_event_init(&job->ended);
    job->time_limit = options->time_limit;
    job->line = strndup(line, bytes);
    if (job->line && make_argv(job, options->command) == 0)
        return job;
    job_free(job);
    return NULL;
}

void job_free(struct job *job)
{
    if (!job)
        return;
    for (size_t i = 0; job->argv && job->argv[i]; i++)
        free((char *)(uintptr_t)job->argv[i]);
    free(job->argv);
    free(job->line);
    rv_child_io_fini(&job->io);
    free(job);
}

/* --- running it --- */

/* In a group of its own: a terminal's Ctrl-C reaches us alone, and ending it ends all of it. */
int job_run(void *arg)
{
    struct job *job = arg;
    const struct rv_child_opts opts = {
        .size = sizeof opts,
        .group = RV_CHILD_GROUP_OWN,
        .grace = RV_SECOND,
        .ret_failure = &job->failure,
    };
    job->result = rv_child_run(job->argv, &opts, &job->io, &job->status, rv_after(job->time_limit));
    rv_event_set(&job->ended);
    return 0;
}

/* --- telling of it --- */

static int write_to(int fd, const char *bytes, size_t count)
{
    return count ? rv_write_all(fd, bytes, count, NULL, RV_NEVER) : 0;
}

/* In a line of its own; empty: all went well. */
static void describe(const struct job *job, char *text, size_t room)
{
    const struct rv_child_status *status = &job->status;

    text[0] = '\0';
    if (job->failure.error)
        snprintf(text, room, "parallel: %s\n", job->failure.text);
    else if (job->result < 0)
        snprintf(text, room, "parallel: %s: %s\n", job->line,
                 job->result == -ETIME ? "took too long" : strerrordesc_np(-job->result));
    else if (status->kind == RV_CHILD_KILLED)
        snprintf(text, room, "parallel: %s: killed by SIG%s%s\n", job->line,
                 sigabbrev_np(status->signal), status->dumped ? ", core dumped" : "");
    else if (status->code != 0)
        snprintf(text, room, "parallel: %s: exit status %d\n", job->line, status->code);
}

int job_print(struct job *job)
{
    char text[512];
    int r = write_to(STDOUT_FILENO, job->io.out, job->io.out_bytes);

    describe(job, text, sizeof text);
    if (r == 0)
        r = write_to(STDERR_FILENO, job->io.err, job->io.err_bytes);
    if (r == 0)
        r = write_to(STDERR_FILENO, text, strlen(text));
    return r < 0 ? r : text[0] == '\0';
}
