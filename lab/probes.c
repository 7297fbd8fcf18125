/* SPDX-License-Identifier: MIT */
/* probes.c - the list of all probes: what is asked, and how it is answered. */
#include "lab/bench.h"

const struct lab_probe lab_probes[] = {
    {"create", "What does it take to start and end one?",
     "Each is started, does nothing, ends and is waited for, one after another, by a process that "
     "has touched little memory or much; a worker process has done its first job.",
     NULL, lab_create, 12},
    {"memory", "How much memory does one occupy?",
     "Many are started and wait: what each process has for itself, or what one process has more "
     "for each thread or task, page tables included, the kernel's own structures not.",
     NULL, lab_memory, 5},
    {"fit", "How many are there at once?",
     "So many were made and waited at the same time, no more being tried; where that failed, the "
     "note says why, and what the limits of this machine allow.",
     NULL, lab_fit, 20},
    {"switch", "What does it take to go from one to another?",
     "Two of a kind hand over to each other, over and over; a call, a resumed generator and a "
     "system call stand beside them.",
     NULL, lab_switch, 6},
    {"lock", "What does a lock cost?",
     "A lock is taken and given back around one addition, by one or by several at once: time for "
     "each of all that are done.",
     NULL, lab_lock, 5},
    {"atomics", "What does sharing a counter cost?",
     "Each thread, on a processor of its own where there are enough, adds to a counter: one for "
     "all, one each in the same cache line, one each apart. Time for an addition of one thread.",
     "threads", lab_atomics, 4},
    {"pass", "What does it take to hand something over, and get an answer?",
     "Eight bytes go there and eight come back, over and over, nothing else being under way.", NULL,
     lab_pass, 8},
    {"serialise", "What does it cost to hand over data rather than where it is?",
     "An array of small records is handed over by its address, copied, or written as text and "
     "read again.",
     "bytes", lab_serialise, 11},
    {"waiting", "Work that waits: how much do more workers help?",
     "A number of waits of a millisecond is divided among workers; time until all are over, with "
     "the workers' start.",
     "workers", lab_waiting, 10},
    {"computing", "Work that computes: how much do more workers help?",
     "A fixed computation is divided among workers; time until all of it is done, with the "
     "workers' start.",
     "workers", lab_computing, 15},
    {"one-lock", "What does one lock around everything do?",
     "Threads as in an interpreter with one global lock: it is held while computing, given to "
     "others every 100 microseconds, and given back while waiting.",
     "threads", lab_one_lock, 11},
    {"python-computing", "CPython and Ravel: work that computes",
     "A fixed computation divided among workers, each side in its own language: how many times as "
     "fast as its own single worker.",
     "workers", lab_python_computing, 9},
    {"python-waiting", "CPython and Ravel: work that waits",
     "A number of waits of a millisecond divided among workers: how many times as fast as its own "
     "single worker.",
     "workers", lab_python_waiting, 4},
    {"nice", "What does nice do?",
     "Two processes compute on one processor, the second with a nice value: the second's share of "
     "the processor.",
     "nice value", lab_nice, 17},
    {"smt", "What do two threads on one core give?",
     "The same computation alone, beside another on another core, and beside another on the same "
     "core: once as a chain in which each step needs the last, once with four side by side, which "
     "keep a core busy.",
     NULL, lab_smt, 4},
    {"serve", "How do tasks and threads serve many clients?",
     "Clients each send 32 bytes over TCP on loopback and wait for them to come back, all at "
     "once: answers a second, processor time that the server takes for one, and its memory for "
     "a client.",
     "clients", lab_serve, 40},
    {"print", "What does a printed line cost?",
     "Lines are written to a pipe, or a terminal, that another process reads: time for a line, and "
     "switches of writer and reader together.",
     NULL, lab_print, 3},
    {0},
};
