#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each ordered atomic access in src/ and include/ names its partner, and each name has both ends.

An access through the shim (base/atomic.h) or a fence that is not relaxed carries the comment
"pairs: label" (or "pairs: label, label") on its line or in the comment that ends on the line above.
A label has to occur at two places at least, one that can release and one that can acquire. Atomics
that go around the shim are reported too: the shim is where orders are named, and where a checker
can cut in. Public headers cannot include the shim: there <stdatomic.h> is right, orders spelt out.

    tools/check_pairs.py [ROOT]
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

SHIM = Path("src/base/atomic.h")
ACCESS = re.compile(
    r"\brvi_(?:(?:load|store|exchange|cas|fetch_\w+?)_(acquire|release|acq_rel|seq_cst)"
    r"|fence_(acquire|release|acq_rel|seq_cst|light|heavy))\s*\(")
AROUND = re.compile(
    r"\b(?:atomic_(?:load|store|exchange|compare_exchange|fetch|thread_fence|flag)\w*"
    r"|__atomic_\w+|__sync_\w+)\s*\(")
PUBLIC_ACCESS = re.compile(r"\bmemory_order_(acquire|release|acq_rel|seq_cst)\b()")
LABELS = re.compile(r"pairs:\s*([\w.-]+(?:\s*,\s*[\w.-]+)*)")
RELEASES = {"release", "acq_rel", "seq_cst", "light", "heavy"}
ACQUIRES = {"acquire", "acq_rel", "seq_cst", "light", "heavy"}


def code_of(lines):
    """The lines with comments and strings blanked, so that prose cannot look like an access."""
    text = "\n".join(lines)
    blank = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)
    return blank.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text).split("\n")


def comment_above(lines, code, index):
    """The comment that ends on the line above, as one string; empty if there is none."""
    above = []
    index -= 1
    while index >= 0 and lines[index].strip() and not code[index].strip(" \\"):
        above.append(lines[index])
        index -= 1
    return " ".join(reversed(above))


def scan(path, shown, ends, problems):
    """Collect one file's labelled accesses into ends; report what has no label."""
    is_public = shown.parts[0] == "include"
    lines = path.read_text(errors="replace").splitlines()
    code = code_of(lines)
    for index, line in enumerate(code):
        place = f"{shown}:{index + 1}"
        if AROUND.search(line) and not is_public:
            problems.append(f"{place}: an atomic operation that goes around base/atomic.h")
        for match in (PUBLIC_ACCESS if is_public else ACCESS).finditer(line):
            if line.startswith("void)", match.end()):   # a fence's own definition
                continue
            order = match.group(1) or match.group(2)
            said = LABELS.search(lines[index]) or \
                LABELS.search(comment_above(lines, code, index))
            if not said:
                problems.append(f"{place}: {match.group(0).rstrip('( ')} names no partner "
                                "(/* pairs: label */)")
                continue
            for label in re.split(r"\s*,\s*", said.group(1)):
                ends[label].append((place, order))


def problems_in(root):
    """Everything that is wrong below root/src and root/include, as lines to print."""
    ends, problems = defaultdict(list), []
    for path in sorted(p for folder in ("include", "src") for p in (root / folder).rglob("*")):
        shown = path.relative_to(root)
        if path.suffix in (".c", ".h") and shown != SHIM:
            scan(path, shown, ends, problems)
    for label, places in sorted(ends.items()):
        orders = {order for _, order in places}
        first = places[0][0]
        if len(places) < 2:
            problems.append(f"{first}: pairs: {label} has no other end")
        elif not orders & RELEASES:
            problems.append(f"{first}: pairs: {label} has no end that releases")
        elif not orders & ACQUIRES:
            problems.append(f"{first}: pairs: {label} has no end that acquires")
    return problems


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    problems = problems_in(root)
    for line in problems:
        print(line)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
