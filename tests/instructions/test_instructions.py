#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No hot path has grown: what callgrind counts is held against bench/instructions.json.

A count does not depend on the machine's mood, but it does on the compiler, so it is compared with
what was recorded for the same one only; on another, and without valgrind, there is nothing to say.
A path that shall cost more, or that costs less now, is recorded anew in the commit that changes it:

    make bench ARGS="--instructions --record"
"""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from bench import CASES, change, compiler_of, cost_of, program_of, recorded  # noqa: E402
from tap import Tap  # noqa: E402

MOST = 1.05         # of what was recorded
ROUNDING = 0.5      # instructions: what a switch of fifteen may differ by


def check(tap, case, tree, before):
    name = f"{case.name} takes no more instructions than recorded"
    if before is None:
        tap.result(name, False, "it is not recorded")
        return
    now = cost_of(case, tree)
    if now is None:
        tap.result(name, False, "it could not be counted")
        return
    tap.result(name, now <= before * MOST + ROUNDING,
               f"{now:.1f} instructions, {change(now, before)} on the recorded {before:.1f}")


def main():
    tap, tree = Tap(), Path(sys.argv[1])
    compiler = compiler_of(tree)
    known = recorded().get(compiler)
    if not shutil.which("valgrind"):
        tap.skip("instructions", "valgrind is not installed")
    elif known is None:
        tap.skip("instructions", f"nothing is recorded for {compiler}")
    else:
        for case in CASES:
            if case.sizes and (case.name in known or program_of(case, tree).exists()):
                check(tap, case, tree, known.get(case.name))
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
