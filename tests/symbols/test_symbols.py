#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What libravel.so exports and what the public headers promise are the same names.

    test_symbols.py SOURCE_ROOT LIBRAVEL_SO
"""

import subprocess
import sys
from pathlib import Path

root, library = Path(sys.argv[1]), sys.argv[2]
sys.path.insert(0, str(root / "tools"))

from public_api import public_api  # noqa: E402
from tap import Tap  # noqa: E402

# What stands before the C library's own: src/proc/before_main.c.
HOOKS = {"__libc_start_main"}


def exported(path):
    """Names that other objects can link against; the version node itself is an absolute symbol."""
    listing = subprocess.run(["nm", "-D", "--defined-only", path], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    fields = [line.split() for line in listing.splitlines()]
    return {f[-1].partition("@")[0] for f in fields if f[-2] != "A"}


def main():
    tap = Tap()
    declared, found = {d.name for d in public_api(root)}, exported(library) - HOOKS
    tap.result("every_declared_name_is_exported", declared <= found,
               "\n".join(sorted(declared - found)))
    tap.result("every_exported_name_is_declared", found <= declared,
               "\n".join(sorted(found - declared)))
    return tap.finish()


sys.exit(main())
