#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run fuzz targets: tests/fuzz/README.md.

    tools/fuzz.py [NAME ...] [--seconds N]    each in turn for so long, 60 by default
    tools/fuzz.py --short PROGRAM             its corpus, and a fixed number of inputs from a fixed
                                              seed, ten seconds at most; speaks TAP

The long way keeps what it finds new in build/fuzz/NAME and starts from there the next time; an
input that fails is left there too, and its path is told. It ends with the first failure.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tap import Tap

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
TREE = ROOT / "build" / "fuzz"
SHORT_RUNS = 100000
SHORT_SECONDS = 10    # a target that makes system calls gets so far
MOST_BYTES = 512
ENV = {"ASAN_OPTIONS": "detect_stack_use_after_return=0:abort_on_error=0",
       "UBSAN_OPTIONS": "print_stacktrace=1"}


def name_of(program):
    return Path(program).name.removeprefix("fuzz_")


def command(program, kept, *options):
    """What the target finds goes into the first folder."""
    folders = [kept, *(f for f in (CORPUS / name_of(program),) if f.is_dir())]
    return [str(c) for c in (program, f"-max_len={MOST_BYTES}", f"-artifact_prefix={kept}/",
                             *options, *folders)]


def run_short(program):
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command(program, folder, "-seed=1", f"-runs={SHORT_RUNS}",
                                      f"-max_total_time={SHORT_SECONDS}"),
                              env=dict(os.environ, **ENV), stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
    tap.result(name_of(program), done.returncode == 0, done.stdout[-8000:])
    return tap.finish()


def build():
    """The targets, in a tree of their own."""
    if not (TREE / "build.ninja").exists():
        subprocess.run(["meson", "setup", TREE, "-Dfuzz=enabled", "-Dtests=disabled",
                        "-Ddocs=disabled", "-Dexamples=false", "-Ddebug_checks=2"],
                       env=dict(os.environ, CC="clang"), stdout=subprocess.DEVNULL, check=True)
    subprocess.run(["ninja", "--quiet", "-C", TREE, "fuzz-targets"], check=True)
    return {name_of(p): p for p in sorted((TREE / "tests" / "fuzz").glob("fuzz_*"))
            if p.is_file() and os.access(p, os.X_OK)}


def run_long(names, seconds):
    targets = build()
    for name in names or targets:
        if name not in targets:
            sys.exit(f"no target {name}; there are {', '.join(targets)}")
        kept = TREE / name
        kept.mkdir(exist_ok=True)
        done = subprocess.run(command(targets[name], kept, f"-max_total_time={seconds}",
                                      "-print_final_stats=1"), env=dict(os.environ, **ENV))
        if done.returncode != 0:
            return f"{name} failed: the input is in {kept}"
    return 0


def main():
    parser = argparse.ArgumentParser(description="Run fuzz targets.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="all when none is given")
    parser.add_argument("--seconds", type=int, default=60, metavar="N")
    parser.add_argument("--short", metavar="PROGRAM")
    options = parser.parse_args()
    if options.short:
        return run_short(options.short)
    return run_long(options.names, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
