#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run Ravel's tests again and again under conditions that they were not written for.

    tools/flakes.py --only 'cli/*' --rounds 20              # each program, 20 times each condition
    tools/flakes.py --config tsan --under one-cpu --under halted --minutes 30
    tools/flakes.py --list                                  # the conditions, in words

What fails once in a thousand runs is a defect all the same, of the library or of its test: this is
the place where it is met on purpose. A round is each program under each condition, in an order that
is drawn anew; the programs, builds, time limits and the reading of results are those of
tools/run_tests.py. A failure's whole output is kept (--keep), the end of the report counts for each
program and condition how often it was run and how often it failed.

A condition is a command before the program's own, changes to its environment, or what happens
beside it. One that this machine refuses (no namespaces, not root) is left out, and named.
"""

import argparse
import concurrent.futures
import contextlib
import fnmatch
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Callable, NamedTuple

import run_tests
from run_tests import CONFIGS, LIVE, ROOT, BuildError


# ---- what happens beside a program ---------------------------------------------------------------

@contextlib.contextmanager
def nothing():
    yield


@contextlib.contextmanager
def load():
    """Twice as many that only compute as there are processors."""
    command = [sys.executable, "-c", "while True: pass"]
    busy = [subprocess.Popen(command) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()


def descendants(pid):
    """The process and all that it and its children have started."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, children.read_text().split())
    return found


def may_be_halted(pid):
    """A debugger would tell of it; one that is stopped already would go on afterwards."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return "TracerPid:\t0\n" in status and "State:\tT" not in status


def halt_somebody(chance):
    """Stop one of the processes under test for up to a quarter of a second."""
    running = [p.pid for p in list(LIVE) if p.poll() is None]
    if not running:
        return
    victim = chance.choice(descendants(chance.choice(running)))
    if not may_be_halted(victim):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(victim, signal.SIGSTOP)
        time.sleep(chance.choice((0.001, 0.01, 0.1, 0.25)))
        os.kill(victim, signal.SIGCONT)


@contextlib.contextmanager
def halts():
    """Now and then one process stands still, as under a debugger or on a machine that is too full."""
    over = threading.Event()

    def keep_halting():
        chance = random.Random()
        while not over.wait(chance.uniform(0, 0.1)):
            halt_somebody(chance)

    thread = threading.Thread(target=keep_halting)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


# ---- conditions ----------------------------------------------------------------------------------

class Condition(NamedTuple):
    """One way in which the world may be, beside how it is where tests are written."""
    name: str
    words: str
    before: tuple = ()                  # a command that runs the command behind it
    env: dict = {}                      # None: not in the environment
    beside: Callable = nothing
    jobs: int = 0                       # how many at once, instead of --jobs


def shell(line):
    return ("sh", "-c", line + '; exec "$@"', "sh")


OTHER_FILES = "/dev/shm"
WITHOUT = ("gdb", "perf", "valgrind", "chromium", "google-chrome", "nats-server", "strace")
CONDITIONS = {c.name: c for c in (
    Condition("plain", "as it is"),
    Condition("one-cpu", "on one processor", before=("taskset", "-c", "0")),
    Condition("crowd", "four programs a processor at once", jobs=4 * (os.cpu_count() or 1)),
    Condition("load", "beside programs that only compute", beside=load),
    Condition("idle", "in the scheduling class idle, beside programs that only compute",
              before=("chrt", "-i", "0"), beside=load),
    Condition("halted", "one of its processes is stopped now and then", beside=halts),
    Condition("descriptors", "1024 descriptors at most", before=shell("ulimit -n 1024")),
    Condition("stack", "a stack of 1 MiB", before=shell("ulimit -s 1024")),
    Condition("no-stdin", "standard input is closed", before=shell("exec <&-")),
    Condition("no-home", "without HOME, TERM, LANG, USER",
              env={"HOME": None, "TERM": None, "LANG": None, "USER": None}),
    Condition("other-files", f"temporary files in {OTHER_FILES}", env={"TMPDIR": OTHER_FILES}),
    Condition("deaf", "SIGPIPE, SIGHUP, SIGINT and SIGQUIT are ignored, as by nohup",
              before=("env", "--ignore-signal=PIPE,HUP,INT,QUIT")),
    Condition("blocked", "SIGCHLD, SIGPIPE and SIGHUP are blocked",
              before=("env", "--block-signal=CHLD,PIPE,HUP")),
    Condition("nobody", "as a user who is not root",
              before=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
              env={"HOME": "/nonexistent", "PATH": os.defpath + ":/usr/sbin:/sbin"}),
    Condition("no-tools", "without " + ", ".join(WITHOUT), env={"PATH": "@without"}),
    Condition("no-ipv6", "in a network of its own, without IPv6",
              before=("unshare", "--net", "--", *shell(
                  "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; ip link set lo up"))),
)}


def path_without(programs, folder):
    """A PATH that has all that is in the present one but those."""
    for place in reversed(os.environ["PATH"].split(":")):
        with contextlib.suppress(OSError):
            for entry in os.scandir(place):
                link = folder / entry.name
                link.unlink(missing_ok=True)
                if entry.name not in programs:
                    link.symlink_to(entry.path)
    return str(folder)


def reachable(program):
    """The program of that name in the present PATH, where the one that meson found is in the home
    of a user into which not all may look."""
    private = any(not place.stat().st_mode & 0o001 for place in Path(program).parents)
    return private and shutil.which(Path(program).name) or program


def usable(condition):
    """Whether this machine can be so at all."""
    try:
        return subprocess.run([*condition.before, "true"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode == 0
    except OSError:
        return False


@contextlib.contextmanager
def surroundings(condition):
    """The environment of this process, which programs inherit, and what happens beside it."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder, condition.beside():
        for name, value in condition.env.items():
            os.environ.pop(name, None)
            if value == "@without":
                os.environ[name] = before[name]
                value = path_without(WITHOUT, Path(folder))
            if value is not None:
                os.environ[name] = value
        try:
            os.chmod(folder, 0o755)
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


# ---- rounds --------------------------------------------------------------------------------------

class Hunt:
    """What was run so far, and what came of it."""

    def __init__(self, options):
        self.options = options
        self.runs, self.failed = {}, {}
        self.ends = time.monotonic() + 60 * options.minutes if options.minutes else None

    def over(self):
        return self.ends is not None and time.monotonic() > self.ends

    def note(self, condition, outcome):
        key = (outcome.config, outcome.program, condition.name)
        self.runs[key] = self.runs.get(key, 0) + 1
        if not outcome.failures():
            return
        self.failed[key] = self.failed.get(key, 0) + 1
        names = ", ".join(dict.fromkeys(c.name for c in outcome.failures()))
        place = self.options.keep / re.sub(r"[^\w.-]+", "-", "_".join(key))
        place = place.with_name(f"{place.name}.{self.failed[key]}")
        place.write_text(outcome.output + "\n")
        print(f"FAILED [{outcome.config}] {outcome.program}, {condition.name}: {names[:200]}\n"
              f"       {place}", flush=True)

    def play(self, condition, config, tree, runs):
        """Each program once, under one condition."""
        def one(run):
            test, backend = run
            command = [reachable(test["cmd"][0]), *test["cmd"][1:]]
            changed = dict(test, cmd=[*condition.before, *command])
            return None if self.over() else run_tests.run_program(config, tree, changed, backend)

        with surroundings(condition):
            with concurrent.futures.ThreadPoolExecutor(condition.jobs or self.options.jobs) as pool:
                for outcome in pool.map(one, random.sample(runs, len(runs))):
                    if outcome:
                        self.note(condition, outcome)


def chosen_tests(config, tree, options):
    tests = run_tests.build(config, tree, options.jobs)
    suites = set(options.suite or config.suites)
    tests = [t for t in tests if run_tests.suite_of(t) in suites and
             any(fnmatch.fnmatch(t["name"], f"*{p}*") for p in options.only or ["*"]) and
             not any(fnmatch.fnmatch(t["name"], p) for p in (*config.without, *options.leave))]
    refusals = {b: run_tests.refusal_of(config, tree, b) for b in run_tests.BACKENDS}
    return run_tests.plan(tests, refusals)[0]


def arguments():
    parser = argparse.ArgumentParser(description="Run tests again and again, in unkind conditions.")
    parser.add_argument("--config", action="append", metavar="NAME", help="build (gcc)")
    parser.add_argument("--suite", action="append", metavar="NAME")
    parser.add_argument("--only", action="append", metavar="PATTERN",
                        help="programs whose name contains this (or matches this glob)")
    parser.add_argument("--leave", action="append", metavar="GLOB", default=[],
                        help="but not these")
    parser.add_argument("--under", action="append", metavar="CONDITION", choices=CONDITIONS,
                        help="only under this; may be repeated (--list)")
    parser.add_argument("--rounds", type=int, default=1, metavar="N")
    parser.add_argument("--minutes", type=float, metavar="N", help="no longer than this")
    parser.add_argument("--build", type=Path, default=ROOT / "build", metavar="DIR")
    parser.add_argument("--keep", type=Path, metavar="DIR",
                        help="where the output of what fails goes (DIR/flakes of --build)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--list", action="store_true", help="print the conditions")
    options = parser.parse_args()
    options.build = options.build.resolve()
    options.keep = options.keep or options.build / "flakes"
    return options


def main():
    options = arguments()
    if options.list:
        for condition in CONDITIONS.values():
            print(f"{condition.name:12} {condition.words}")
        return 0
    wanted = [CONDITIONS[name] for name in options.under or CONDITIONS]
    refused = [c for c in wanted if not usable(c)]
    wanted = [c for c in wanted if c not in refused]
    options.keep.mkdir(parents=True, exist_ok=True)
    trees = []
    for name in options.config or ["gcc"]:
        tree = options.build / name
        trees.append((CONFIGS[name], tree, chosen_tests(CONFIGS[name], tree, options)))
    hunt = Hunt(options)
    for number in range(options.rounds):
        for condition in random.sample(wanted, len(wanted)):
            start = time.monotonic()
            for config, tree, runs in trees:
                hunt.play(condition, config, tree, runs)
            print(f"round {number + 1}, {condition.name}: "
                  f"{time.monotonic() - start:.0f} s", flush=True)
            if hunt.over():
                break
        if hunt.over():
            break
    for condition in refused:
        print(f"not here: {condition.name} ({condition.words})")
    for key, times in sorted(hunt.failed.items()):
        print(f"{times} of {hunt.runs[key]} failed: [{key[0]}] {key[1]}, {key[2]}")
    print(f"{sum(hunt.runs.values())} runs, {sum(hunt.failed.values())} failed")
    return 0 if hunt.runs and not hunt.failed else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, run_tests.interrupted)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    try:
        sys.exit(main())
    except BuildError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        for process in list(LIVE):
            run_tests.kill_group(process)
        sys.exit("\ninterrupted")
