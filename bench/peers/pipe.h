/* SPDX-License-Identifier: MIT */
/* pipe.h - what the peer "pipe" does besides exchanging (exchange.c). */
#pragma once

void run_pipe_queue(void);
