/* SPDX-License-Identifier: MIT */
/* echo.h - the other side of an echo server on loopback: a thread with many connections, each of
 * which sends, waits for all of its bytes to come back, and sends again.
 *
 * Parameters: conns; bytes of a message; ops, all requests together. Server and client are bound to
 * one core each where there are two. What is measured is the server's: CPU time of its thread for
 * one request. */
#pragma once

#include <stdint.h>

struct bench_echo;

/* The calling thread, where there is such a core; and the CPU time it has used, in nanoseconds. */
void bench_bind_to_core(int core);
int64_t bench_cpu_of_thread(void);

/* The calling thread is the server's from now on, and has this socket to accept from: it does not
 * block. As many connections come as conns says. */
struct bench_echo *bench_echo_start(int *ret_listener, long *ret_conns, long *ret_bytes);

/* All of them have been closed by the client: print the figure. */
void bench_echo_end(struct bench_echo *echo);
