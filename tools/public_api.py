# SPDX-License-Identifier: MIT
"""The public API as the headers declare it: every name a program may use, with its docstring.

A reader of C as these headers are written (clang-format has seen them), not of C at large: what it
cannot read is an error with its place, never something left out. The docstring of a declaration is
the /** comment right before it. Constants that are macros and follow each other without an empty
line share the docstring of the first. A member's comment stands behind it on its line, or on lines
of its own before it.

Not listed: names that are Ravel's own business (rvi_).
"""

import re
from pathlib import Path
from typing import NamedTuple

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
DIRECTIVE = re.compile(r"[ \t]*#(?:[^\n\\]|\\.)*", re.S)
STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'')
DEFINE = re.compile(r"[ \t]*#[ \t]*define[ \t]+(\w+)(\([^)]*\))?(.*)", re.S)
ATTRIBUTE = re.compile(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)|"
                       r"\bRVI?_[A-Z_]+\b(?:\([^()]*\))?")
FIRST_NAME = re.compile(r"\b(rvi?_\w+)\s*(?=[\(\[;=]|$)")
WORD = re.compile(r"\w+")
BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


class Member(NamedTuple):
    """A field of a struct or a constant of an enum."""
    name: str
    text: str               # as declared, without its comment
    doc: str                # the comment's words; empty when there is none
    line: int


class Symbol(NamedTuple):
    path: Path
    line: int
    kind: str               # function, object, macro, struct, union, enum, typedef
    name: str
    doc: str                # the whole /** comment, or empty
    text: str               # the declaration as a reader wants it: no attributes, no body
    params: tuple           # names of a function's or a macro's parameters
    members: tuple
    expansion: str          # of a macro
    leader: str             # whose docstring this macro shares; empty for one of its own

    @property
    def is_function(self):
        return self.kind == "function"

    @property
    def returns_void(self):
        return bool(re.match(r"(static\s+|inline\s+|extern\s+|typedef\s+)*void\s+rv_", self.text))


class Header(NamedTuple):
    path: Path
    concept: str            # "chan" for ravel/chan.h
    essay: str              # the comment on top, whole
    symbols: list


class Unreadable(ValueError):
    """A declaration that this reader does not understand."""


# ---- pieces of a header --------------------------------------------------------------------------

def without_comments(text):
    return COMMENT.sub(" ", text)


def squeezed(text):
    return " ".join(text.split())


def end_of_declaration(text, start):
    """Behind the `;` that ends what begins at start, or behind the body of a function."""
    depth, pos, is_function = 0, start, False
    while pos < len(text):
        skipped = COMMENT.match(text, pos) or STRING.match(text, pos)
        if skipped:
            pos = skipped.end()
            continue
        char = text[pos]
        if char == "{" and depth == 0:
            is_function = without_comments(text[start:pos]).rstrip().endswith(")")
        depth += BRACKETS.get(char, 0)
        pos += 1
        if depth == 0 and (char == ";" or (char == "}" and is_function)):
            return pos
    raise Unreadable("no end of this declaration")


def pieces(text):
    """(kind, piece, offset) of each comment, directive and declaration, in order."""
    pos = 0
    while True:
        pos = re.compile(r"\s*").match(text, pos).end()
        if pos == len(text):
            return
        marker = re.compile(r"RV_(BEGIN|END)_DECLS\b").match(text, pos)
        if marker:
            pos = marker.end()
            continue
        for kind, pattern in (("comment", COMMENT), ("directive", DIRECTIVE)):
            match = pattern.match(text, pos)
            if match:
                yield kind, match.group(), pos
                pos = match.end()
                break
        else:
            end = end_of_declaration(text, pos)
            yield "declaration", text[pos:end], pos
            pos = end


def split_at(text, separators):
    """Cut at the separators that stand outside brackets, comments and strings; offsets too."""
    depth, begin, pos = 0, 0, 0
    while pos < len(text):
        skipped = COMMENT.match(text, pos) or STRING.match(text, pos)
        if skipped:
            pos = skipped.end()
            continue
        depth += BRACKETS.get(text[pos], 0)
        if depth == 0 and text[pos] in separators:
            yield begin, text[begin:pos]
            begin = pos + 1
        pos += 1
    yield begin, text[begin:]


def words_of(comment):
    """What a comment says, without its stars."""
    inner = re.sub(r"^/\*+<?|\*/$|^//", "", comment.strip())
    return squeezed(re.sub(r"^[ \t]*\*(?=\s|$)", "", inner, flags=re.M))


# ---- declarations --------------------------------------------------------------------------------

def declared_name(text):
    """The name that a field or a parameter declares; empty for a bare type."""
    text = re.sub(r"\[[^\]]*\]|=.*$|:\s*\d+\s*$", "", text.strip(), flags=re.S)
    pointer = re.search(r"\(\s*\*\s*(\w+)\s*\)\s*\(", text)
    if pointer:
        return pointer.group(1)
    words = WORD.findall(re.sub(r"\([^()]*\)\s*$", "", text))
    return words[-1] if words else ""


def parameters(text):
    """Names of a function's parameters, in order."""
    match = re.search(r"\((.*)\)[^()]*$", text, re.S)
    inside = match.group(1) if match else ""
    if inside.strip() in ("", "void"):
        return ()
    return tuple(declared_name(part) for _, part in split_at(inside, ",") if part.strip() != "...")


def members_of(body, separator, line):
    """The members between a struct's or an enum's braces; `line` is where the body begins."""
    found, leading = [], ""
    for begin, part in split_at(body, separator):
        comments = list(COMMENT.finditer(part))
        first = part[:comments[0].start()] if comments else part
        # The comment behind the last separator, on the same line, is the previous member's.
        if comments and found and not first.strip() and "\n" not in first:
            found[-1] = found[-1]._replace(doc=words_of(comments.pop(0).group()))
        declaration = squeezed(without_comments(part))
        leading = " ".join(words_of(c.group()) for c in comments)
        if not declaration:
            continue
        at = begin + len(part) - len(COMMENT.sub(lambda c: " " * len(c.group()), part).lstrip())
        name = ", ".join(declared_name(p) for _, p in split_at(declaration, ","))
        found.append(Member(name, declaration, leading, line + body.count("\n", 0, at)))
    return tuple(found)


def aggregate(path, line, text, doc):
    """struct, union or enum; None for a mere forward declaration. Constants without a type of their
    own go by the name of the first."""
    match = re.match(r"(struct|union|enum)\s*(\w*)[^{;]*\{(.*)\}[^{}]*;$", text, re.S)
    if not match:
        return None
    kind, name, body = match.groups()
    at = line + text.count("\n", 0, match.start(3))
    members = members_of(body, "," if kind == "enum" else ";", at)
    return Symbol(path, line, kind, name or members[0].name, doc, f"{kind} {name}".strip(), (),
                  members, "", "")


def typedef(path, line, text, doc):
    bare = squeezed(without_comments(text))
    function = re.match(r"typedef\s.*?\b(\w+)\s*\(([^()]*|.*)\);$", bare, re.S)
    pointer = re.search(r"\(\s*\*\s*(\w+)\s*\)\s*\(", bare)
    if pointer:
        name, params = pointer.group(1), parameters(bare.rstrip("; "))
    elif function:
        name, params = function.group(1), parameters(bare.rstrip("; "))
    else:
        name, params = declared_name(bare.rstrip(";")), ()
    return Symbol(path, line, "typedef", name, doc, bare, params, (), "", "")


def function_or_object(path, line, text, doc):
    bare = without_comments(text)
    body = re.search(r"\)\s*\{", bare)
    bare = bare[:body.start() + 1] + ";" if body else bare
    bare = squeezed(ATTRIBUTE.sub(" ", bare))
    bare = re.sub(r"\s+;$", ";", bare)
    if body and not bare.startswith("static "):     # an inline function, whatever macro says so
        bare = "static inline " + bare
    name = FIRST_NAME.search(bare)
    if not name:
        raise Unreadable(f"cannot read the declaration {squeezed(text)!r}")
    is_function = bare[name.end():].lstrip().startswith("(")
    params = parameters(bare[name.start():].rstrip("; ")) if is_function else ()
    kind = "function" if is_function else "object"
    return Symbol(path, line, kind, name.group(1), doc, bare, params, (), "", "")


def declaration(path, line, text, doc):
    """The symbol that a declaration is, or None when it is none of a program's business."""
    if text.startswith("_Static_assert") or text == ";":
        return None
    if re.match(r"(struct|union|enum)\s*(\b\w+\s*)?(\{|;)", without_comments(text)):
        return aggregate(path, line, text, doc)
    if text.startswith("typedef"):
        return typedef(path, line, text, doc)
    return function_or_object(path, line, text, doc)


def macro(path, line, text, doc):
    match = DEFINE.match(text)
    if not match or not match.group(1).upper().startswith("RV_"):
        return None
    name, params, expansion = match.groups()
    names = tuple(p.strip() for p in (params or "()")[1:-1].split(",") if p.strip())
    expansion = squeezed(re.sub(r"\\\n", " ", without_comments(expansion)))
    text = f"{name}({', '.join(names)})" if params else f"#define {name} {expansion}".rstrip()
    return Symbol(path, line, "macro", name, doc, text, names, (), expansion, "")


def is_internal(name):
    return not name.lower().startswith("rv_")


# ---- headers -------------------------------------------------------------------------------------

def read_header(path):
    """One header's symbols in their order; a name that is declared twice counts once."""
    text = path.read_text("utf-8")
    essay, doc, found = "", "", {}
    last_macro, last_end = None, -1
    for kind, piece, offset in pieces(text):
        line = text.count("\n", 0, offset) + 1
        if kind == "comment":
            if piece.startswith("/**"):
                doc = piece
            elif not essay and "SPDX" not in piece:
                essay = piece
            continue
        try:
            if kind == "directive":
                symbol = macro(path, line, piece, doc)
                grouped = last_macro and not doc and line == last_end + 1
                if symbol and grouped and not symbol.params:
                    symbol = symbol._replace(leader=last_macro.leader or last_macro.name,
                                             doc=last_macro.doc)
                last_macro, last_end = symbol, line + piece.count("\n")
            else:
                symbol, last_macro = declaration(path, line, piece, doc), None
        except Unreadable as error:
            raise Unreadable(f"{path}:{line}: {error}") from None
        if symbol and not is_internal(symbol.name):
            key = symbol.kind, symbol.name
            if key not in found or (symbol.doc and not found[key].doc):
                found[key] = symbol
        if kind != "directive" or DEFINE.match(piece):
            doc = ""
    return Header(path, path.stem, essay, list(found.values()))


def public_headers(root):
    return sorted((root / "include").rglob("*.h"))


def read_headers(root):
    return [read_header(path) for path in public_headers(root)]


def public_api(root):
    """Every function and object that the library exports, as its headers declare them."""
    return [s for h in read_headers(root) for s in h.symbols if s.kind in ("function", "object") and
            not s.text.startswith("static ")]
