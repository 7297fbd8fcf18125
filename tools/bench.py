#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build the benchmarks and measure Ravel beside its peers; nothing here passes or fails.

Each case is one program of bench/ and its arguments. All that take part in a case run one after the
other, then again, for as many rounds as asked: the machine's mood changes slowly, so a ratio is
taken inside a round and the median of these ratios is shown, not the ratio of two medians. A figure
whose middle half lies further apart than 15% of its median is marked noisy. Lower is better
everywhere; a ratio of 0.10 says that Ravel needs a tenth of what the best peer needs.

"floor" is no peer: it is what the machine allows (peers/floor.c), and "target" is what the project
aims at. Both are there to be read; neither is held against anything.

With --instructions there is no clock: callgrind counts the instructions of two sizes, and their
difference over the difference in size is the cost of one operation. That is repeatable on any
machine, however loaded, so it can be held against what was recorded for the same compiler
(bench/instructions.json): --compare shows the change, --record replaces the record, and
tests/instructions fails when a count has grown.
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
PEERS = ("floor", "epoll", "uring", "pthread", "openssl", "spawn", "fork", "pipe", "socketpair",
         "python", "pickle", "boost", "go", "tokio", "crossbeam", "tbb", "rayon", "libgomp",
         "libomp")
RECORD = ROOT / "bench" / "instructions.json"
NOISY = 0.15        # of the median, between the quartiles
NOT_HERE = 77       # a peer's exit status when it has no such thing
TIME_LIMIT = 300    # seconds for one program
HEAVY_ROUNDS = 3


class Case(NamedTuple):
    """One program and its arguments; sizes are what --instructions compares, if it can: numbers of
    operations, or pairs of an argument and the operations that the whole program does with it."""
    program: str
    args: str = ""
    sizes: tuple = ()
    heavy: bool = False     # seconds and gigabytes: fewer rounds
    quick: str = ""         # further arguments under --quick
    quiet: str = ""         # further arguments that do not belong to the name
    traced: bool = False    # under `ravel trace`; the one peer, "off", is itself without
    alone: bool = False     # no peer has such a thing

    @property
    def name(self):
        return f"{self.program} {self.args}{' traced' * self.traced}".strip()

    def command(self, quick):
        """The arguments; what comes later takes the place of what came before."""
        words = f"{self.args} {self.quiet} {self.quick if quick else ''}".split()
        return [f"{key}={value}" for key, value in dict(w.split("=") for w in words).items()]


SHORT = (10_000, 20_000)
LONG = (100_000, 200_000)
LEAVES = (("leaves=1000", 2_000), ("leaves=10000", 20_000))     # the tree is summed twice
FORKED_LEAVES = tuple((f"{words} batches=1", leaves) for words, leaves in LEAVES)
# fib(n - 5) comes before fib(n).
FORKS = (("n=15 batches=1", 986 + 88), ("n=20 batches=1", 10_945 + 986))
TASKS = (("tasks=2000", 2_000), ("tasks=4000", 4_000))
CASES = (
    Case("switch", "fibers=2", LONG),
    Case("switch", "fibers=1000", LONG),
    Case("switch", "what=stack", LONG),
    Case("yield", "tasks=2", LONG),
    Case("yield", "tasks=1000", LONG),
    Case("yield", "tasks=2 trace=4096", LONG, alone=True),
    Case("spawn", "how=close", SHORT),
    Case("spawn", "how=yield", SHORT),
    Case("million", "workers=1", SHORT, quiet="batches=3", quick="ops=200000"),
    Case("million", "workers=2", quiet="batches=3", quick="ops=200000"),
    Case("fork", "form=typed workers=1", FORKS, heavy=True, quick="n=27"),
    Case("fork", "form=typed workers=2", heavy=True, quick="n=27"),
    Case("fork", "form=function workers=1", FORKS, heavy=True, quick="n=27"),
    Case("fork", "form=function workers=2", heavy=True, quick="n=27"),
    Case("skynet-fork", "workers=1", FORKED_LEAVES, heavy=True, quick="leaves=100000"),
    Case("skynet-fork", "workers=2", heavy=True, quick="leaves=100000"),
    Case("skynet", "workers=1", LEAVES, heavy=True, quick="leaves=100000"),
    Case("skynet", "workers=2", heavy=True, quick="leaves=100000"),
    Case("pingpong", "capacity=1", SHORT),
    Case("pingpong", "capacity=0", SHORT),
    Case("chan", "workers=1 pairs=1", (25_600, 51_200)),
    Case("chan", "workers=2 pairs=1"),
    Case("chan", "workers=2 pairs=2"),
    Case("lock", "kind=mutex workers=1 tasks=2"),
    Case("lock", "kind=mutex workers=2 tasks=2"),
    Case("lock", "kind=mutex workers=2 tasks=8"),
    Case("lock", "kind=sem workers=2 tasks=2"),
    Case("lock", "kind=write workers=2 tasks=2"),
    Case("lock", "kind=read workers=2 tasks=2"),
    Case("lock", "kind=cond workers=2 tasks=2", quick="ops=2000"),
    Case("child", "how=task mib=0", quick="ops=20"),
    Case("child", "how=task mib=1024", heavy=True, quick="ops=20"),
    Case("child", "how=thread mib=1024", heavy=True, quick="ops=20"),
    Case("process-bytes", "how=plain", quick="ops=10000"),
    Case("process-bytes", "how=encoded", quick="ops=10000"),
    Case("process-fit", quick="count=4"),
    Case("process-queue", "capacity=128", quick="ops=1000"),
    Case("process-start", "how=worker mib=0", quick="ops=20"),
    Case("process-start", "how=worker mib=1024", heavy=True, quick="ops=20"),
    Case("process-start", "how=spawn program=dynamic", quick="ops=20"),
    Case("process-start", "how=spawn program=static", quick="ops=20"),
    Case("process-start", "how=fork mib=0", quick="ops=20"),
    Case("process-start", "how=fork mib=1024", heavy=True, quick="ops=20"),
    Case("parked", sizes=TASKS, quiet="tasks=1000000", heavy=True, quick="tasks=100000"),
    Case("idle", quiet="connections=10000", heavy=True, quick="connections=1000"),
    Case("sleepers", "spread_ms=100", heavy=True, quick="tasks=100000 lead_ms=500"),
    Case("sleepers", "spread_ms=2000", heavy=True, quick="tasks=100000 lead_ms=500"),
    Case("lateness", quick="sleeps=100"),
    Case("io-echo", "by=epoll conns=64", quick="ops=20000"),
    Case("io-echo", "by=uring conns=64", quick="ops=20000"),
    Case("io-echo", "by=epoll conns=64", quick="ops=20000", traced=True),
    Case("io-echo", "by=uring conns=64", quick="ops=20000", traced=True),
    Case("io-echo", "by=epoll conns=1024", quick="ops=20000"),
    Case("io-echo", "by=uring conns=1024", quick="ops=20000"),
    Case("print", "tasks=1 workers=1"),
    Case("print", "tasks=8 workers=2"),
    Case("print", "tasks=8 workers=2 to=file"),
    Case("files", "how=whole cache=warm workers=1"),
    Case("files", "how=whole cache=warm workers=2"),
    Case("files", "how=loop cache=warm workers=1"),
    Case("files", "how=whole cache=cold workers=1"),
    Case("files", "how=whole cache=cold workers=2"),
    Case("tls", "what=handshake", quick="ops=5"),
    Case("tls", "what=resume", quick="ops=5"),
    Case("tls", "what=stream", quick="ops=100"),
    Case("tls", "what=pingpong", quick="ops=100"),
    Case("shm-ring", "wait=spin cores=2"),
    Case("shm-ring", "wait=both cores=2"),
    Case("shm-ring", "wait=sleep cores=1"),
    Case("shm-ring", "wait=sleep cores=2"),
    Case("shm-ring", "wait=both cores=2 in_flight=64"),
    Case("shm-ring", "wait=both cores=2 bytes=1048576"),
    Case("executor", "tier=inline", SHORT),
    Case("executor", "tier=tasks", SHORT),
    Case("executor", "tier=threads"),
    Case("executor", "tier=tasks in_flight=256", (25_600, 51_200)),
    Case("executor", "tier=threads in_flight=256"),
    Case("executor", "tier=processes", quick="ops=200"),
    Case("executor", "tier=processes in_flight=256", quick="ops=2560"),
    Case("executor", "tier=processes bytes=1048576", quick="ops=20"),
    Case("executor-cold", "gap_us=500", quick="ops=20"),
    Case("executor-cold", "gap_us=100 work_us=300", quick="ops=20"),
)

# What the project aims at, in each row's own unit.
TARGETS = {
    "switch fibers=2": 3.5,
    "switch what=stack": 10,
    "yield tasks=2": 6,
    "yield tasks=1000": 10,
    "spawn how=close": 20,
    "million workers=1": 60,
    "million workers=2": 60,
    "fork form=typed workers=1": 2.5,
    "fork form=typed workers=2": 1.4,
    "fork form=function workers=1": 12,
    "skynet-fork workers=1": 2.5,
    "skynet-fork workers=2": 1.4,
    "skynet workers=1": 100,
    "skynet workers=2": 100,
    "pingpong capacity=1": 25,
    "chan workers=1 pairs=1": 12,
    "chan workers=2 pairs=1": 25,
    "chan workers=2 pairs=2": 30,
    "parked resident": 4506,
    "parked mappings": 50,
    "parked first creation": 2600,
    "idle resident": 6144,
    "sleepers spread_ms=100 cpu": 400,
    "sleepers spread_ms=2000 late p99": 2000,
    "lateness p50": 100,
}


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


def program_of(case, tree):
    return tree / "bench" / f"ravel-{case.program}"


def programs_of(case, tree, peers):
    """(who, command) of all that may take part in a case, Ravel first."""
    if case.traced:
        yield "ravel", [tree / "cli" / "ravel", "trace", "--output", os.devnull, "--",
                        program_of(case, tree)]
        yield "off", [program_of(case, tree)]
        return
    yield "ravel", [program_of(case, tree)]
    if case.alone:
        return
    for who in peers:
        yield who, [tree / "bench" / "peers" / f"peer-{who}", case.program]


def run(command):
    """The figures that a program prints, and a word on why there are none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        return [], f"took more than {TIME_LIMIT} s"
    except FileNotFoundError:
        return [], "is not built"
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


def best_first(medians):
    """The peers among those measured."""
    return sorted((who for who in medians if who not in ("ravel", "floor")), key=medians.get)


def summary(name, unit, by_who):
    """One row of the table, as a dictionary that --json writes as well."""
    medians = {who: statistics.median(values) for who, values in by_who.items()}
    peers = best_first(medians)
    row = {"bench": name, "unit": unit, "values": {who: list(v) for who, v in by_who.items()},
           "medians": medians, "spreads": {who: spread(v) for who, v in by_who.items()},
           "target": TARGETS.get(name), "best_peer": peers[0] if peers else None, "ratio": None}
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


def bare(value):
    return "" if value is None else short(value)


def print_table(rows):
    widest = max((len(row["bench"]) for row in rows), default=0)
    head = (f"{'':{widest}}  {'unit':5}  {'target':>6}  {'floor':>6}  {'ravel':>13}  {'ratio':>6}"
            "         peers, best first")
    print(f"{head}\n{'-' * len(head)}")
    for row in rows:
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f}"
        print(f"{row['bench']:{widest}}  {row['unit']:5}  {bare(row['target']):>6}  "
              f"{bare(row['medians'].get('floor')):>6}  {cell(row, 'ravel'):>13}  {ratio:>6}  "
              f"{'noisy' if row['noisy'] else '':5}  "
              + ", ".join(f"{who} {cell(row, who)}" for who in best_first(row["medians"])))


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


def arguments_for(case, size):
    """The arguments that make a program do so much, and how much that is."""
    if isinstance(size, int):
        size = f"batches=1 ops={size}", size
    words = f"{case.args} {size[0]}".split()
    return words, size[1]


def cost_of(case, tree):
    """Instructions for one operation, as a slope between two sizes; None where it cannot be had."""
    program = program_of(case, tree)
    if not program.exists():
        print(f"{program} is not built", file=sys.stderr)
        return None
    counts, ops = [], []
    for size in case.sizes:
        words, number = arguments_for(case, size)
        counts.append(count_instructions([program, *words]))
        ops.append(number)
    return None if None in counts else (counts[1] - counts[0]) / (ops[1] - ops[0])


def countable(cases):
    return [case for case in cases if case.sizes]


def instructions(cases, tree):
    """{case: instructions for one operation}"""
    result = {}
    for case in countable(cases):
        say(case.name)
        cost = cost_of(case, tree)
        if cost is not None:
            result[case.name] = round(cost, 1)
    say("")
    return result


def compiler_of(tree):
    """What a count depends on besides our code: "gcc 12 x86_64"."""
    return (tree / "bench" / "compiler").read_text().strip()


def recorded():
    """{compiler: {case: instructions}}, as committed."""
    return json.loads(RECORD.read_text()) if RECORD.exists() else {}


def record(found, compiler):
    """Put what was counted into the record; cases that were not counted stay."""
    known = recorded()
    known.setdefault(compiler, {}).update(found)
    RECORD.write_text(json.dumps(known, indent=1) + "\n")


def change(now, before):
    """"+3.1%" """
    return f"{100 * (now / before - 1):+.1f}%" if before else ""


def print_instructions(found, before):
    """One line a case, and beside it what was recorded, if there is anything to compare with."""
    widest = max(map(len, found), default=0)
    head = f"{'':{widest}}  instructions for one operation"
    print(head + ("  recorded  change" if before else ""))
    for name, count in found.items():
        line = f"{name:{widest}}  {count:30,.1f}"
        if name in before:
            line += f"  {before[name]:8,.1f}  {change(count, before[name]):>6}"
        print(line)


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
    parser.add_argument("--compare", action="store_true",
                        help="with --instructions: beside what was recorded for this compiler")
    parser.add_argument("--record", action="store_true",
                        help=f"with --instructions: write them into {RECORD.relative_to(ROOT)}")
    parser.add_argument("--json", metavar="FILE", help="write every value there as well")
    parser.add_argument("--list", action="store_true", help="print the cases and end")
    parser.add_argument("--build", metavar="DIR", type=Path, default=ROOT / "build" / "bench",
                        help="the build tree (default build/bench)")
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error("--rounds must be at least 1")
    if (args.compare or args.record) and not args.instructions:
        parser.error("--compare and --record go with --instructions")
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
    found = {"rows": rows, "notes": notes, "skipped": missing, "cpus": os.cpu_count(),
             "load": {"before": before, "after": load()}}
    print_all(found)
    return found


def count_all(cases, args):
    """What --json holds under --instructions; printed, and recorded if that was asked for."""
    compiler = compiler_of(args.build)
    found = instructions(cases, args.build)
    before = recorded().get(compiler, {}) if args.compare else {}
    print_instructions(found, before)
    if args.compare and not before:
        print(f"nothing is recorded for {compiler}")
    if args.record:
        record(found, compiler)
    return {"compiler": compiler, "instructions": found, "recorded": before}


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
    found = count_all(cases, args) if args.instructions else measure_all(cases, args)
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
