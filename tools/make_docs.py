#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write the manual pages and the HTML reference into a folder.

    tools/make_docs.py --version 1.2.3 --out DIR [--root ROOT] [--depfile FILE] [--map]

DIR/man3, DIR/man7 and DIR/html are made anew. The same sources give the same bytes: no clock, no
host name, no order of a directory comes in. With --map they lead to the map, which
make_guide.py makes beside them.
"""

import argparse
import os
import shutil
from pathlib import Path

from docs import man, site
from docs.markdown import parse_markdown
from docs.model import load

FOLDERS = ("man3", "man7", "html")


def first_program(guide):
    """The guide's first whole program: it is ravel(7)'s example, too."""
    return next((b.text for b in guide if b.kind == "code" and b.info == "c"), "")


def files_of(root, version, has_map):
    """{relative path: text} of everything."""
    model = load(root, version)
    guide = parse_markdown((root / "doc" / "guide.md").read_text("utf-8"))
    files = man.pages(model, first_program(guide))
    files["html/index.html"] = site.reference(model, guide, has_map)
    files["html/guide.html"] = site.guide_page(model, guide, has_map)
    return files


def inputs(root):
    folders = [root / "include", root / "tools" / "docs"]
    found = [p for f in folders for p in f.rglob("*") if p.suffix in (".h", ".py", ".css", ".js")]
    return sorted(found) + [root / "doc" / "guide.md", root / "tools" / "public_api.py",
                            Path(__file__).resolve()]


def write(files, out):
    """Folders are replaced whole, so that a page which is no longer made does not stay."""
    for folder in FOLDERS:
        shutil.rmtree(out / folder, ignore_errors=True)
        (out / folder).mkdir(parents=True)
    for name, text in files.items():
        (out / name).write_text(text, "utf-8")


def main():
    parser = argparse.ArgumentParser(description="Make the manual pages and the HTML reference.")
    parser.add_argument("--root", type=Path, default=Path(__file__).parent.parent)
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--depfile", type=Path)
    parser.add_argument("--map", action="store_true")
    options = parser.parse_args()
    root = options.root.resolve()
    write(files_of(root, options.version, options.map), options.out)
    if options.depfile:
        targets = " ".join(str(options.out / f) for f in FOLDERS)
        options.depfile.write_text(f"{targets}: {' '.join(map(str, inputs(root)))}\n", "utf-8")


if __name__ == "__main__":
    main()
