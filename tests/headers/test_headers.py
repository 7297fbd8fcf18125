#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each public header compiles alone, and twice, in every dialect that a program may be written in.

Alone: nothing but its own name is in the file. Twice: its guard works. The strict C11 pass says
that no GNU extension leaks into a program that did not ask for one; C++ that the header keeps clear
of C++'s keywords and conversions.

    test_headers.py SOURCE_ROOT
"""

import concurrent.futures
import os
import shutil
import subprocess
import sys
from pathlib import Path

root = Path(sys.argv[1])
sys.path.insert(0, str(root / "tools"))

from public_api import public_headers  # noqa: E402
from tap import Tap  # noqa: E402

WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wundef", "-Werror"]
DIALECTS = [
    ("gcc", "c", ["-std=gnu17", "-Wstrict-prototypes"]),
    ("gcc", "c", ["-std=c11", "-pedantic"]),
    ("clang", "c", ["-std=gnu17", "-Wstrict-prototypes"]),
    ("clang", "c", ["-std=c11", "-pedantic"]),
    ("g++", "c++", ["-std=gnu++17"]),
    ("clang++", "c++", ["-std=gnu++17"]),
]


def compile_header(job):
    """(name of the case, whether it compiled, what the compiler said); None for no compiler."""
    header, (compiler, language, flags) = job
    name = header.relative_to(root / "include")
    case = f"{name} {compiler} {flags[0]}"
    if not shutil.which(compiler):
        return case, None, f"no {compiler}"
    line = f"#include <{name}>\n"
    done = subprocess.run([compiler, "-x", language, *flags, *WARNINGS, "-fsyntax-only",
                           "-I", str(root / "include"), "-"],
                          input=line * 2, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    return case, done.returncode == 0, done.stdout


def main():
    tap = Tap()
    jobs = [(h, d) for h in public_headers(root) for d in DIALECTS]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for case, passed, said in pool.map(compile_header, jobs):
            if passed is None:
                tap.skip(case, said)
            else:
                tap.result(case, passed, said)
    return tap.finish()


sys.exit(main())
