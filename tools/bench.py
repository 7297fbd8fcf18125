#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build the benchmarks and measure Ravel beside its peers; nothing here passes or fails.

Each case is one program of bench/ and its arguments. All that take part in a case run one after the
other, then again, for as many rounds as asked: the machine's mood changes slowly, so a ratio is
taken inside a round and the median of these ratios is shown, not the ratio of two medians. A figure
whose middle half lies further apart than 15% of its median is marked noisy. Lower is better
everywhere; a ratio of 0.10 says that Ravel needs a tenth of what the best peer needs.

With --instructions there is no clock: callgrind counts the instructions of two sizes, and their
difference over the difference in size is the cost of one operation. That is repeatable on any
machine, however loaded.
"""

import argparse
import fnmatch
import json
import os
import re
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PEERS = ("pthread", "boost", "go", "tbb", "openmp")
NOISY = 0.15        # of the median, between the quartiles
NOT_HERE = 77       # a peer's exit status when it has no such thing
TIME_LIMIT = 300    # seconds for one program
HEAVY_ROUNDS = 3


class Case(NamedTuple):
    """One program and its arguments; sizes are what --instructions compares, if it can."""
    program: str
    args: str = ""
    sizes: tuple = ()
    heavy: bool = False     # seconds and gigabytes: fewer rounds
    quick: str = ""         # further arguments under --quick
    quiet: str = ""         # further arguments that do not belong to the name

    @property
    def name(self):
        return f"{self.program} {self.args}".strip()

    def command(self, quick):
        """The arguments; what comes later takes the place of what came before."""
        words = f"{self.args} {self.quiet} {self.quick if quick else ''}".split()
        return [f"{key}={value}" for key, value in dict(w.split("=") for w in words).items()]


SHORT = (10_000, 20_000)
CASES = (
    Case("yield", "tasks=2", (100_000, 200_000)),
    Case("yield", "tasks=1000", (100_000, 200_000)),
    Case("spawn", "how=close", SHORT),
    Case("spawn", "how=yield", SHORT),
    Case("million", "workers=1", SHORT, quiet="batches=3", quick="ops=200000"),
    Case("million", "workers=2", quiet="batches=3", quick="ops=200000"),
    Case("pingpong", "capacity=1", SHORT),
    Case("pingpong", "capacity=0", SHORT),
    Case("chan", "workers=1 pairs=1", (25_600, 51_200)),
    Case("chan", "workers=2 pairs=1"),
    Case("chan", "workers=2 pairs=2"),
    Case("parked", quiet="tasks=1000000", heavy=True, quick="tasks=100000"),
    Case("sleepers", "spread_ms=100", heavy=True, quick="tasks=100000 lead_ms=500"),
    Case("sleepers", "spread_ms=2000", heavy=True, quick="tasks=100000 lead_ms=500"),
    Case("skynet", "workers=1", heavy=True, quick="leaves=100000"),
    Case("skynet", "workers=2", heavy=True, quick="leaves=100000"),
    Case("executor", "tier=inline", SHORT),
    Case("executor", "tier=tasks", SHORT),
    Case("executor", "tier=threads"),
    Case("executor", "tier=tasks in_flight=256", (25_600, 51_200)),
    Case("executor", "tier=threads in_flight=256"),
)


# ---- building and running ------------------------------------------------------------------------

def build(tree):
    """Bring the tree up to date. Its output is shown only when it fails."""
    steps = [["ninja", "-C", tree, "benches"]]
    if not (tree / "build.ninja").exists():
        steps.insert(0, ["meson", "setup", tree, ROOT, "-Dbench=enabled", "-Dtests=disabled",
                         "-Dexamples=false"])
    for step in steps:
        done = subprocess.run(step, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit(f"{done.stdout}\ncould not build the benchmarks in {tree}")


def programs_of(case, tree, peers):
    """(who, command) of all that may take part in a case, Ravel first."""
    yield "ravel", [tree / "bench" / f"ravel-{case.program}"]
    for who in peers:
        yield who, [tree / "bench" / "peers" / f"peer-{who}", case.program]


def run(command):
    """The figures that a program prints, and a word on why there are none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        return [], f"took more than {TIME_LIMIT} s"
    if done.returncode == NOT_HERE:
        return [], None
    if done.returncode:
        return [], done.stderr.strip() or f"ended with {done.returncode}"
    return [json.loads(line) for line in done.stdout.splitlines()], None


def say(text):
    """What is going on, for whoever watches."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def measure(case, tree, peers, rounds, quick, notes):
    """The figures of a case as {(bench, unit): {who: [one value a round]}}, ravel first."""
    figures = defaultdict(lambda: defaultdict(list))
    takes_part = list(programs_of(case, tree, peers))
    for number in range(rounds):
        for who, command in list(takes_part):
            say(f"{case.name}: round {number + 1} of {rounds}, {who}")
            lines, trouble = run(command + case.command(quick))
            if not lines:
                takes_part.remove((who, command))
            if trouble:
                notes.append(f"{who} {case.name}: {trouble}")
            for line in lines:
                figures[line["bench"], line["unit"]][who].append(line["value"])
                note_other_size(case, who, line["params"], quick, notes)
    return figures


def note_other_size(case, who, params, quick, notes):
    """A peer that cannot do the size asked for says so in its parameters."""
    asked = dict(word.split("=") for word in case.command(quick))
    other = [f"{key}={params[key]}" for key, value in asked.items() if str(params[key]) != value]
    note = f"{who} {case.name}: with {' '.join(other)}"
    if other and note not in notes:
        notes.append(note)


# ---- figures -------------------------------------------------------------------------------------

def spread(values):
    """The distance between the quartiles over the median; None when that says nothing."""
    middle = statistics.median(values)
    if len(values) < 3 or middle == 0:
        return None
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / abs(middle)


def summary(name, unit, by_who):
    """One row of the table, as a dictionary that --json writes as well."""
    medians = {who: statistics.median(values) for who, values in by_who.items()}
    peers = sorted((who for who in by_who if who != "ravel"), key=medians.get)
    row = {"bench": name, "unit": unit, "values": {who: list(v) for who, v in by_who.items()},
           "medians": medians, "spreads": {who: spread(v) for who, v in by_who.items()},
           "best_peer": peers[0] if peers else None, "ratio": None}
    if peers and "ravel" in by_who:
        pairs = [(mine, other) for mine, other in zip(by_who["ravel"], by_who[peers[0]]) if other]
        if pairs:
            row["ratio"] = statistics.median(mine / other for mine, other in pairs)
    # Only those that make the ratio can make it doubtful.
    counted = ["ravel"] + peers[:1]
    row["noisy"] = any((row["spreads"].get(who) or 0) > NOISY for who in counted)
    return row


def rows_of(case, figures):
    """The rows of a case; its name is put in the place of the program's in each figure's."""
    for (bench, unit), by_who in figures.items():
        yield summary(case.name + bench[len(case.program):], unit, by_who)


def short(value):
    if value >= 1e6:
        return f"{value / 1e6:.3g}M"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def cell(row, who):
    """"12.3 ±4%" """
    if who not in row["medians"]:
        return "-"
    wide = row["spreads"][who]
    return short(row["medians"][who]) + ("" if wide is None else f" ±{50 * wide:.0f}%")


def print_table(rows):
    widest = max((len(row["bench"]) for row in rows), default=0)
    head = f"{'':{widest}}  {'unit':5}  {'ravel':>13}  {'ratio':>6}         peers, best first"
    print(f"{head}\n{'-' * len(head)}")
    for row in rows:
        peers = sorted((who for who in row["medians"] if who != "ravel"), key=row["medians"].get)
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f}"
        print(f"{row['bench']:{widest}}  {row['unit']:5}  {cell(row, 'ravel'):>13}  {ratio:>6}  "
              f"{'noisy' if row['noisy'] else '':5}  "
              + ", ".join(f"{who} {cell(row, who)}" for who in peers))


# ---- instructions --------------------------------------------------------------------------------

COLLECTED = re.compile(r"Collected : (\d+)")


def count_instructions(command):
    """All instructions of a program, from its start to its end; None with a word on stderr."""
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    done = subprocess.run(tool + command, capture_output=True, text=True)
    found = COLLECTED.search(done.stderr)
    if done.returncode or not found:
        print(done.stderr, file=sys.stderr)
        return None
    return int(found.group(1))


def instructions(cases, tree):
    """{case: instructions for one operation}, as a slope between two sizes."""
    result = {}
    for case in (c for c in cases if c.sizes):
        say(case.name)
        program = [tree / "bench" / f"ravel-{case.program}"]
        words = [w for w in case.command(False) if not w.startswith("batches=")]
        counts = [count_instructions(program + words + ["batches=1", f"ops={size}"])
                  for size in case.sizes]
        if None not in counts:
            result[case.name] = (counts[1] - counts[0]) / (case.sizes[1] - case.sizes[0])
    return result


def print_instructions(result):
    widest = max(map(len, result), default=0)
    print(f"{'':{widest}}  instructions for one operation")
    for name, count in result.items():
        print(f"{name:{widest}}  {count:10,.1f}")


# ---- the command ---------------------------------------------------------------------------------

def arguments():
    parser = argparse.ArgumentParser(description="Measure Ravel beside its peers.")
    parser.add_argument("--rounds", type=int, default=5, metavar="N",
                        help=f"rounds of each case (default 5; heavy cases {HEAVY_ROUNDS} at most)")
    parser.add_argument("--only", metavar="PATTERN",
                        help="cases whose name contains this, or matches it if it has * or ?")
    parser.add_argument("--quick", action="store_true",
                        help="three rounds and a tenth of the size: does it run, roughly how fast")
    parser.add_argument("--instructions", action="store_true",
                        help="count instructions with callgrind; no clock, no peers")
    parser.add_argument("--json", metavar="FILE", help="write every value there as well")
    parser.add_argument("--list", action="store_true", help="print the cases and end")
    parser.add_argument("--build", metavar="DIR", type=Path, default=ROOT / "build" / "bench",
                        help="the build tree (default build/bench)")
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error("--rounds must be at least 1")
    return args


def chosen(pattern):
    if not pattern:
        return CASES
    if not set("*?") & set(pattern):
        pattern = f"*{pattern}*"
    return tuple(case for case in CASES if fnmatch.fnmatch(case.name, pattern))


def load():
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def measure_all(cases, args):
    """What --json holds."""
    present = [who for who in PEERS if (args.build / "bench" / "peers" / f"peer-{who}").exists()]
    missing = [who for who in PEERS if who not in present]
    before, notes, rows = load(), [], []
    most = min(args.rounds, 3) if args.quick else args.rounds
    for case in cases:
        rounds = min(most, HEAVY_ROUNDS) if case.heavy else most
        rows += rows_of(case, measure(case, args.build, present, rounds, args.quick, notes))
    say("")
    return {"rows": rows, "notes": notes, "skipped": missing, "cpus": os.cpu_count(),
            "load": {"before": before, "after": load()}}


def print_all(found):
    print_table(found["rows"])
    print(f"\n{found['cpus']} CPUs, load {found['load']['before']} before, "
          f"{found['load']['after']} after; ± is half the distance between the quartiles")
    for note in found["notes"]:
        print(note)
    for who in found["skipped"]:
        print(f"skipped: {who}, its compiler or package is missing "
              "(tools/install_deps.sh --for bench)")


def main():
    args = arguments()
    cases = chosen(args.only)
    if args.list:
        print("\n".join(case.name for case in cases))
        return
    build(args.build)
    if args.instructions:
        found = {"instructions": instructions(cases, args.build)}
        say("")
        print_instructions(found["instructions"])
    else:
        found = measure_all(cases, args)
        print_all(found)
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
