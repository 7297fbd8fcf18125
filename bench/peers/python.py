#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Python's concurrent.futures.ProcessPoolExecutor, with one worker: the executor of processes that
most people know.

    peer-python executor tier=processes [in_flight=N] [bytes=N] [ops=N] [batches=N]

One after the other is submit() and result(). With more in flight it is map() in chunks of a quarter
of them, which is its way to send many at one time.
"""

import json
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor

NOT_HERE = 77


def echo(value):
    return value


def one_by_one(pool, ops, value):
    for i in range(ops):
        sent = i if value is None else value
        assert pool.submit(echo, sent).result() == sent


def mapped(pool, ops, in_flight):
    for _ in range(0, ops, in_flight):
        got = list(pool.map(echo, range(in_flight), chunksize=max(1, in_flight // 4)))
        assert got[-1] == in_flight - 1


def main():
    if len(sys.argv) < 2 or sys.argv[1] != "executor":
        return NOT_HERE
    given = dict(word.split("=", 1) for word in sys.argv[2:])
    if given.pop("tier", "threads") != "processes":
        return NOT_HERE
    in_flight, size = int(given.pop("in_flight", 1)), int(given.pop("bytes", 0))
    ops = int(given.pop("ops", 100 if size else 1000 if in_flight == 1 else 25600))
    batches = int(given.pop("batches", 5))
    if given:
        sys.exit(f"python: not known: {', '.join(given)}")
    value = bytes(size) if size else None
    took = []
    with ProcessPoolExecutor(max_workers=1) as pool:
        for _ in range(batches + (batches > 1)):
            begin = time.monotonic_ns()
            if in_flight == 1:
                one_by_one(pool, ops, value)
            else:
                mapped(pool, ops, in_flight)
            took.append((time.monotonic_ns() - begin) / ops)
    params = {"tier": "processes", "in_flight": in_flight, "bytes": size, "ops": ops}
    print(json.dumps({"bench": "executor", "who": "python", "params": params,
                      "value": statistics.median(took[batches > 1:]), "unit": "ns"}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
