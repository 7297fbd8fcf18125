#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What Python's processes do to each job and its result before they send them: pickle. The record
is that of process_bytes.c.

    peer-pickle process-bytes how=encoded [ops=N] [batches=N]
"""

import json
import pickle
import statistics
import sys
import time
from dataclasses import dataclass

NOT_HERE = 77


@dataclass
class Person:
    name: str
    street: str
    city: str
    country: str
    mail: str
    born: int
    account: int
    visits: int
    flags: int


PEOPLE = [Person("Konrad Ernst Otto Zuse", "Methfesselstrasse 7", "Berlin", "Germany",
                 "konrad.zuse@computers.example.org", -1876521600 + i, 77123450000 + 1000003 * i,
                 100 * i, 5) for i in range(64)]


def run(ops):
    for i in range(ops):
        sent = PEOPLE[i % 64]
        got = pickle.loads(pickle.dumps(sent, pickle.HIGHEST_PROTOCOL))
        assert got.visits == sent.visits


def main():
    given = dict(word.split("=", 1) for word in sys.argv[2:])
    if sys.argv[1:2] != ["process-bytes"] or given.pop("how", "plain") != "encoded":
        return NOT_HERE
    ops, batches = int(given.pop("ops", 5000)), int(given.pop("batches", 5))
    if given:
        sys.exit(f"pickle: not known: {', '.join(given)}")
    took = []
    for _ in range(batches + (batches > 1)):
        begin = time.monotonic_ns()
        run(ops)
        took.append((time.monotonic_ns() - begin) / ops)
    params = {"how": "encoded", "ops": ops, "batches": batches}
    print(json.dumps({"bench": "process-bytes", "who": "pickle", "params": params,
                      "value": statistics.median(took[batches > 1:]), "unit": "ns"}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
