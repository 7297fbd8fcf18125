#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make a C file of text files: embed.py HEADER OUT NAME=FILE ..."""

import sys
from pathlib import Path

ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "?": "\\?"}


def literal(text):
    """As adjacent string literals, in which what is not plain is three octal digits a byte."""
    for line in text.splitlines(keepends=True):
        for at in range(0, len(line), 1000):
            yield '    "' + "".join(
                ESCAPES.get(c) or (c if c.isascii() and c.isprintable() else
                                   "".join(f"\\{b:03o}" for b in c.encode()))
                for c in line[at:at + 1000]) + '"'


def main():
    out = [f'#include "{sys.argv[1]}"\n']
    for name, _, path in (arg.partition("=") for arg in sys.argv[3:]):
        lines = "\n".join(literal(Path(path).read_text(encoding="utf-8")))
        out.append(f"const char {name}[] =\n{lines};\n")
    Path(sys.argv[2]).write_text("\n".join(out))


main()
