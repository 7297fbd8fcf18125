/* SPDX-License-Identifier: MIT */
/* terminal.h - who looks at a verb's output, and who interrupts it. */
#pragma once

#include <stdbool.h>

/** Columns of the terminal; of anything else COLUMNS, or 100. */
unsigned cli_terminal_width(int fd);

/** Whether colours are wanted there: it is a terminal that has them, and NO_COLOR is not set. */
bool cli_has_colours(int fd);

/** From now on SIGINT or SIGTERM asks for the report so far; the second one ends everything.
 *
 * @return becomes 1 with the first one */
const volatile int *cli_watch_interrupts(void);
