#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How soon is each bug of a folder found?

    measure.py RAVEL FOLDER [--seeds N] [--strategies] [--native N] [--only NAME] [--schedules N]
               [--door instrumented|unchanged] [--jobs N]

Checks each program of FOLDER, one stream and one seed at a time, and prints a line a program: the
median and the largest number of schedules to the first failure, seconds, switches left after
minimising, and the kinds as which it was told. With --strategies also the median for each strategy
alone, with --native how many of N plain runs fail by themselves (a hang is one). What is not found
in --schedules counts as that many + 1, and is printed as '-'.

Every failure is replayed once. A program without a "bug:" line is one that nothing may be told of:
its line says what was. Prints figures, not TAP: it judges nothing."""

import argparse
import collections
import concurrent.futures
import json
import math
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from corpus import Failed, check, compile_with, field, found_in, run

HANGS = 2  # seconds
STRATEGIES = ["walk", "pct", "pos", "surw", "location", "aim"]

Hit = collections.namedtuple("Hit", "schedules seconds left kinds problem")


def replay_problem(trace, ravel, kinds):
    code, out, _ = run([ravel, "check", "--json", "--replay", trace])
    if code != 1 or not set(kinds) & set(found_in(json.loads(out))):
        return f"replay ended with {code}"
    return ""


def hit(options, program, door, seed, more=()):
    """One search, up to its first failure."""
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "bug.ravel")
        code, report = check(options.ravel,
                             ["--schedules", str(options.schedules), "--seed", str(seed), "--jobs",
                              "1", "--seconds", "30", "--output", trace, *door, *more], program)
        kinds = found_in(report)
        if not report["failure"]:
            return Hit(report["schedules_to_first_race"] or None, report["seconds"], 0, kinds, "")
        problem = replay_problem(trace, options.ravel, kinds)
        return Hit(report["schedules_to_first_failure"], report["seconds_to_first_failure"],
                   report["switches_left"], kinds, problem)


def attempt(options, program, door, seed, more=()):
    try:
        return hit(options, program, door, seed, more)
    except (Failed, subprocess.TimeoutExpired, json.JSONDecodeError) as problem:
        return Hit(None, 0, 0, [], str(problem).splitlines()[0][:60])


def count_of(options, one):
    return options.schedules + 1 if one.schedules is None else one.schedules


def shown(options, count):
    return "-" if count > options.schedules else f"{count:g}"


def is_native_failure(program):
    try:
        done = subprocess.run([program], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=HANGS)
        return done.returncode != 0
    except subprocess.TimeoutExpired:
        return True


def native_failures(program, times):
    """Of so many runs, or of those that a minute was enough for."""
    bad, runs, until = 0, 0, time.monotonic() + 60
    while runs < times and time.monotonic() < until:
        bad += is_native_failure(program)
        runs += 1
    return f"{bad}/{runs}"


def built(options, source, folder):
    ours = os.path.join(folder, source.stem)
    plain = ours + "-plain"
    compile_with([options.ravel], source, ours)
    compile_with([], source, plain)
    return ours, plain


def line_of(options, source):
    """What was measured of a program, and its line."""
    with tempfile.TemporaryDirectory() as folder:
        ours, plain = built(options, source, folder)
        program, door = ours, []
        if options.door == "unchanged":
            program, door = plain, ["--without-recompiling"]
        seeds = range(1, options.seeds + 1)
        hits = [attempt(options, program, door, seed) for seed in seeds]
        columns = [shown(options, statistics.median_low(count_of(options, h) for h in hits)),
                   shown(options, max(count_of(options, h) for h in hits)),
                   f"{statistics.median(h.seconds for h in hits):.3f}",
                   f"{max(h.seconds for h in hits):.3f}", str(max(h.left for h in hits))]
        if options.native:
            columns.append(native_failures(plain, options.native))
        for strategy in STRATEGIES if options.strategies else []:
            alone = [attempt(options, program, door, seed, ["--strategy", strategy])
                     for seed in seeds]
            columns.append(shown(options, statistics.median_low(count_of(options, h)
                                                                for h in alone)))
        kinds = collections.Counter(kind for h in hits for kind in h.kinds)
        problems = {h.problem for h in hits if h.problem}
        said = " ".join([*(f"{kind}:{n}" for kind, n in kinds.items()), *problems])
        return hits, f"{source.stem:26}" + "".join(f"{c:>9}" for c in columns) + f"  {said}"


def heads(options):
    names = ["median", "worst", "seconds", "slowest", "switches"]
    names += ["native"] if options.native else []
    names += STRATEGIES if options.strategies else []
    return f"{'program':26}" + "".join(f"{name:>9}" for name in names) + "  told as"


def summary(options, every):
    counts = [count_of(options, h) for h in every]
    seconds = sorted(h.seconds for h in every if h.schedules is not None) or [0]
    left = sorted(h.left for h in every if h.schedules is not None) or [0]
    mean = math.exp(sum(map(math.log, counts)) / len(counts))
    print(f"# geometric mean {mean:.2f} schedules; not found: "
          f"{sum(h.schedules is None for h in every)} of {len(every)} searches")
    print(f"# seconds: median {statistics.median(seconds):.3f}, p90 "
          f"{seconds[int(len(seconds) * 0.9)]:.3f}, max {seconds[-1]:.3f}; switches left: median "
          f"{statistics.median(left):g}, p90 {left[int(len(left) * 0.9)]}, max {left[-1]}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ravel")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--native", type=int, default=0)
    parser.add_argument("--strategies", action="store_true")
    parser.add_argument("--door", choices=["instrumented", "unchanged"], default="instrumented")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="")
    return parser.parse_args()


def main():
    options = arguments()
    sources = sorted(s for s in options.folder.glob("*.c*") if options.only in s.stem)
    print(heads(options), flush=True)
    every = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for hits, line in pool.map(lambda source: line_of(options, source), sources):
            every += hits
            print(line, flush=True)
    if every:
        summary(options, every)


if __name__ == "__main__":
    main()
