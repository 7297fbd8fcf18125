# SPDX-License-Identifier: MIT
"""A docstring's fields, and its text as blocks: paragraphs, lists and code.

    /** Summary, one sentence. More of it.
     *
     * Paragraphs, ` - ` lists, and code indented by four.
     *
     * @param name  what it is
     * @return what comes back
     * Errors:  -EPIPE closed; -ETIME deadline
     * Blocks:  ...
     * Threads: ...
     * Lifetime: ...
     * Source:  of an algorithm: paper, author, year */
"""

import re
from typing import NamedTuple

LABELS = ("Errors", "Blocks", "Threads", "Lifetime")
OPTIONAL = ("Source",)      # of an algorithm
FIELD = re.compile(r"@param\s+(?P<param>\w+|\.\.\.)\s*(?P<text>.*)|"
                   r"@(?P<tag>return)\b\s*(?P<said>.*)|"
                   r"(?P<label>" + "|".join(LABELS + OPTIONAL) + r"):\s*(?P<rest>.*)")
VARIABLE_NAME = r"\bRAVEL_[A-Z_]*[A-Z]\b"
# What stands out in a docstring's words: `quoted`, rv_name(), -EERROR, RAVEL_VARIABLE.
PROSE = re.compile(r"`([^`]+)`|\b((?:rv_|RV_)\w+)(\(\))?|(?<![\w-])(-E[A-Z0-9]{2,})\b|"
                   rf"({VARIABLE_NAME})")
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"])")
ITEM = re.compile(r"\s{0,3}[-*]\s+(.*)")


class Block(NamedTuple):
    kind: str               # p, ul, code
    text: str = ""          # of a paragraph or of code
    items: tuple = ()       # of a list: strings
    info: str = ""          # what stands behind the fence, in Markdown
    line: int = 0           # in its file, where that is known


class Docstring(NamedTuple):
    summary: str            # the first sentence
    body: list              # blocks: all that follows it
    description: list       # blocks: the two together, as they were written
    params: list            # (name, text)
    returns: str
    fields: dict            # "Errors" to its text; absent when it was not given


class Errors(NamedTuple):
    items: list             # (code, text): "-EPIPE", "closed"
    notes: list             # what is said besides: strings


def comment_lines(comment):
    """A comment's lines without its stars; indentation beyond the usual blank is kept."""
    text = re.sub(r"^/\*+ ?|\s*\*/$", "", comment.strip())
    return [re.sub(r"^\s*\* ?", "", line).rstrip() for line in text.split("\n")]


def blocks_of(lines, first_line=0):
    """Paragraphs, lists and code of plain lines."""
    found, paragraph, items, code = [], [], [], []

    def flush():
        if paragraph:
            found.append(Block("p", " ".join(paragraph)))
        if items:
            found.append(Block("ul", items=tuple(items)))
        if code:
            number = code[0][0]
            found.append(Block("code", "\n".join(dedented([c[1] for c in code])), line=number))
        paragraph.clear()
        items.clear()
        code.clear()

    for number, line in enumerate(lines, first_line):
        is_code = line.startswith("    ") and not items and not paragraph
        item = ITEM.match(line) if not is_code else None
        if is_code or (code and not line):
            if not code:
                flush()
            code.append((number, line))
        elif not line:
            flush()
        elif item:
            if paragraph or code:
                flush()
            items.append(item.group(1))
        elif items and line.startswith(" "):
            items[-1] += " " + line.strip()
        else:
            if items or code:
                flush()
            paragraph.append(line.strip())
    flush()
    return found


def dedented(lines):
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    depth = min((len(l) - len(l.lstrip()) for l in lines if l.strip()), default=0)
    return [l[depth:] for l in lines]


def first_sentence(text):
    """(the first sentence, the rest)."""
    parts = SENTENCE.split(text, maxsplit=1)
    return parts[0], parts[1] if len(parts) == 2 else ""


def headed(blocks):
    """(the first sentence, the blocks without it)."""
    if not blocks or blocks[0].kind != "p":
        return "", blocks
    summary, rest = first_sentence(blocks[0].text)
    return summary, ([Block("p", rest)] if rest else []) + blocks[1:]


def parse(comment):
    """A /** comment's parts."""
    description, fields, returns, params, target = [], {}, None, [], None
    for line in comment_lines(comment):
        match = FIELD.match(line)
        if match:
            if match["param"]:
                params.append([match["param"], match["text"].strip()])
                target = ("param", None)
            elif match["tag"]:
                returns, target = match["said"].strip(), ("return", None)
            else:
                fields[match["label"]] = match["rest"].strip()
                target = ("field", match["label"])
        elif target is None:
            description.append(line)
        elif target[0] == "param":
            params[-1][1] = f"{params[-1][1]} {line.strip()}".strip()
        elif target[0] == "return":
            returns = f"{returns} {line.strip()}".strip()
        else:
            fields[target[1]] = f"{fields[target[1]]} {line.strip()}".strip()
    blocks = blocks_of(description)
    summary, body = headed(blocks)
    return Docstring(summary, body, blocks, [tuple(p) for p in params], returns or "", fields)


def parse_essay(comment):
    """(summary, blocks) of the comment on top of a header: "chan.h - bounded channels: ..."."""
    lines = comment_lines(comment)
    lines[0] = re.sub(r"^\S+\.h - ", "", lines[0])
    return headed(blocks_of(lines))


def errors_in(part, when):
    """The errors of one part, with commas between them; one that is bare shares the next one's
    words: "-EIO, -EPIPE the peer is gone". `when` are words before the first."""
    pieces = [re.match(r"(-E[A-Z0-9]+)\b:?\s*(.*)", piece, re.S).groups()
              for piece in re.split(r",\s+(?=-E)", part)]
    for n, (code, _) in enumerate(pieces):
        words = next((w for _, w in pieces[n:] if w), "")
        yield code, f"{when}: {words}" if when and words else words or when or ""


def parse_errors(text):
    """The field `Errors:` as a list, one error each; what names no error first is a note."""
    items, notes = [], []
    if re.match(r"none\b", text):
        rest = text[4:].lstrip(" ;,.")
        return Errors([], [rest] if rest else [])
    for part in re.split(r";\s+", text):
        match = re.match(r"(?:(?P<when>[^-]*):\s+)?(?P<list>-E[A-Z0-9]+\b.*)", part, re.S)
        if match:
            items += errors_in(match["list"], match["when"])
        elif part:
            notes.append(part)
    if items:
        said, rest = first_sentence(items[-1][1])
        items[-1] = items[-1][0], said.rstrip(".")
        if rest:
            notes.append(rest)
    return Errors(items, notes)
