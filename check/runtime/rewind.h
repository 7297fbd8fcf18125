/* SPDX-License-Identifier: MIT */
/* rewind.h - an execution that changed nothing but memory becomes the next one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Shared by the server and its executions; none of it is rewound. */
struct ck_rewind {
    uint8_t selector;    /* 1: system calls of anybody but the runtime raise SIGSYS */
    uint8_t is_resident; /* the execution serves the driver itself as long as it can */
    uint8_t is_tainted;  /* a system call has changed what memory does not hold */
    uint8_t in_run;      /* the driver waits for an answer */
    uint8_t hand_over;   /* the resident one has an order that it leaves to the server */
};

extern struct ck_rewind *ck_rewind;

/** In the server: false: this kernel cannot. */
bool ck_rewind_prepare(void);

/** Whether the plan is one for a resident execution. */
bool ck_rewind_is_wanted(void);

/** In a new execution, before anything else: calls `run` now, and for each later order of the
 * driver.
 * @param is_resident  whether it may stay; otherwise it only finds out whether one could */
_Noreturn void ck_rewind_begin(bool is_resident, int socket_fd, void (*run)(void));

/** The execution is over. Returns if it cannot be rewound. */
void ck_rewind_end(int exit_status);

/** Writes the result's beginning anew. */
void ck_result_reset(void);
