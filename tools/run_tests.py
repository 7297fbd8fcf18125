#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run Ravel's tests in every build that they have to pass in, and count each test function.

A configuration is a build tree (build/<name>; --build for elsewhere) and the suites that are worth
running in it. meson knows the tests (suite, command, environment, time limit); this program builds
the trees, runs the commands, reads the TAP that they print and ends with one line:
"N passed, N failed".

A program that crashes or hangs fails every test that it had announced and not yet reported. One
that hangs is asked for its stacks (gdb, where there is one) before it is killed.

Programs in meson's suite "io" are run on each backend for input and output (RAVEL_BACKEND), all
others once. A backend that does not work here has them skipped by name; the report ends with which
ones were used.
"""

import argparse
import concurrent.futures
import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CHECKS = ("layers", "pairs", "calls", "docs", "format", "tools", "headers", "symbols", "install",
          "gdb", "usdt", "cli", "cluster", "examples", "instructions", "soak")
BACKENDS = ("uring", "epoll")


class Config(NamedTuple):
    """One build tree, and how to run what is in it."""
    name: str
    cc: str
    suites: tuple
    options: tuple = ()
    setup: tuple = ()       # arguments that only the first `meson setup` takes
    env: dict = {}
    scale: int = 100        # RAVEL_TEST_SCALE, percent
    slowdown: int = 1       # factor on every time limit
    wrapper: tuple = ()
    needs: tuple = ()       # programs besides the compiler
    without: tuple = ()     # patterns of test programs that are not worth their time in it

# Half of gcc's time; backtraces still have their lines. Its warnings then know less than they say.
LEAN = ("-Doptimization=1", "-Dwerror=false", "-Dc_args=-g1")
CONFIGS = {c.name: c for c in (
    Config("gcc", "gcc", ("unit", "stress", "explore", "faults", "corpus", "model") + CHECKS,
           ("-Dtests=enabled", "-Dbench=auto")),
    Config("clang", "clang", ("unit", "explore", "fuzz", "usdt"),
           ("-Dtests=enabled", "-Dfuzz=enabled", "-Dusdt=enabled", "-Ddebug_checks=2",
            "-Dc_args=-g1")),
    Config("asan", "gcc", ("unit", "stress", "explore", "faults"),
           ("-Dtests=enabled", "-Ddebug_checks=2", "-Db_sanitize=address,undefined") + LEAN,
           env={"ASAN_OPTIONS": "detect_stack_use_after_return=0:abort_on_error=0",
                "UBSAN_OPTIONS": "print_stacktrace=1"},
           scale=20, slowdown=3),
    # clang's ThreadSanitizer: the newer runtime of the two, and it knows of fibers as well.
    Config("tsan", "clang", ("unit", "stress", "explore", "faults"),
           ("-Dtests=enabled", "-Ddebug_checks=1", "-Db_sanitize=thread", "-Db_lundef=false") + LEAN,
           env={"TSAN_OPTIONS": "second_deadlock_stack=1 atexit_sleep_ms=20"}, scale=10, slowdown=4),
    # What it finds alone is the use of what nobody has written. Those left out take a third of the
    # time: OpenSSL, faults that it sees as its own, logic that has no memory of its own. And the
    # lab measures nothing there.
    Config("valgrind", "gcc", ("unit",),
           ("-Dtests=enabled", "-Ddebug_checks=1", "-Dvalgrind=enabled") + LEAN,
           scale=5, slowdown=4,
           wrapper=("valgrind", "-q", "--error-exitcode=99", "--leak-check=full",
                    "--errors-for-leak-kinds=definite", "--child-silent-after-fork=yes",
                    "--fair-sched=try", "--vgdb=no"),
           needs=("valgrind",), without=("check/*", "lab/*", "io/test_tls*", "sys/test_fault*")),
    # qemu keeps a record for each page that is reserved, 100 ms a gigabyte up to version 7: with -R
    # there is no room for more than 32 Ki stacks and some threads.
    Config("aarch64", "aarch64-linux-gnu-gcc", ("aarch64",), ("-Dtests=disabled",),
           setup=("--cross-file", "tools/cross/aarch64.ini"), scale=20, slowdown=3,
           wrapper=("qemu-aarch64", "-R", "5000M", "-L", "/usr/aarch64-linux-gnu"),
           needs=("qemu-aarch64",)),
)}


class Case(NamedTuple):
    """One test function."""
    name: str
    status: str             # passed, failed, skipped


class Outcome(NamedTuple):
    """What became of one program: its cases, and all that it printed."""
    config: str
    suite: str
    program: str
    seconds: float
    cases: list
    output: str

    def failures(self):
        return [c for c in self.cases if c.status == "failed"]


# ---- reading TAP ---------------------------------------------------------------------------------

# A test may print without ending its line, so a result is looked for at the end of the line, and
# believed only if it bears the next number. cmocka 1.1.5 writes a skip as "not ok 3 # SKIP name".
RESULT = re.compile(r"(not )?ok (\d+)(?: - | # (SKIP) ?| )(.*)$")
SKIPPED = "exit status 77"      # the convention of automake, meson and others
PLAN = re.compile(r"(?:^|[^\w.])1\.\.(\d+)$")


def read_tap(text):
    """The cases, and the count of announced tests that never reported."""
    cases, missing, seen, plan = [], 0, 0, None
    for line in text.splitlines():
        announced = PLAN.search(line)
        if announced:
            number = int(announced.group(1))
            if plan is None and seen == number:     # a plan may close its group
                seen = 0
                continue
            missing += max((plan or 0) - seen, 0)
            plan, seen = number, 0
            continue
        result = RESULT.search(line)
        if result and int(result.group(2)) == seen + 1:
            seen += 1
            skipped = result.group(3) or " # SKIP" in result.group(4)
            status = "skipped" if skipped else "failed" if result.group(1) else "passed"
            cases.append(Case(result.group(4), status))
            if seen == plan:
                plan, seen = None, 0
    return cases, missing + max((plan or 0) - seen, 0)


def judge(program, text, ending):
    """A program's cases from its output; `ending` says what went wrong with it, or is empty."""
    cases, missing = read_tap(text)
    if not cases and not missing:
        status = {"": "passed", SKIPPED: "skipped"}.get(ending, "failed")
        return [Case(program, status)]
    if missing:
        return cases + [Case(f"not reported: {ending or 'ended early'}", "failed")] * missing
    if ending and all(c.status != "failed" for c in cases):
        return cases + [Case(ending, "failed")]
    return cases


# ---- running one program -------------------------------------------------------------------------

def stacks_of(pid):
    """Every thread's stack, for the report of a hang; empty where gdb is missing or may not."""
    if not shutil.which("gdb"):
        return ""
    try:
        done = subprocess.run(["gdb", "-q", "-batch", "-p", str(pid),
                               "-ex", "thread apply all bt 24"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, errors="replace", timeout=30)
    except subprocess.TimeoutExpired:
        return ""
    return "\n--- stacks at the time limit ---\n" + done.stdout


def fixed_addresses(config):
    """ThreadSanitizer's shadow leaves no room for the widest randomisation that kernels can do."""
    bits = Path("/proc/sys/vm/mmap_rnd_bits")
    try:
        wide = config.name == "tsan" and int(bits.read_text()) > 28
    except OSError:
        return []
    command = ["setarch", "-R"]
    usable = wide and subprocess.run([*command, "true"], stderr=subprocess.DEVNULL).returncode == 0
    return command if usable else []


def describe_exit(code):
    if code == 0:
        return ""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


LIVE = set()                    # processes to end if the run itself is ended


def kill_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def environment(config, test, backend):
    """What a program finds. Some read the source tree while others run, so Python is to leave no
    compiled modules in it."""
    env = dict(os.environ, RAVEL_TEST_SCALE=str(config.scale), PYTHONDONTWRITEBYTECODE="1",
               **config.env)
    env.update(test["env"])
    if backend:
        env["RAVEL_BACKEND"] = backend
    return env


def run_program(config, tree, test, backend=None):
    """Run one of meson's tests to its end or its time limit."""
    suite = suite_of(test)
    name = name_on(test, backend)
    command = list(test["cmd"])
    if suite in ("unit", "stress", "explore", "faults", "aarch64"):
        command = fixed_addresses(config) + list(config.wrapper) + command
    limit = (test["timeout"] or 120) * config.slowdown * max(1, config.scale // 100)
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=test["workdir"] or tree,
                               env=environment(config, test, backend),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    LIVE.add(process)
    try:
        output, _ = process.communicate(timeout=limit)
        ending = describe_exit(process.returncode)
        extra = ""
    except subprocess.TimeoutExpired:
        extra = stacks_of(process.pid)
        ending = f"still running after {limit} s"
        kill_group(process)
        try:
            output, _ = process.communicate(timeout=10)
        except subprocess.TimeoutExpired as late:   # a grandchild in another session holds the pipe
            output = late.output or b""
    LIVE.discard(process)
    text = output.decode(errors="replace")
    if ending:
        extra += f"\n({ending})"
    return Outcome(config.name, suite, name, round(time.monotonic() - start, 3),
                   judge(name, text, ending), text.rstrip() + extra)


# ---- backends ------------------------------------------------------------------------------------

def name_on(test, backend):
    return f"{test['name']} on {backend}" if backend else test["name"]


def refusal_of(config, tree, backend):
    """Why a backend does not work here; empty when it does."""
    command = [*fixed_addresses(config), *config.wrapper, str(tree / "tests" / "which_backend")]
    done = subprocess.run(command, env=dict(os.environ, **config.env, RAVEL_BACKEND=backend),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode == 0:
        return ""
    return done.stdout.strip() or describe_exit(done.returncode)


def plan(tests, refusals):
    """(test, backend) for each run to be made, and (test, backend, reason) for those that are not.
    The backend is None for tests that do not care."""
    runs, skipped = [], []
    for test in tests:
        if not is_io(test):
            runs.append((test, None))
            continue
        for backend, reason in refusals.items():
            if reason:
                skipped.append((test, backend, reason))
            else:
                runs.append((test, backend))
    return runs, skipped


def backends_used(outcomes):
    """For the end of the report: how many programs ran on each backend."""
    counts = {b: sum(o.program.endswith(f" on {b}") and any(c.status != "skipped" for c in o.cases)
                     for o in outcomes) for b in BACKENDS}
    return ", ".join(f"{b} {n} programs" if n else f"{b} not at all" for b, n in counts.items())


# ---- build trees ---------------------------------------------------------------------------------

class BuildError(Exception):
    pass


def run_quietly(command, env=None):
    done = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
    if done.returncode != 0:
        raise BuildError(f"$ {' '.join(command)}\n{done.stdout}")
    return done.stdout


def build(config, tree, jobs):
    """Configure the tree if its options are new, then compile. Its tests, as meson lists them."""
    for program in (config.cc,) + config.needs:
        if not shutil.which(program):
            raise BuildError(f"{program} is not installed (tools/install_deps.sh --for test)")
    stamp = tree / "configured-as.json"
    wanted = json.dumps([config.cc, config.setup, config.options])
    if not (tree / "build.ninja").exists() or not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(tree, ignore_errors=True)
        env = dict(os.environ)
        if not config.setup:
            env["CC"] = config.cc
        run_quietly(["meson", "setup", str(tree), *config.setup, *config.options], env)
        stamp.write_text(wanted)
    run_quietly(["ninja", "--quiet", "-C", str(tree), f"-j{jobs}"])
    return json.loads(run_quietly(["meson", "introspect", "--tests", str(tree)]))


def suite_of(test):
    return test["suite"][0].rpartition(":")[2]


def is_io(test):
    return any(suite.rpartition(":")[2] == "io" for suite in test["suite"][1:])


# ---- the run -------------------------------------------------------------------------------------

class Progress:
    """One line that is rewritten on a terminal; nothing elsewhere."""

    def __init__(self):
        self.live = sys.stdout.isatty()

    def show(self, text):
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\033[K{text[:width]}", end="", flush=True)

    def say(self, text):
        print(("\r\033[K" if self.live else "") + text, flush=True)


def report_failure(progress, outcome):
    names = [c.name for c in outcome.failures()]
    progress.say(f"\nFAILED [{outcome.config}] {outcome.program}")
    for name in dict.fromkeys(names):
        times = names.count(name)
        progress.say(f"  - {name}" + (f" ({times} tests)" if times > 1 else ""))
    progress.say("\n".join("    | " + line for line in outcome.output.splitlines()) + "\n")


def run_config(config, tree, suites, options, progress):
    """Build one tree and run what was asked for in it. All its outcomes."""
    start = time.monotonic()
    progress.show(f"[{config.name}] building")
    try:
        tests = build(config, tree, options.jobs)
    except BuildError as error:
        outcome = Outcome(config.name, "build", "build", round(time.monotonic() - start, 3),
                          [Case("build", "failed")], str(error))
        report_failure(progress, outcome)
        return [outcome]
    built = time.monotonic() - start
    wanted = options.only or ["*"]
    tests = [t for t in tests if suite_of(t) in suites and
             any(fnmatch.fnmatch(t["name"], f"*{pattern}*") for pattern in wanted) and
             not any(fnmatch.fnmatch(t["name"], pattern) for pattern in config.without)]
    refusals = {}
    if any(map(is_io, tests)):
        refusals = {backend: refusal_of(config, tree, backend) for backend in BACKENDS}
    runs, skipped = plan(tests, refusals)
    outcomes = [Outcome(config.name, suite_of(t), name_on(t, backend), 0.0,
                        [Case(reason, "skipped")], "") for t, backend, reason in skipped]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = [pool.submit(run_program, config, tree, *run) for run in runs]
        try:
            for future in concurrent.futures.as_completed(running):
                outcome = future.result()
                outcomes.append(outcome)
                if outcome.failures():
                    report_failure(progress, outcome)
                progress.show(f"[{config.name}] {len(outcomes)}/{len(runs) + len(skipped)} "
                              f"{outcome.program}")
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(LIVE):
                kill_group(process)
            raise
    progress.say(f"{config.name:9} {tally(outcomes)}   "
                 f"(built in {built:.1f} s, ran in {time.monotonic() - start - built:.1f} s)")
    return outcomes


def count(outcomes, status):
    return sum(c.status == status for o in outcomes for c in o.cases)


def tally(outcomes):
    skipped = count(outcomes, "skipped")
    line = f"{count(outcomes, 'passed')} passed, {count(outcomes, 'failed')} failed"
    return line + (f", {skipped} skipped" if skipped else "")


def arguments():
    parser = argparse.ArgumentParser(description="Build and test Ravel in its configurations.")
    parser.add_argument("--config", action="append", metavar="NAME",
                        help=f"{', '.join(CONFIGS)} or all (the default); may be repeated")
    parser.add_argument("--suite", action="append", metavar="NAME",
                        help="unit, stress, explore, faults, fuzz, aarch64, " + ", ".join(CHECKS) +
                             "; may be repeated")
    parser.add_argument("--only", action="append", metavar="PATTERN",
                        help="programs whose name contains this (or matches this glob)")
    parser.add_argument("--json", metavar="FILE", help="write every case's outcome there too")
    parser.add_argument("--build", type=Path, default=ROOT / "build", metavar="DIR",
                        help="where the build trees are kept (build/)")
    parser.add_argument("--scale", type=int, metavar="PERCENT",
                        help="length of tests that have one, instead of the configuration's; "
                             "beyond 100 their time limits grow with it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    options = parser.parse_args()
    options.build = options.build.resolve()
    chosen = options.config or ["all"]
    options.configs = list(CONFIGS) if "all" in chosen else chosen
    known = {s for c in CONFIGS.values() for s in c.suites}
    for name in options.configs:
        if name not in CONFIGS:
            parser.error(f"no configuration {name}; there are {', '.join(CONFIGS)}")
    for name in options.suite or []:
        if name not in known:
            parser.error(f"no suite {name}; there are {', '.join(sorted(known))}")
    return options


def main():
    options = arguments()
    progress = Progress()
    start = time.monotonic()
    outcomes = []
    for name in options.configs:
        config = CONFIGS[name]
        if options.scale:
            config = config._replace(scale=options.scale)
        suites = set(config.suites) & set(options.suite or config.suites)
        if suites:
            outcomes += run_config(config, options.build / name, suites, options, progress)
    seconds = time.monotonic() - start
    passed, failed = count(outcomes, "passed"), count(outcomes, "failed")
    if options.json:
        Path(options.json).write_text(json.dumps({
            "seconds": round(seconds, 1), "passed": passed, "failed": failed,
            "skipped": count(outcomes, "skipped"),
            "programs": [dict(o._asdict(), cases=[c._asdict() for c in o.cases])
                         for o in outcomes],
        }, indent=1) + "\n")
    for outcome in outcomes:
        for case in outcome.cases:
            if case.status == "skipped":
                progress.say(f"skipped [{outcome.config}] {outcome.program}: {case.name}")
    if any(" on " in outcome.program for outcome in outcomes):
        progress.say(f"input and output: {backends_used(outcomes)}")
    progress.say(f"all of it took {seconds:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


def interrupted(*_):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    # A shell's background jobs ignore these two, and programs that are tested would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\ninterrupted")
