#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `ravel check` costs, beside ThreadSanitizer, helgrind and drd; nothing here passes or fails.

    tools/bench_check.py BUILD [--rounds N] [--only schedules,cost,bugs] [--json FILE]

BUILD is a meson folder without sanitizers. Each round runs all sides in turn, on one core, and
ratios are taken inside a round.

    schedules  schedules a second of bench/check/small.c with 3, 20 and 100 threads
    cost       one run of bench/check/compute.c, as a multiple of the same run by nobody watched:
               by `ravel check` the first schedule, which also learns, and a later one
    bugs       for each program of tests/check/must_fail, schedules and milliseconds until
               `ravel check` has found it, and what one run under ThreadSanitizer says of it

Which strategy finds what how soon is tools/check_bench.py."""

import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
THREADS = (3, 20, 100)
ROUNDS_OF_COMPUTE = 1000
RUN_LIMIT = 3   # seconds, for a program that may hang
LATER_RUNS = 3
RACES = "2"     # CK_FIND_RACES, as one.c takes it


def run(command, limit=300):
    """Exit status (None: it was still running), standard output, error output, seconds."""
    begin = time.monotonic()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors="replace", stdin=subprocess.DEVNULL, timeout=limit)
    except subprocess.TimeoutExpired:
        return None, "", "", float(limit)
    return done.returncode, done.stdout, done.stderr, time.monotonic() - begin


def compiled(words, source, program):
    """By these words, with cc or c++ after them; whether it builds."""
    compiler = ["c++", "-std=gnu++20"] if source.suffix == ".cpp" else ["cc", "-std=gnu17"]
    own, extra = words
    command = [*own, *compiler, "-O1", "-g", *extra, "-o", str(program), str(source), "-pthread"]
    code, _, said, _ = run(command)
    if code != 0:
        sys.exit(f"{source.name} does not build: {said.strip()[-400:]}")
    return str(program)


def check(ravel, options, command):
    """The report; None: it could not be checked."""
    code, out, _, _ = run([ravel, "check", "--jobs", "1", "--json", *options, "--", *command])
    return json.loads(out) if code in (0, 1) else None


# --- schedules a second ---

def schedules(ravel, folder, rounds):
    source = ROOT / "bench/check/small.c"
    program = compiled(([ravel], []), source, folder / "small")
    rows = {}
    for threads in THREADS:
        rates = []
        for _ in range(rounds):
            report = check(ravel, ["--seconds", "2", "--output", str(folder / "bug")],
                           [program, str(threads)])
            rates.append(report["schedules"] / report["seconds"])
        rows[str(threads)] = statistics.median(rates)
        print(f"schedules a second, {threads:3} threads: {rows[str(threads)]:8.0f}", flush=True)
    return rows


# --- the cost of a run ---

def first_schedule(ravel, command, output):
    return check(ravel, ["--schedules", "1", "--granularity", "sync", "--output", output],
                 command)["seconds"]


def later_schedule(driver, command):
    """The explorer's later schedules do not learn, and no option says so: tests/check/one.c can."""
    return run([driver, "-n", str(LATER_RUNS), "-f", RACES, "--", *command])[3] / LATER_RUNS


def compiled_driver(folder):
    program = folder / "one"
    run(["cc", "-D_GNU_SOURCE", "-O1", f"-I{ROOT}", f"-I{ROOT}/src", "-o", str(program),
         str(ROOT / "tests/check/one.c")])
    return str(program)


def cost(ravel, folder, rounds):
    source = ROOT / "bench/check/compute.c"
    ours = compiled(([ravel], []), source, folder / "ours")
    theirs = compiled(([], ["-fsanitize=thread"]), source, folder / "theirs")
    plain = compiled(([], []), source, folder / "plain")
    driver = compiled_driver(folder)
    size, output = str(ROUNDS_OF_COMPUTE), str(folder / "bug")
    sides = {
        "ravel check, first": lambda: first_schedule(ravel, [ours, size], output),
        "ravel check, later": lambda: later_schedule(driver, [ours, size]),
        "ravel cc, no check": lambda: run([ours, size])[3],
        "gcc ThreadSanitizer": lambda: run([theirs, size])[3],
        "valgrind helgrind": lambda: run(["valgrind", "--tool=helgrind", plain, size])[3],
        "valgrind drd": lambda: run(["valgrind", "--tool=drd", plain, size])[3],
    }
    ratios = {side: [] for side in sides}
    for _ in range(rounds):
        native = run([plain, size])[3]
        for side, measure in sides.items():
            ratios[side].append(measure() / native)
    rows = {side: statistics.median(values) for side, values in ratios.items()}
    for side, ratio in rows.items():
        print(f"cost of a run, {side:20}: {ratio:7.1f} x native", flush=True)
    return rows


# --- bugs ---

def by_ravel(ravel, source, folder):
    program = compiled(([ravel], []), source, folder / "ours")
    report = check(ravel, ["--schedules", "1000", "--output", str(folder / "bug")], [program])
    if not report or not report["found"]:
        return {"found": "no", "schedules": 1000, "ms": 0}
    if report["failure"]:
        return {"found": report["failure"]["kind"],
                "schedules": report["schedules_to_first_failure"],
                "ms": 1000 * report["seconds_to_first_failure"]}
    return {"found": report["reports"][0]["kind"], "schedules": report["reports"][0]["schedule"],
            "ms": 1000 * report["seconds"]}


def words_of_sanitizer(code, said):
    """What ThreadSanitizer said, or, failing that, how the run ended."""
    summary = re.search(r"SUMMARY: ThreadSanitizer: ([^/(]*)", said)
    if summary:
        return summary.group(1).strip()
    if code is None:
        return "hangs"
    return "nothing" if code == 0 else "fails"


def by_sanitizer(source, folder):
    program = compiled(([], ["-fsanitize=thread"]), source, folder / "theirs")
    code, _, said, seconds = run([program], RUN_LIMIT)
    return {"found": words_of_sanitizer(code, said), "ms": 1000 * seconds}


def bugs(ravel, folder, _):
    rows = {}
    print(f"{'program':30} {'schedules':>9} {'ms':>8} {'ravel check':20} one run of TSan")
    for source in sorted((ROOT / "tests/check/must_fail").glob("*.c*")):
        ours, theirs = by_ravel(ravel, source, folder), by_sanitizer(source, folder)
        rows[source.stem] = {"ravel": ours, "tsan": theirs}
        print(f"{source.stem:30} {ours['schedules']:9} {ours['ms']:8.1f} {ours['found']:20} "
              f"{theirs['found']}", flush=True)
    told = [row for row in rows.values() if row["ravel"]["found"] != "no"]
    mean = math.exp(statistics.mean(math.log(max(1, row["ravel"]["schedules"])) for row in told))
    silent = sum(row["tsan"]["found"] in ("nothing", "hangs", "fails") for row in rows.values())
    print(f"of {len(rows)}: ravel check found {len(told)}, schedules' geometric mean {mean:.1f}, "
          f"median {statistics.median(row['ravel']['ms'] for row in told):.0f} ms; one run of "
          f"ThreadSanitizer reported {len(rows) - silent}")
    return rows


PARTS = {"schedules": schedules, "cost": cost, "bugs": bugs}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    subprocess.run(["ninja", "-C", str(options.build), "cli/ravel", "check/libravel_check.so"],
                   check=True, stdout=subprocess.DEVNULL)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for part in options.only.split(","):
            results[part] = PARTS[part](str(options.build.resolve() / "cli/ravel"), Path(folder),
                                        options.rounds)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
