# SPDX-License-Identifier: MIT
"""The code blocks that readers are shown, as files that a compiler can be given.

In Markdown the words behind the fence say what a block is:

    ```c             a whole file; with a main it is a program and is run
    ```c fragment    statements, as they would stand in a task's function
    ```cpp           a whole C++ file, likewise
    ```text          behind a program: what it prints. "…" stands for anything on that line, and
                     alone for any lines.

Those of doc/guide/ that are files of examples/guide/ are built and run there.

In a header's comments code is indented by four. It is a whole file when it begins with a directive,
a type or a static function, and a fragment otherwise; <ravel.h> is taken for granted. What else
fragments take for granted is declared in tests/docs/context.h.
"""

import re
from pathlib import Path
from typing import NamedTuple

from docs.docstring import blocks_of, comment_lines
from docs.markdown import parse_markdown
from public_api import COMMENT, public_headers

FILE_SCOPE = re.compile(r"#|static [^\n]*\)$|struct \w+ \{|typedef\b|RV_\w+\([^\n]*\)$|int main\(",
                        re.M)


class Snippet(NamedTuple):
    path: Path
    line: int               # of the first line of code
    language: str           # c, cpp
    kind: str               # program, file, fragment
    text: str
    output: str             # what the program prints, or None when nothing is said

    def source(self, context):
        """What the compiler is given; its messages name the place where readers see the code."""
        place = f'#line {self.line} "{self.path}"\n'
        if self.kind != "fragment":
            taken_for_granted = "#include <ravel.h>\n" if self.path.suffix == ".h" else ""
            return taken_for_granted + place + self.text + "\n"
        return (f'#include "{context}"\nint fragment(void *arg);\nint fragment(void *arg)\n{{\n'
                f"(void)arg;\n{place}{self.text}\n#line 1 \"{context}\"\nreturn 0;\n}}\n")


def kind_of(text, is_fragment):
    if is_fragment:
        return "fragment"
    return "program" if re.search(r"\bint main\(", text) else "file"


def from_markdown(path):
    blocks = parse_markdown(path.read_text("utf-8"))
    for before, block, after in zip([None] + blocks, blocks, blocks[1:] + [None]):
        words = block.info.split() if block.kind == "code" else []
        is_built = before is not None and before.text.startswith("<!--program ")
        if words[:1] not in (["c"], ["cpp"]) or is_built:
            continue
        shown = after is not None and after.kind == "code" and after.info == "text"
        yield Snippet(path, block.line, words[0], kind_of(block.text, "fragment" in words[1:]),
                      block.text, after.text + "\n" if shown else None)


def from_header(path):
    text = path.read_text("utf-8")
    for comment in COMMENT.finditer(text):
        first = text.count("\n", 0, comment.start()) + 1
        for block in blocks_of(comment_lines(comment.group()), first):
            if block.kind == "code":
                is_fragment = not FILE_SCOPE.match(block.text)
                yield Snippet(path, block.line, "c", kind_of(block.text, is_fragment), block.text,
                              None)


def all_snippets(root):
    shown = [root / "README.md", root / "doc" / "guide.md", *sorted((root / "doc/guide").glob("*.md"))]
    found = [s for path in shown for s in from_markdown(path)]
    return found + [s for path in public_headers(root) for s in from_header(path)]


def prints(expected, said):
    """Whether a program said what the reader is told it says."""
    pattern = []
    for line in expected.splitlines():
        if line == "…":
            pattern.append(r"(?:.*\n)*?")
        else:
            pattern.append(r"[^\n]*".join(re.escape(p) for p in line.split("…")) + r"\n")
    return re.fullmatch("".join(pattern), said) is not None
