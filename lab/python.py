# SPDX-License-Identifier: MIT
"""CPython's side of probe_python.c: python.py computing|waiting MOST ROUNDS.

Prints "VERSION 0 0", then "SERIES WORKERS SECONDS" for each sample. Pools are started and warm
before the time is taken.
"""

import asyncio
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

WHAT, MOST, ROUNDS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
WAITS = WHAT == "waiting"
PIECES = MOST if WAITS else max(4, 2 * MOST)
STEPS = 20_000 if ROUNDS == 1 else 150_000


def compute(steps):
    x = 1
    for _ in range(steps):
        x = x * 1103515245 + 12345 & 0x7FFFFFFF
    return x


def part(pieces):
    for _ in range(pieces):
        if WAITS:
            time.sleep(0.001)
        else:
            compute(STEPS)


async def part_of_loop(pieces):
    for _ in range(pieces):
        if WAITS:
            await asyncio.sleep(0.001)
        else:
            compute(STEPS)
            await asyncio.sleep(0)


def parts(workers):
    return [PIECES // workers + (i < PIECES % workers) for i in range(workers)]


def in_pool(series, pool, workers):
    with pool:
        list(pool.map(part, [0] * workers))
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            list(pool.map(part, parts(workers)))
            print(series, workers, time.perf_counter() - begin)


async def in_loop(workers):
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        await asyncio.gather(*(part_of_loop(n) for n in parts(workers)))
        print("asyncio", workers, time.perf_counter() - begin)


def counts():
    workers = 1
    while workers < MOST:
        yield workers
        workers *= 2
    yield MOST


def main():
    free = not getattr(sys, "_is_gil_enabled", lambda: True)()
    print(sys.version.split()[0] + ("t" if free else ""), 0, 0)
    fork = multiprocessing.get_context("fork")
    for workers in counts():
        in_pool("threads", ThreadPoolExecutor(workers), workers)
        if not WAITS or workers <= 8:
            in_pool("processes", ProcessPoolExecutor(workers, mp_context=fork), workers)
        asyncio.run(in_loop(workers))


main()
