#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each code block of the README, the guide and the headers' comments compiles without a warning;
those with a main run, succeed, and print what stands below them.

    test_snippets.py SOURCE_ROOT LIBRAVEL.SO
"""

import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

root, library = Path(sys.argv[1]), Path(sys.argv[2]).resolve()
sys.path.insert(0, str(root / "tools"))

from docs.snippets import all_snippets, prints  # noqa: E402
from tap import Tap  # noqa: E402

CONTEXT = root / "tests" / "docs" / "context.h"
# What a task is handed, it need not look at. A fragment need not use what it declares.
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]
FRAGMENT = ["-Wno-unused", "-Wno-implicit-fallthrough"]
COMPILERS = {"c": ["cc", "-std=gnu17"], "cpp": ["g++", "-std=c++17"]}
SECONDS = 200       # after which something hangs

os.environ["RAVEL_STALL_MS"] = "0"      # a busy machine stalls tasks; debug builds would say so


def command(snippet, source, program):
    out = [*COMPILERS[snippet.language], "-g", "-O1", *WARNINGS, "-I", root / "include", source]
    if snippet.kind != "program":
        return [*out, *FRAGMENT, "-c", "-o", f"{program}.o"]
    return [*out, library, f"-Wl,-rpath,{library.parent}", "-pthread", "-o", program]


def run(command_line, **options):
    return subprocess.run([str(c) for c in command_line], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS,
                          **options)


def check(job):
    """What is wrong with one snippet; empty when nothing is."""
    snippet, folder, number = job
    source = folder / f"{number}.{snippet.language}"
    source.write_text(snippet.source(CONTEXT), "utf-8")
    program = folder / f"{number}.out"
    done = run(command(snippet, source, program))
    if done.returncode != 0:
        return done.stdout
    if snippet.kind != "program":
        return ""
    try:
        done = run([program], cwd=folder)
    except subprocess.TimeoutExpired as late:
        return f"still running after {SECONDS} s\n{late.output or ''}"
    if done.returncode != 0:
        return f"exit status {done.returncode}\n{done.stdout}"
    if snippet.output is not None and not prints(snippet.output, done.stdout):
        return f"it is said to print\n{snippet.output}and prints\n{done.stdout}"
    return ""


def main():
    tap = Tap()
    snippets = all_snippets(root)
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [(s, Path(folder), n) for n, s in enumerate(snippets)
                if shutil.which(COMPILERS[s.language][0])]
        for snippet in snippets:
            if not shutil.which(COMPILERS[snippet.language][0]):
                tap.skip(f"{snippet.path.relative_to(root)}:{snippet.line}", "no compiler")
        for (snippet, _, _), wrong in zip(jobs, pool.map(check, jobs)):
            name = f"{snippet.path.relative_to(root)}:{snippet.line} {snippet.kind}"
            tap.result(name, not wrong, wrong)
    return tap.finish()


sys.exit(main())
