/* SPDX-License-Identifier: MIT */
/* dump.h - every task of every runtime, in words. */
#pragma once

/** What SIGQUIT does: dump to standard error. On a plain thread. */
void rvi_dump_on_quit(void);
