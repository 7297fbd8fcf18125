# SPDX-License-Identifier: MIT
"""The public API as the headers declare it: what RV_API stands before, with its docstring."""

import re
from pathlib import Path
from typing import NamedTuple

# Comments and directives are matched so that what they contain is not taken for a declaration.
TOKEN = re.compile(r"/\*.*?\*/|//[^\n]*|^[ \t]*#(?:[^\n\\]|\\.)*|\bRV_API\b[^;{]*[;{]",
                   re.S | re.M)
NAME = re.compile(r"\b(rv_\w+)\s*(\(|\[|;|=|$)")
ATTRIBUTE = re.compile(r"__attribute__\s*\(\(.*?\)\)|\bRV_[A-Z_]+(?:\([^()]*\))?", re.S)


class Declaration(NamedTuple):
    path: Path
    line: int
    name: str
    is_function: bool
    returns_void: bool
    doc: str                # the /** comment right before it, or empty


def declarations_in(path):
    """Every RV_API declaration of one header, in order."""
    text = path.read_text()
    found, doc = [], ""
    for match in TOKEN.finditer(text):
        token = match.group()
        if token.startswith("/**"):
            doc = token
        elif token.startswith(("/*", "//")) or token.lstrip().startswith("#"):
            continue
        else:
            bare = ATTRIBUTE.sub(" ", re.sub(r"/\*.*?\*/", " ", token, flags=re.S)).rstrip(";{ \n")
            name = NAME.search(bare)
            if not name:
                raise ValueError(f"{path}: cannot read the declaration {token!r}")
            before = bare[:name.start()].strip()
            found.append(Declaration(path, text.count("\n", 0, match.start()) + 1, name.group(1),
                                     name.group(2) == "(", before.split()[-1:] == ["void"], doc))
            doc = ""
    return found


def public_headers(root):
    return sorted((root / "include").rglob("*.h"))


def public_api(root):
    """Every RV_API declaration below root/include."""
    return [d for path in public_headers(root) for d in declarations_in(path)]
