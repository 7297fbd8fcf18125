#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build each program of a folder with `ravel cc` or `ravel c++`, check it, and hold what is found
against its head.

    corpus.py RAVEL FOLDER [--schedules N] [--seeds N] [--replays N] [--only NAME] [--seconds S]

The comment on top of a program of must_fail/ names its bug, the kinds as which it may be found
("kind:"), how many schedules may be tried ("budget:"), and whether it is found in an unchanged
binary too ("door: either"). Each must be found for each seed, and its replay must find it again. Of
a program of must_pass/ ("looks like:") nothing may be told, in N schedules. Prints TAP, a line a
program."""

import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path


class Failed(Exception):
    pass


def field(text, name):
    found = re.search(rf"^ \* {name}: *(.*)$", text, re.MULTILINE)
    return found.group(1).replace("*/", "").strip() if found else None


def run(command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL, timeout=120, **more)
    return done.returncode, done.stdout, done.stderr


def compile_with(before, source, program):
    words = ["c++", "-std=gnu++20"] if source.suffix == ".cpp" else ["cc", "-std=gnu17"]
    code, _, said = run([*before, *words, "-O1", "-g", "-o", program, str(source), "-pthread"])
    if code != 0:
        raise Failed(f"does not build: {said.strip()[-400:]}")


def check(ravel, options, program):
    """Exit status and report."""
    code, out, said = run([ravel, "check", "--json", *options, "--", program])
    if code == 2:
        raise Failed(f"could not be checked: {said.strip()[-400:]}")
    return code, json.loads(out)


def found_in(report):
    """The kinds that a report tells of: the failure's alone, if there is one."""
    if report["failure"]:
        return [report["failure"]["kind"]]
    return [aside["kind"] for aside in report["reports"]]


def replay(ravel, trace, kind, times):
    for _ in range(times):
        code, out, said = run([ravel, "check", "--json", "--replay", trace])
        if code != 1 or kind not in found_in(json.loads(out)):
            raise Failed(f"its replay ended with {code}: {said.strip()[-400:]}")


def must_fail(options, text, folder, program, door):
    kinds = field(text, "kind").split()
    for seed in range(1, options.seeds + 1):
        trace = os.path.join(folder, "bug.ravel")
        code, report = check(options.ravel,
                             ["--schedules", field(text, "budget"), "--seed", str(seed),
                              "--seconds", "100", "--output", trace, *door], program)
        found = found_in(report)
        if code != 1 or not set(found) & set(kinds):
            raise Failed(f"seed {seed}{' unchanged' if door else ''}: {found or 'nothing'} in "
                         f"{report['schedules']} schedules, not {' or '.join(kinds)}")
        if report["failure"]:
            replay(options.ravel, trace, found[0], options.replays)


def must_pass(options, program, door):
    code, report = check(options.ravel, ["--schedules", str(options.schedules), "--seconds",
                                         str(options.seconds), *door], program)
    if code != 0:
        told = report["failure"] or report["reports"][0]
        raise Failed(f"{told['kind']} in schedule {told['schedule']}: {told['text']}")


def judge(options, source):
    text = source.read_text()
    with tempfile.TemporaryDirectory() as folder:
        ours = os.path.join(folder, source.stem)
        plain = ours + "-plain"
        compile_with([options.ravel], source, ours)
        compile_with([], source, plain)
        doors = [(ours, [])]
        if not field(text, "bug") or field(text, "door") in ("either", "preload"):
            doors.append((plain, ["--without-recompiling"]))
        for program, door in doors:
            if field(text, "bug"):
                must_fail(options, text, folder, program, door)
            else:
                must_pass(options, program, door)


def outcome(options, source):
    try:
        judge(options, source)
        return None
    except (Failed, subprocess.TimeoutExpired, json.JSONDecodeError) as problem:
        return str(problem)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ravel")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--schedules", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--replays", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=100)
    parser.add_argument("--only", default="")
    options = parser.parse_args()

    sources = sorted(s for s in options.folder.iterdir()
                     if s.suffix in (".c", ".cpp") and options.only in s.stem)
    print(f"1..{len(sources)}", flush=True)
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = pool.map(lambda source: outcome(options, source), sources)
        for number, (source, problem) in enumerate(zip(sources, outcomes), 1):
            print(f"{'not ok' if problem else 'ok'} {number} - {options.folder.name}/{source.stem}",
                  flush=True)
            if problem:
                print("# " + problem.replace("\n", "\n# "), flush=True)
                bad += 1
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
