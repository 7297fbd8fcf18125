/* SPDX-License-Identifier: MIT */
/* look.h - what the verbs that look at a program share: ps, tree, bt, top. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/text.h"
#include "look/snapshot.h"
#include "look/target.h"

/* What is typed after such a verb. */
struct cli_look_opts {
    const char *core; /* a file; NULL: */
    int pid;
    bool is_json, is_all;
    const char *task; /* of `bt` */
    int delay_ms;     /* of `top` */
};

enum cli_look_takes {
    CLI_TAKES_TASK = 1, /* a word, last */
    CLI_TAKES_ALL = 2,
    CLI_TAKES_CORE = 4, /* --core, --json */
    CLI_TAKES_DELAY = 8,
};

/** Read them. `usage` is what --help prints.
 *
 * @param takes       besides the process: enum cli_look_takes
 * @param ret_status  when there is nothing to do any more: the exit status
 * @return whether there is */
bool cli_look_opts(struct cli_look_opts *ret, int argc, char **argv, const char *usage, int takes,
                   int *ret_status);

/** Open what was typed. @return exit status; it has been said why */
int cli_look_open(const struct cli_look_opts *opts, struct look_target **ret);

/** The same, and look. */
int cli_look_take(const struct cli_look_opts *opts, struct look_target **ret_target,
                  struct look_snapshot **ret);

/** Standard output is whole, or it is said that it is not. @return exit status */
int cli_look_end(void);

enum { CLI_SPAN_BYTES = 24 };

/** A time in four or five characters: "12ms", "3.4s", "2h05". */
const char *cli_span(rv_time ns, char room[CLI_SPAN_BYTES]);

/** What a scope is to be called: its name; or who has opened it. */
const char *cli_scope_name(const struct look_snapshot *snapshot, int64_t scope, char *room,
                           size_t bytes);

/** What was not or not wholly read, in sentences; nothing if all was. */
void cli_put_gaps(FILE *file, const struct look_snapshot *snapshot);

/** A member of a JSON object that is not its first. */
void cli_put_json_number(FILE *file, const char *name, long long number);
void cli_put_json_text(FILE *file, const char *name, const char *text);

/** One task as a JSON object, to which more members can be added: without its closing brace. */
void cli_put_json_task(FILE *file, const struct look_snapshot *snapshot,
                       const struct look_task *task);

/** The same of a scope. */
void cli_put_json_scope(FILE *file, const struct look_snapshot *snapshot,
                        const struct look_scope *scope);

/** Executors, services, channels and queues, in lines; nothing if there are none. */
void cli_add_things(struct rvi_text *text, const struct look_things *things);

/** The same into a file. @return exit status */
int cli_put_things(FILE *file, const struct look_things *things);

/** The same as members of a JSON object. */
void cli_put_json_things(FILE *file, const struct look_things *things);

/** All of a snapshot as one JSON object. */
void cli_put_json(FILE *file, const struct look_target *target,
                  const struct look_snapshot *snapshot);
