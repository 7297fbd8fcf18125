#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The checker's runtime by itself: programs that end in every way, each run under `one` (one.c).

    runtime.py ONE LIBRARY CC FOLDER

Each program is run rewound in place, forked and with the baton, unchanged and recompiled; each run
is replayed from its trace. Held against: that all three give the same schedules, that no replay
differs, and which kinds of ends were found. Prints TAP, a line a case."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS = 25
RACES_AND_LEARNING = 6

# What ends.c comes to, in any schedule.
ENDS = {"null": "crash", "overflow": "crash", "abort": "assert", "assert": "assert",
        "exit": "exit", "at_once": "exit", "raise": "crash", "free": "heap", "spin": "livelock",
        "deadlock": "deadlock", "leak": "fine", "file": "fine", "": "fine"}


class Failed(Exception):
    pass


class Subject:
    """A program that was built, and how it is run."""

    def __init__(self, name, program, library, is_recompiled):
        self.name = f"{name}, {'recompiled' if is_recompiled else 'unchanged'}"
        self.program = program
        self.environment = dict(os.environ)
        if not is_recompiled:
            self.environment["CHECK_LIBRARY"] = library
        self.options = ["-g", "2"] if is_recompiled else []
        self.flags = RACES_AND_LEARNING if is_recompiled else 0

    def run(self, one, argument, *how):
        command = [one, "-n", str(RUNS), *how, "-f", str(self.flags), *self.options, "--",
                   self.program, *([argument] if argument else [])]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              stdin=subprocess.DEVNULL, env=self.environment, timeout=100)
        if done.returncode != 0:
            raise Failed(f"{shlex.join(command)}: {done.stdout.strip()[-300:] or done.returncode}")
        return re.sub(r", \d+/s", "", done.stdout.splitlines()[-1])


def build(compiler, source, folder, library, is_recompiled):
    out = str(folder / (source.stem + ("-r" if is_recompiled else "-u")))
    language = ["-std=c++20"] if source.suffix == ".cc" else ["-D_GNU_SOURCE"]
    flags = ["-g", "-O1", "-pthread", *language]
    where = [f"-L{Path(library).parent}", f"-Wl,-rpath,{Path(library).parent}", "-lravel_check"]
    subprocess.run([*compiler, *flags, *(["-fsanitize=thread"] if is_recompiled else []), "-c",
                    str(source), "-o", out + ".o"], check=True)
    subprocess.run([*compiler, "-pthread", out + ".o", "-o", out, *(where if is_recompiled else [])],
                   check=True)
    return Subject(source.stem, out, library, is_recompiled)


def case(one, subject, argument, kind):
    rewound = subject.run(one, argument, "-r")
    forked = subject.run(one, argument, "-r", "-F")
    if rewound != forked:
        raise Failed(f"rewound and forked differ:\n# {rewound}\n# {forked}")
    subject.run(one, argument, "-b")
    if f" {kind} {RUNS}" not in rewound:
        raise Failed(f"not always {kind}: {rewound}")


def cases(one, library, compiler, folder, scratch):
    for is_recompiled in (False, True):
        yield build(compiler, folder / "cancel.c", scratch, library, is_recompiled), "", "fine"
        ends = build(compiler, folder / "ends.c", scratch, library, is_recompiled)
        for argument, kind in ENDS.items():
            yield ends, argument, kind
        if shutil.which("c++"):
            yield build(["c++"], folder / "cxx.cc", scratch, library, is_recompiled), "", "fine"


def main():
    one, library, compiler, folder = sys.argv[1:]
    count = failures = 0
    with tempfile.TemporaryDirectory() as scratch:
        for subject, argument, kind in cases(one, library, shlex.split(compiler), Path(folder),
                                             Path(scratch)):
            count += 1
            try:
                case(one, subject, argument, kind)
                print(f"ok {count} - {subject.name} {argument}", flush=True)
            except (Failed, subprocess.TimeoutExpired) as failure:
                failures += 1
                print(f"not ok {count} - {subject.name} {argument}\n# {failure}", flush=True)
    print(f"1..{count}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
