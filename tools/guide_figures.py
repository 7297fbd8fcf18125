#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fill doc/guide/ with what a report of `ravel lab` says, or check that it says so.

    tools/guide_figures.py --check|--write [--root ROOT]

The report is doc/guide/lab.json. No figure in the chapters is written by hand; between a comment
and its end stands what this program puts there, so that readers of the Markdown see it too:

    <!--lab switch "task"-->29 ns<!--/lab-->                      a figure
    <!--ratio create "thread" / "task"-->322<!--/ratio-->         how many times as much
    <!--about create "thread" / "task"-->a hundred<!--/about-->   to the nearest power of ten
    <!--claim create "task" < "thread"-->cheaper<!--/claim-->     words, true of the figures
    <!--claim create "thread" > 10 "task"-->far dearer<!--/claim-->
    <!--machine processors-->2<!--/machine-->                     cpu, kernel, memory, when

No line may begin with one of these: Markdown would take it for HTML. On lines of their own stand

    <!--picture NAME.svg              what docs/draw.py draws into pictures/NAME.svg; one that is
                                      drawn by hand has class="hand", and gets the same colours
    <!--program NAME.c-->             behind which the file examples/guide/NAME.c is shown

and figures.md is the report itself, in tables. How figures are named: docs/lab.py.
"""

import argparse
import re
import sys
from pathlib import Path

from docs.draw import STYLE, picture
from docs.guide import MARK, PICTURE, PROGRAM
from docs.lab import Report, Unknown, digits, order, place, shown

SHOWN = re.compile(r"^(<!--program ([\w-]+\.c)-->\n+```c\n).*?^(```)$", re.S | re.M)
LICENCE = "/* SPDX-License-Identifier: MIT */\n"
AT_LINE_START = re.compile(r"^ {0,3}<!--/?(lab|ratio|about|claim|machine)\b", re.M)


def of_machine(report, what):
    machine = report.values["machine"]
    words = {
        "cpu": lambda: re.sub(r"\((R|TM)\)", "", machine["cpu"]),
        "kernel": lambda: re.match(r"\S+ \d+\.\d+", machine["kernel"]).group(),
        "processors": lambda: str(machine["processors"]),
        "memory": lambda: shown(machine["memory_bytes"], "bytes"),
        "when": lambda: report.values["when"][:10],
    }
    if what not in words:
        raise Unknown(f"of the machine nobody knows {what}")
    return words[what]()


def is_true(report, words):
    _, first, sign, factor, second = report.two(words, "<>")
    limit = factor * second["median"]
    return first["median"] < limit if sign == "<" else first["median"] > limit


def figure_words(report, kind, words, said):
    """What stands between a comment and its end."""
    words = " ".join(words.split())
    if kind == "machine":
        return of_machine(report, words)
    if kind == "lab":
        figure = report.one(words)[1]
        return shown(figure["median"], figure["unit"])
    if kind == "claim":
        if not is_true(report, words):
            raise Unknown(f"the report says otherwise: {words}")
        return said
    _, first, _, factor, second = report.two(words, "/")
    ratio = first["median"] / (factor * second["median"])
    return digits(ratio) if kind == "ratio" else order(ratio)


def program(root, name):
    path = root / "examples" / "guide" / name
    if not path.is_file():
        raise Unknown(f"there is no program {name}")
    return path.read_text("utf-8").removeprefix(LICENCE)


def filled(root, report, text, complain):
    """A chapter with its figures and programs in their places."""
    def of(make, match):
        try:
            return make()
        except Unknown as why:
            complain(text.count("\n", 0, match.start()) + 1, why)
            return match.group()

    for match in AT_LINE_START.finditer(text):
        complain(text.count("\n", 0, match.start()) + 1, "a line begins with a figure's comment")
    for match in PROGRAM.finditer(text):
        if not SHOWN.match(text, match.start()):
            complain(text.count("\n", 0, match.start()) + 1, "behind a program is no ```c block")
    text = SHOWN.sub(lambda m: of(lambda: m[1] + program(root, m[2]) + m[3], m), text)
    return MARK.sub(lambda m: of(lambda: f"<!--{m[1]} {m[2]}-->" + figure_words(
        report, m[1], m[2], m[3]) + f"<!--/{m[1]}-->", m), text)


# ---- the report, in tables -----------------------------------------------------------------------

def table(probe):
    axis = probe["axis"]
    yield f"| | {axis + ' | ' if axis else ''}median | between | |\n"
    yield f"|---|{'---:|' if axis else ''}---:|---:|---|\n"
    for f in probe["figures"]:
        between = ("" if f["samples"] <= 1 else
                   f"{shown(f['low'], f['unit'], 3)} and {shown(f['high'], f['unit'], 3)}")
        words = ", ".join(filter(None, ("noisy" if f["noisy"] else "", f["note"])))
        cells = [f["name"], *([place(axis, f["at"])] if axis else []),
                 shown(f["median"], f["unit"], 3), between, words]
        yield f"| {' | '.join(cells)} |\n"


def figures_page(report):
    """figures.md: each probe with its method and its figures."""
    out = ["# The figures\n\n",
           "Made by `tools/guide_figures.py` of [the report](lab.json), which `ravel lab --json`\n"
           "wrote: every figure that the chapters quote. A median stands with the bounds between\n"
           "which the true one lies in 95 of 100 cases, where there were samples enough to say so;\n"
           "where they differed much, the figure is noisy. Your machine has others: run `ravel lab`.\n\n",
           f"Measured {of_machine(report, 'when')} on {of_machine(report, 'processors')} processors"
           f" ({of_machine(report, 'cpu')}, {of_machine(report, 'memory')}),\n"
           f"{of_machine(report, 'kernel')}, by Ravel {report.values['version']}.\n"]
    for probe in report.values["probes"]:
        out.append(f"\n## {probe['name']}\n\n**{probe['title']}** {probe['method']}\n\n")
        if probe["why_not"]:
            out.append(f"Not all could be measured here: {probe['why_not']}.\n\n")
        out += table(probe) if probe["figures"] else []
    return "".join(out)


# ---- the whole guide -----------------------------------------------------------------------------

def drawn_by_hand(folder):
    """{path: text} of the pictures that show no figures, with the style of those that do."""
    texts = {p: p.read_text("utf-8") for p in sorted((folder / "pictures").glob("*.svg"))}
    return {p: re.sub(r"<style>.*?</style>", lambda _: STYLE, t, flags=re.S)
            for p, t in texts.items() if ' class="hand"' in t}


def guide_files(root, complain):
    """{path: text} of all that is made or filled, as it ought to be."""
    folder = root / "doc" / "guide"
    report = Report(folder / "lab.json")
    files = {folder / "figures.md": figures_page(report), **drawn_by_hand(folder)}
    for path in sorted(folder.glob("*.md")):
        if path.name == "figures.md":
            continue

        def about(line, why, path=path):
            complain(f"{path.relative_to(root)}:{line}: {why}")

        text = path.read_text("utf-8")
        files[path] = filled(root, report, text, about)
        for match in PICTURE.finditer(text):
            try:
                files[folder / "pictures" / match[1]] = picture(report, match[2])
            except Unknown as why:
                about(text.count("\n", 0, match.start()) + 1, why)
    return files


def settle(root, is_to_write):
    """What is wrong with the guide, a line each; what can be filled in is, if it is to be."""
    wrong = []
    for path, text in guide_files(root, wrong.append).items():
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        if is_to_write:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        else:
            wrong.append(f"{path.relative_to(root)}: not what the report says; "
                         "run tools/guide_figures.py --write")
    return wrong


def main():
    parser = argparse.ArgumentParser(description="Fill the guide with the figures of its report.")
    parser.add_argument("--root", type=Path, default=Path(__file__).parent.parent)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--check", action="store_true")
    which.add_argument("--write", action="store_true")
    options = parser.parse_args()
    wrong = settle(options.root.resolve(), options.write)
    print("\n".join(wrong), end="\n" if wrong else "", file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
