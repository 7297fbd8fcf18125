#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What Python's multiprocessing does, in the terms of bench.h: parameters in, a line of JSON out."""

import json
import multiprocessing
import statistics
import sys
import time

NOT_HERE = 77


def serve(queue):
    while queue.get() is not None:
        queue.task_done()
    queue.task_done()


def process_queue(params):
    """An item put, got in another process and said done; a batch ends with a join."""
    params = {"capacity": 128, "ops": 10000, "batches": 11} | params
    queue = multiprocessing.JoinableQueue(params["capacity"])
    server = multiprocessing.Process(target=serve, args=(queue,))
    server.start()
    times = []
    for _ in range(params["batches"]):
        begun = time.monotonic_ns()
        for item in range(params["ops"]):
            queue.put(item)
        queue.join()
        times.append((time.monotonic_ns() - begun) / params["ops"])
    queue.put(None)
    server.join()
    return statistics.median(times[1:] or times), params


def main():
    what = {"process-queue": process_queue}.get(sys.argv[1])
    if what is None:
        return NOT_HERE
    value, params = what({key: int(number) for key, number in
                          (word.split("=") for word in sys.argv[2:])})
    print(json.dumps({"bench": sys.argv[1], "who": "python", "params": params, "value": value,
                      "unit": "ns"}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
