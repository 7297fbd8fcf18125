/* SPDX-License-Identifier: MIT */
/* io.h - calls that may wait for something outside the models: descriptors, child processes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "check/runtime/clocks.h"
#include "check/runtime/op.h"

/** What has been written to any descriptor is released to it, and acquired by who reads. */
extern struct ck_sync ck_io_written;

/* What a thread waits for, asked again and again. Never blocks. */
typedef bool ck_io_ready_fn(void *arg);

/** Wait until is_ready(arg) is true; -ETIMEDOUT, -ECANCELED, -EINTR.
 * @param fd       for reports; -1: none, or several
 * @param is_ours  nothing outside of this process can end the wait */
int ck_io_wait(const struct ck_op *op, int fd, short events, int64_t deadline, bool is_ours,
               ck_io_ready_fn *is_ready, void *arg);

/** As ck_io_wait, but handlers with SA_RESTART do not end it. */
int ck_io_wait_restarting(const struct ck_op *op, int fd, short events, bool is_ours,
                          ck_io_ready_fn *is_ready, void *arg);

/** What a call returns that has waited so: 0, or -1 with errno; not at all when it was
 * cancelled. */
int ck_io_answer(int r);

/** Wait for a moment of real time, in which no other thread runs, for what is about to be true. */
void ck_io_linger(ck_io_ready_fn *is_ready, void *arg);

/** Made by this process, for itself: by pipe(), socketpair(), eventfd(). */
bool ck_io_is_ours(int fd);
void ck_io_note_ours(int fd, bool is_ours);

/** Something was done to a descriptor: those who wait look again. */
void ck_io_done(void);

/** No thread can run. Wait in the kernel, for as long as it may take, for what a thread waits for;
 * and wake that one.
 * @return false: nobody waits in this way, or what they wait for does not come */
bool ck_io_wait_any(void);
