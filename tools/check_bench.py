#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How soon `ravel check` finds the bugs of tests/check/must_fail, for each strategy.

    tools/check_bench.py BUILD [--seeds N] [--budget N] [--strategies all,pct,...] [--only NAME]
                         [--native N] [--json FILE] [PROGRAM.c ...]

BUILD is a meson folder without sanitizers. Each program is built with `ravel cc` and explored, one stream,
under N seeds by the portfolio ("all") and by each strategy alone. Printed are the medians of schedules
to the first failure, their geometric means, wall times, and the deviations left after minimising; with
--native also how many of N plain runs of each program fail by themselves (a hang is one)."""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STRATEGIES = ["all", "walk", "pct", "pos", "surw", "location", "aim"]
ROOT = Path(__file__).resolve().parent.parent
BENCH = "tests/unit/check/check-bench_schedules"
HANGS = 2  # seconds


def build_tools(build):
    subprocess.run(["ninja", "-C", str(build), BENCH, "cli/ravel", "check/libravel_check.so"],
                   check=True, stdout=subprocess.DEVNULL)


def compiled(build, source, folder):
    program = Path(folder) / source.stem
    subprocess.run([str(build / "cli/ravel"), "cc", "-std=gnu17", "-g", "-o", str(program),
                    str(source), "-pthread"], check=True)
    return program


def plain(source, folder):
    program = Path(folder) / (source.stem + "-plain")
    subprocess.run(["cc", "-std=gnu17", "-O1", "-o", str(program), str(source), "-pthread"],
                   check=True)
    return program


def measured(build, program, strategies, options):
    """For each strategy, a list of (schedules, milliseconds, kind, deviations left)."""
    numbers = ",".join(str(STRATEGIES.index(name)) for name in strategies)
    done = subprocess.run([str(build / BENCH), str(build / "check/libravel_check.so"),
                           str(options.seeds), str(options.budget), numbers, str(program)],
                          stdout=subprocess.PIPE, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {STRATEGIES[row["strategy"]]: row["runs"] for row in rows}


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


def column(runs, index):
    return [run[index] for run in runs]


def geometric(values):
    return math.exp(sum(math.log(value) for value in values) / len(values))


def rank(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def print_row(name, runs_by_strategy, strategies, native):
    cells = []
    for strategy in strategies:
        schedules = column(runs_by_strategy[strategy], 0)
        cells.append(f"{statistics.median(schedules):6.0f} <{max(schedules):<5}")
    print(f"{name:<30}" + " ".join(cells) + native, flush=True)


def print_sums(results, strategies, budget):
    for strategy in strategies:
        runs = [result[strategy] for result in results.values()]
        medians = [statistics.median(column(of_one, 0)) for of_one in runs]
        each = [run for of_one in runs for run in of_one]
        missed = sum(run[2] == 0 for run in each)
        times = [run[1] for run in each if run[2] != 0] or [0]
        print(f"{strategy}: geometric mean of medians {geometric(medians):.2f}, not found in "
              f"{budget}: {missed} of {len(each)}; ms to the failure: median "
              f"{statistics.median(times):.1f}, p90 {rank(times, 0.9):.1f}, most {max(times):.1f}")
    left = [run[3] for result in results.values() for runs in result.values() for run in runs
            if run[2] != 0]
    again = [count for count in left if count >= 0]
    if again:
        print(f"deviations left: median {statistics.median(again):.0f}, p90 {rank(again, 0.9)}, "
              f"most {max(again)}; did not fail again: {len(left) - len(again)} of {len(left)}")


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("programs", nargs="*", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--budget", type=int, default=1000)
    parser.add_argument("--strategies", default="all")
    parser.add_argument("--only", default="")
    parser.add_argument("--native", type=int, default=0)
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    strategies = options.strategies.split(",")
    sources = options.programs or sorted((ROOT / "tests/check/must_fail").glob("*.c"))
    results = {}
    build_tools(options.build)
    print(" " * 30 + " ".join(f"{name:>6}       " for name in strategies))
    with tempfile.TemporaryDirectory() as folder:
        for source in sources:
            if options.only not in source.stem:
                continue
            program = compiled(options.build, source, folder)
            results[source.stem] = measured(options.build, program, strategies, options)
            native = native_failures(plain(source, folder), options.native) if options.native else ""
            print_row(source.stem, results[source.stem], strategies, native)
    print_sums(results, strategies, options.budget)
    if options.json:
        options.json.write_text(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1:])
