#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure the tier `cluster` beside NATS' own C library making the same exchanges by hand.

There is one server for all, private, file-backed, started for this run and deleted with it. In each
round the library (bench/peers/nats.c) and Ravel (bench/cluster.c, with agents as `ravel worker`
starts them) take turns, and a ratio is taken inside a round; shown is the median of these. The
server, the client and the workers share this machine's cores, so a figure says little by itself.

A ratio is Ravel's time by the library's, or for what is counted by the second, Ravel's number by the
library's. The hand-over of a killed job has nothing to be held against."""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import nats
from bench import NOISY, ROOT, load, say, short, spread

POOL = "bench"
TIME_LIMIT = 120
MIB = 1 << 20


class Row(NamedTuple):
    """A figure: which of the program's, and what it is made of."""
    name: str
    part: str               # of the figure's name: behind "cluster"
    args: str
    unit: str
    count: float = 0        # 0: a time, as it comes; otherwise so many in the nanoseconds measured
    target: str = ""
    has_floor: bool = True
    agents: int = 1
    slots: int = 64
    quick: str = "ops=1000"


def echo(name, bytes_, in_flight, agents, quick):
    return Row(name, "", f"bytes={bytes_} in_flight={in_flight}", "MiB/s", 1e9 * 2 * bytes_ / MIB,
               agents=agents, quick=quick)


ROWS = (
    Row("round trip, median", " p50", "in_flight=1", "us", target="<= 1.25"),
    Row("round trip, 99 of 100", " p99", "in_flight=1", "us"),
    Row("empty jobs, 2 workers", "", "in_flight=1024", "jobs/s", 1e9, ">= 0.8", agents=2,
        quick="ops=2000 batches=3"),
    Row("empty jobs, 4 workers", "", "in_flight=1024", "jobs/s", 1e9, ">= 0.8", agents=4,
        quick="ops=2000 batches=3"),
    echo("1 KiB there and back", 1024, 1024, 2, "ops=2000 batches=3"),
    echo("64 KiB there and back", 65536, 64, 2, "ops=200 batches=3"),
    echo("1 MiB in pieces", MIB, 16, 2, "ops=20 batches=3"),
    Row("hand-over, median", " handover p50", "what=handover", "ms", target="<= 50 ms",
        has_floor=False, agents=2, slots=2, quick="ops=5"),
    Row("hand-over, longest", " handover max", "what=handover", "ms", has_floor=False, agents=2,
        slots=2, quick="ops=5"),
)


# ---- running -------------------------------------------------------------------------------------

def build(tree):
    steps = [["ninja", "-C", tree, "bench/ravel-cluster", "bench/peers/peer-nats", "cli/ravel"]]
    if not (tree / "build.ninja").exists():
        steps.insert(0, ["meson", "setup", tree, ROOT, "-Dbench=enabled", "-Dtests=disabled",
                         "-Dexamples=false"])
    for step in steps:
        done = subprocess.run(step, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit(f"{done.stdout}\ncould not build in {tree}; is libnats installed?")


class Agents:
    """Workers of Ravel's, until the block ends."""

    def __init__(self, tree, server, row, folder):
        command = [tree / "cli" / "ravel", "worker", tree / "bench" / "ravel-cluster", "--cluster",
                   f"{server.url}/{POOL}", "--slots", str(row.slots)]
        self.log = open(Path(folder) / "agents.log", "ab")
        self.processes = [subprocess.Popen([str(word) for word in command], stdout=self.log,
                                           stderr=self.log, stdin=subprocess.DEVNULL)
                          for _ in range(row.agents)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.log.close()


def figures_of(command):
    """{figure's name: value} of one program."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=TIME_LIMIT)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"{command[0].name} ended with {done.returncode}")
    lines = map(json.loads, done.stdout.splitlines())
    return {line["bench"].removeprefix("cluster"): line["value"] for line in lines}


def arguments_for(row, quick):
    return f"{row.args} workers={row.agents} slots={row.slots} {row.quick if quick else ''}".split()


def run_floor(row, server, args):
    return figures_of([args.build / "bench" / "peers" / "peer-nats", "cluster",
                       f"url={server.url}", *arguments_for(row, args.quick)])


def run_ravel(row, server, args):
    with Agents(args.build, server, row, server.folder):
        time.sleep(args.settle)
        return figures_of([args.build / "bench" / "ravel-cluster", f"url={server.url}/{POOL}",
                           *arguments_for(row, args.quick)])


def rows_by_run(rows):
    """Rows that come from one run of a program."""
    runs = defaultdict(list)
    for row in rows:
        runs[row.args, row.agents, row.slots].append(row)
    return runs.values()


def measure(rows, server, args, notes):
    """{row's name: {who: [a value a round]}}"""
    values = defaultdict(lambda: defaultdict(list))
    for number in range(args.rounds):
        for together in rows_by_run(rows):
            first = together[0]
            runs = {"nats": run_floor} if first.has_floor else {}
            for who, run in (*runs.items(), ("ravel", run_ravel)):
                say(f"{first.name}: round {number + 1} of {args.rounds}, {who}")
                try:
                    found = run(first, server, args)
                except (RuntimeError, subprocess.TimeoutExpired) as trouble:
                    notes.append(f"{who}, {first.name}: {trouble}")
                    continue
                for row in together:
                    value = found[row.part]
                    values[row.name][who].append(row.count / value if row.count else value)
    say("")
    return values


# ---- showing -------------------------------------------------------------------------------------

def summary(row, by_who):
    pairs = list(zip(by_who["ravel"], by_who["nats"]))
    ratios = [ours / floor for ours, floor in pairs]
    return {"name": row.name, "unit": row.unit, "target": row.target,
            "medians": {who: statistics.median(v) for who, v in by_who.items() if v},
            "ratio": statistics.median(ratios) if ratios else None,
            "noisy": len(ratios) > 2 and spread(ratios) > NOISY, "values": dict(by_who)}


def shown(row, who):
    return short(row["medians"][who]) if who in row["medians"] else "-"


def print_all(found):
    widest = max(len(row["name"]) for row in found["rows"])
    print(f"{'':{widest}}  {'unit':6}  {'library':>8}  {'ravel':>8}  {'ratio':>6}  target")
    for row in found["rows"]:
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f}"
        print(f"{row['name']:{widest}}  {row['unit']:6}  {shown(row, 'nats'):>8}  "
              f"{shown(row, 'ravel'):>8}  {ratio:>6}  {row['target']:8}  "
              f"{'noisy' if row['noisy'] else ''}")
    print(f"nats-server {found['server']}, {found['cpus']} cores, load {found['load']['before']} "
          f"before, {found['load']['after']} after")
    for note in found["notes"]:
        print(f"note: {note}")


def arguments():
    parser = argparse.ArgumentParser(description="Measure the tier `cluster` beside bare libnats.")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--quick", action="store_true", help="one round, a tenth of the size")
    parser.add_argument("--only", metavar="TEXT", default="", help="rows whose name contains this")
    parser.add_argument("--json", metavar="FILE", help="write every value there as well")
    parser.add_argument("--settle", type=float, default=1.0, metavar="SECONDS",
                        help="for the workers to join (default 1)")
    parser.add_argument("--build", metavar="DIR", type=Path, default=ROOT / "build" / "bench",
                        help="the build tree (default build/bench)")
    args = parser.parse_args()
    if args.quick:
        args.rounds = 1
    return args


def main():
    args = arguments()
    rows = [row for row in ROWS if args.only in row.name]
    if not rows:
        sys.exit(f"no row has {args.only!r} in its name")
    if not nats.is_installed():
        sys.exit("nats-server is not installed (tools/install_deps.sh --for bench)")
    build(args.build)
    notes, before = [], load()
    with tempfile.TemporaryDirectory(prefix="bench-cluster-") as folder, \
            nats.Running(nats.Server(folder)) as (server,):
        version = server.version()
        values = measure(rows, server, args, notes)
    found = {"rows": [summary(row, values[row.name]) for row in rows], "notes": notes,
             "server": version, "cpus": os.cpu_count(),
             "load": {"before": before, "after": load()}}
    print_all(found)
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
