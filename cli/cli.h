/* SPDX-License-Identifier: MIT */
/* cli.h - the `ravel` command: its verbs, and what they share. */
#pragma once

#include <stddef.h>

/* Exit statuses of all verbs. */
enum { CLI_FINE = 0, CLI_FOUND = 1, CLI_UNABLE = 2 };

/** A verb: argv[0] is its own name.
 *
 * @return exit status */
typedef int cli_verb(int argc, char **argv);

cli_verb cli_advise;
cli_verb cli_bt;
cli_verb cli_cc;
cli_verb cli_check;
cli_verb cli_cluster;
cli_verb cli_lab;
cli_verb cli_ps;
cli_verb cli_top;
cli_verb cli_trace;
cli_verb cli_tree;
cli_verb cli_worker;

/** "ravel: " and a sentence, on standard error. @return CLI_UNABLE */
int cli_unable(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** A program as a shell finds it.
 *
 * @param ret  its path
 * @return whether it is there */
_Bool cli_find_program(const char *name, char *ret, size_t room);

/** The runtime that belongs to this command: installed beside it, or in the same build tree.
 *
 * @param ret  an absolute path
 * @return whether it is there; cli_unable() has been said otherwise */
_Bool cli_find_runtime(char *ret, size_t room);
