#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the chapters of doc/guide/ show of a terminal is what one sees there.

A ```text block that begins with "$ " is a session: its commands are run by sh in a folder with the
sources and the programs of examples/guide/, in the order of the chapter, and print what stands
below them; "…" stands for anything on a line, alone for any lines, and one time is as good as
another: "0.1 s", "23 ns". Behind what fails stands "(exit status N)". Where the checker was not
built, what uses it is left out.

    test_guide.py SOURCE_ROOT PROGRAMS RAVEL
"""

import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

root, programs, ravel = Path(sys.argv[1]), Path(sys.argv[2]).resolve(), Path(sys.argv[3]).resolve()
sys.path.insert(0, str(root / "tools"))

from docs.markdown import parse_markdown  # noqa: E402
from docs.snippets import prints  # noqa: E402
from tap import Tap  # noqa: E402

TIME = re.compile(r" *\b\d[\d.,]* ?(?:ns|µs|ms|s)\b")
SECONDS = 100       # after which something hangs
CHECKER = ravel.parent.parent / "check" / "libravel_check.so"
SOURCES = sorted((root / "examples" / "guide").glob("*.c"))


def sessions(path):
    """(line, command, expected output) of each command of a chapter."""
    for block in parse_markdown(path.read_text("utf-8")):
        if block.kind != "code" or block.info != "text" or not block.text.startswith("$ "):
            continue
        number = block.line
        for part in re.split(r"^\$ ", block.text + "\n", flags=re.M)[1:]:
            command, _, expected = part.partition("\n")
            yield number, command, expected
            number += part.count("\n")


def lacking(command):
    """Why a command cannot be tried in this build, or None."""
    checks = re.match(r"ravel c(?:c|heck)\b", command)
    return "no checker in this build" if checks and not CHECKER.exists() else None


def said(command, folder):
    env = dict(os.environ, PATH=f"{ravel.parent}:{os.environ['PATH']}", RAVEL_STALL_MS="0")
    for name in ("RAVEL_BACKEND", "RAVEL_WORKERS", "RAVEL_CLUSTER"):
        env.pop(name, None)
    try:
        done = subprocess.run(["sh", "-c", command], cwd=folder, env=env, text=True, timeout=SECONDS,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired as late:
        return f"{late.output or ''}(still running after {SECONDS} s)\n"
    return done.stdout + (f"(exit status {done.returncode})\n" if done.returncode else "")


def chapter(path):
    """(name, what is wrong with it, why it was not tried) of each command."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for source in SOURCES:
            os.symlink(source, Path(folder) / source.name)
            os.symlink(programs / source.stem, Path(folder) / source.stem)
        for line, command, expected in sessions(path):
            name, why_not = f"{path.name}:{line} {command}".replace("#", ""), lacking(command)
            if why_not:
                found.append((name, "", why_not))
                continue
            output = said(command, folder)
            is_so = prints(TIME.sub(" TIME", expected), TIME.sub(" TIME", output))
            wrong = "" if is_so else f"it printed\n{output}rather than\n{expected}"
            found.append((name, wrong, ""))
    return found


def main():
    tap = Tap()
    chapters = sorted((root / "doc" / "guide").glob("*.md"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for results in pool.map(chapter, chapters):
            for name, wrong, why_not in results:
                if why_not:
                    tap.skip(name, why_not)
                else:
                    tap.result(name, not wrong, wrong)
    texts = [p.read_text("utf-8") for p in chapters]
    run = " ".join(c for p in chapters for _, c, _ in sessions(p))
    for source in SOURCES:
        name = source.stem
        tap.result(f"{name} is shown in a chapter, and run there",
                   any(f"<!--program {name}.c-->" in t for t in texts)
                   and re.search(rf"\b{name}\b", run) is not None)
    return tap.finish()


sys.exit(main())
