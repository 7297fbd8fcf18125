# SPDX-License-Identifier: MIT
"""The subset of Markdown that doc/guide.md is written in, as the blocks of docstring.py.

Headings, paragraphs, lists, tables, quotes as notes, fenced code; and inside a line `code`,
**bold**, *italic* and [links](to). What is outside the subset is text.
"""

import re

from docs.docstring import Block

FENCE = re.compile(r"```(.*)$")
HEADING = re.compile(r"(#{1,4})\s+(.*)$")
ITEM = re.compile(r"([-*]|\d+\.)\s+(.*)$")


def cells(line):
    return tuple(c.strip() for c in line.strip().strip("|").split("|"))


def parse_markdown(text):
    """Blocks of the kinds p, ul, ol, code, note, table (items: rows) and h1 to h4."""
    lines, found, pos = text.split("\n"), [], 0

    def take_while(keep):
        nonlocal pos
        begin = pos
        while pos < len(lines) and keep(lines[pos]):
            pos += 1
        return lines[begin:pos]

    while pos < len(lines):
        line, number = lines[pos], pos + 1
        fence, heading, item = FENCE.match(line), HEADING.match(line), ITEM.match(line)
        if not line.strip():
            pos += 1
        elif fence:
            pos += 1
            body = take_while(lambda l: not l.startswith("```"))
            pos += 1
            found.append(Block("code", "\n".join(body), info=fence.group(1).strip(),
                               line=number + 1))
        elif heading:
            pos += 1
            found.append(Block(f"h{len(heading.group(1))}", heading.group(2), line=number))
        elif line.startswith("|"):
            rows = [cells(l) for l in take_while(lambda l: l.startswith("|"))]
            found.append(Block("table", items=tuple(rows[:1] + rows[2:]), line=number))
        elif line.startswith(">"):
            said = take_while(lambda l: l.startswith(">"))
            found.append(Block("note", " ".join(l.lstrip("> ") for l in said), line=number))
        elif item:
            kind = "ol" if item.group(1)[0].isdigit() else "ul"
            items = []
            for l in take_while(lambda l: ITEM.match(l) or l.startswith("  ")):
                match = ITEM.match(l)
                if match:
                    items.append(match.group(2))
                else:
                    items[-1] += " " + l.strip()
            found.append(Block(kind, items=tuple(items), line=number))
        else:
            said = take_while(lambda l: l.strip() and not FENCE.match(l) and not HEADING.match(l)
                              and not ITEM.match(l) and l[0] not in "|>")
            found.append(Block("p", " ".join(l.strip() for l in said), line=number))
    return found
