#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each public name says what it is; each function also how it fails, whether it blocks, who may
call it and how long its arguments have to live. Manual pages and the reference are made from it.

    tools/check_docs.py [ROOT]

Demanded, one line for each offence with its file and line:
  - of everything that include/ declares: a docstring
  - of a function, exported or inline: @param for each parameter and for nothing else, @return
    unless it returns void, Errors: Blocks: Threads: Lifetime:, none of them empty
  - of a macro in lower case, which is called like a function: the same, or that its expansion calls
    a function that says it (then the parameters which that one lacks are left to describe); for one
    in capitals, a statement, prose will do, or all of it
  - of a function type: @param and @return alike
  - of each field and each constant: a comment; storage that is named `opaque` needs none
  - of each environment variable RAVEL_ that src/ reads: that a docstring names it, and the reverse
"""

import re
import sys
from pathlib import Path

from docs.docstring import LABELS, parse_essay
from docs.model import environment, is_called, load
from public_api import read_headers

VARIABLE = re.compile(r'"(RAVEL_[A-Z_]*[A-Z])"')


def lacks_docstring(entry):
    if entry.symbol.text == "enum":     # constants without a type: each says what it is
        return []
    if not entry.symbol.doc or not (entry.doc.summary or entry.doc.body):
        return ["docstring (/** ... */)"]
    return []


def lacks_parameters(entry):
    described = [name for name, _ in entry.params]
    named = [p for p in entry.symbol.params if p]
    missing = [f"@param {p}" for p in named if p not in described]
    missing += [f"words for @param {name}" for name, text in entry.doc.params if not text]
    return missing + [f"a parameter for its @param {name}" for name in described
                      if name not in named]


def lacks_return(entry):
    return [] if entry.symbol.returns_void or entry.doc.returns else ["@return"]


def lacks_contract(doc):
    return [f"{label}:" for label in LABELS if not doc.fields.get(label)]


def lacks_as_function(entry):
    return lacks_parameters(entry) + lacks_return(entry) + lacks_contract(entry.doc)


def lacks_as_macro(entry):
    if entry.contract_of:
        return lacks_parameters(entry)
    if not (is_called(entry.symbol) or entry.doc.params or entry.doc.fields):
        return []
    return lacks_parameters(entry) + lacks_contract(entry.doc)


def missing_fields(entry):
    """What an entry's docstring still lacks."""
    missing = lacks_docstring(entry)
    if missing:
        return missing
    if entry.symbol.kind == "function":
        return lacks_as_function(entry)
    if entry.symbol.kind == "macro":
        return lacks_as_macro(entry)
    if entry.symbol.kind == "typedef" and "(" in entry.symbol.text:
        return lacks_parameters(entry) + lacks_return(entry)
    return []


def undocumented_members(symbol):
    return [m for m in symbol.members if not m.doc and m.name != "opaque"]


def variables_read(root):
    """RAVEL_ names that stand as whole strings in src/, and the first place of each."""
    found = {}
    for path in sorted((root / "src").rglob("*.[ch]")):
        for match in VARIABLE.finditer(path.read_text("utf-8")):
            found.setdefault(match.group(1), (path, match.string.count("\n", 0, match.start()) + 1))
    return found


def offences(root):
    """(path, line, words), in the order of the files."""
    model = load(root, "")
    for concept in model.concepts:
        for entry in concept.entries:
            symbol = entry.symbol
            missing = missing_fields(entry)
            if missing:
                yield symbol.path, symbol.line, f"{symbol.name} lacks {', '.join(missing)}"
            for member in undocumented_members(symbol):
                yield symbol.path, member.line, f"{symbol.name}: {member.name} lacks a comment"
    for header in read_headers(root):
        if not header.essay or not parse_essay(header.essay)[0]:
            yield header.path, 1, f"{header.path.name} lacks an essay on top"
    told, read = {v.name: v for v in environment(model)}, variables_read(root)
    for name in sorted(read.keys() - told.keys()):
        yield *read[name], f"{name} is read, and no docstring in include/ names it"
    by_name = model.by_name()
    for name in sorted(told.keys() - read.keys()):
        symbol = by_name[told[name].symbol].symbol
        yield symbol.path, symbol.line, f"{name} is documented, and nothing in src/ reads it"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    found = sorted(offences(root))
    for path, line, words in found:
        print(f"{path.relative_to(root)}:{line}: {words}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
