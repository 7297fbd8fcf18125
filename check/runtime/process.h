/* SPDX-License-Identifier: MIT */
/* process.h - other processes, and the one that this one says it is. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

enum { CK_PID = 30001 }; /* what getpid() says; a thread's id is this plus its number */

/** What the kernel calls the process under check, there and in its children. */
pid_t ck_process_id(void);

/** Children that were forked, and not waited for yet. */
bool ck_process_has_children(void);

/** Wake a thread that waits for what a child has done to memory that is shared with it. */
bool ck_process_look(void);

/** It has shared its descriptors. */
bool ck_process_has_forked(void);
