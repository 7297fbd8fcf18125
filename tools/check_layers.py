#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hold every #include against the layers: a room may include only rooms below it.

The table is the one in ARCHITECTURE.md, in a form that can be checked. Rooms that do not exist yet
are in it, so that they are held to their place from their first file. Prints file:line and rule.

    tools/check_layers.py [ROOT]
"""

import re
import sys
from pathlib import Path

# Which of src/ a room of src/ may include, besides itself.
BELOW = {
    "base": set(),
    "sys": {"base"},
    "explore": {"base"},
    "trace": {"base", "sys"},
    "queue": {"base", "sys"},
    "shm": {"base", "sys"},
    "loop": {"base", "sys"},
    "engine": {"base", "sys"},
}
LOWER = {"base", "sys", "explore", "trace", "queue", "shm", "loop", "engine"}
BELOW["sched"] = LOWER
BELOW["task"] = LOWER | {"sched"}
BELOW["io"] = LOWER | {"sched", "task"}
BELOW["proc"] = LOWER | {"sched", "task", "io"}
BELOW["exec"] = LOWER | {"sched", "task", "io", "proc"}
BELOW["supervise"] = LOWER | {"sched", "task", "io", "proc", "exec"}
BELOW["cluster"] = LOWER | {"sched", "task", "io", "proc", "exec"}

EVERY_ROOM = set(BELOW)

# What the other parts of the tree may include besides libc, and the sentence that says so. "src/x"
# is a room, "library" any library but libc. tests/ may include everything and is not listed.
OUTSIDE = {
    "include": ({"public"}, "public headers include public headers and libc only"),
    "examples": ({"public", "examples"},
                 "examples include <ravel.h>, <ravel/...>, their own headers and libc only"),
    "bench": ({"public", "bench", "library"}, "bench/ includes include/ and itself only"),
    "lab": ({"public", "lab"}, "lab/ includes include/, itself and libc only"),
    "check": ({"check", "src/base", "src/sys", "src/explore", "library"},
              "check/ includes src/base, src/sys, src/explore and itself only"),
    "look": ({"public", "look", "src/base", "src/sys", "src/trace", "src/shm", "src/loop",
              "src/sched", "src/task", "src/exec", "src/supervise", "library"},
             "look/ includes what it reads of src/ and itself only"),
    "timeline": ({"public", "timeline", "look", "check", "lab", "src/base", "src/trace"},
                 "timeline/ includes include/, look/, check/, lab/, src/base, src/trace and "
                 "itself only"),
    "cli": ({"public", "cli", "check", "lab", "look", "timeline", "src/base", "src/engine",
             "library"},
            "cli/ includes include/, check/, lab/, look/, timeline/, src/base, src/engine and "
            "itself only"),
}

# One file each that reaches below its part's line, and why that is better than the line moved.
EXCEPTIONS = {
    # The bare context switch is a figure of its own, and no public function is that bare.
    "bench/switch.c": {"src/sys"},
    # The bare ring to a worker process: the floor of a tier.
    "bench/shm_ring.c": {"src/shm", "src/sys"},
    # A worker's start, without the jobs that an executor would give it.
    "bench/process_start.c": {"src/proc"},
    # Examples of how a foreign library is adopted.
    "examples/adopt_curl/web.h": {"library"},
    # And of how another's loop embeds this one.
    "examples/embed_glib/main.c": {"library"},
    # A window belongs to a toolkit.
    "examples/foreground/window.c": {"library"},
}

# These two know nothing of the library above them, not even its public types.
NO_PUBLIC = {"base", "explore"}

# Folders of <...> that belong to libc and the kernel; other folders belong to other libraries.
LIBC_FOLDERS = {"arpa", "asm", "linux", "net", "netinet", "sys"}
NOT_LIBC = {"cmocka.h", "glib-unix.h", "liburing.h"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')
SOURCES = {".c", ".h", ".S", ".cpp"}


def system_header(name):
    folder = name.partition("/")[0] if "/" in name else None
    foreign = name in NOT_LIBC or folder is not None and folder not in LIBC_FOLDERS
    return "library" if foreign else "libc"


def part_of(path):
    """The part of the tree that a path lies in: "public", "src/<room>" or its top folder."""
    if path.parts[0] == "include":
        return "public"
    return "/".join(path.parts[:2]) if path.parts[0] == "src" else path.parts[0]


def target_of(name, bracket, includer, root):
    """What an include names: a part of the tree, "libc", "library", or "own" for a bare name that
    is not found, which can only be a file to be made beside its includer."""
    if name == "ravel.h" or name.startswith("ravel/"):
        return "public"
    if bracket == "<":
        return system_header(name)
    for base in (includer.parent, "src", "include", ".", "tests"):
        found = root / base / name
        if found.is_file():
            return part_of(found.resolve().relative_to(root))
    first = Path(name).parts[0]
    if first in EVERY_ROOM:
        return f"src/{first}"
    return "own" if first == name else first


def rule_in_src(room, target):
    """The rule that a file of src/<room> breaks by including target; None if it breaks none."""
    if room not in BELOW:
        return f"src/{room} is not a room in the table"
    if target == "public":
        return f"src/{room} may not know the public headers" if room in NO_PUBLIC else None
    if target == "library" or target == f"src/{room}" or target[4:] in BELOW[room]:
        return None
    allowed = ", ".join(sorted(BELOW[room])) or "nothing"
    return f"src/{room} may include {allowed} of src/, not {target}"


def rule_broken(includer, target):
    """The rule that an include breaks, in words; None if it breaks none."""
    if target in ("libc", "own") or target in EXCEPTIONS.get(includer.as_posix(), ()):
        return None
    top = includer.parts[0]
    if top == "src":
        return rule_in_src(includer.parts[1], target)
    allowed, rule = OUTSIDE.get(top, ({target}, None))
    return None if target in allowed else rule


def violations(root):
    """(file, line number, rule) for each include that breaks a rule."""
    root = root.resolve()
    files = sorted(p for top in ("src", "tests", *OUTSIDE) for p in (root / top).rglob("*")
                   if p.suffix in SOURCES)
    for path in files:
        includer = path.relative_to(root)
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            bracket, name = match.groups()
            rule = rule_broken(includer, target_of(name, bracket, includer, root))
            if rule:
                yield includer, number, f"including {name}: {rule}"


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    found = list(violations(root))
    for path, number, rule in found:
        print(f"{path}:{number}: {rule}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
