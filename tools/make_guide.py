#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make the map's HTML pages of doc/guide/ with mkdocs, beside those that make_docs.py makes.

    tools/make_guide.py --version 1.2.3 --out DIR [--root ROOT] [--depfile FILE]

DIR/guide is made anew; its links lead to ../html. The pages need no network and no server: each is
a file that is opened from a disk. Wants mkdocs (1.4 or newer) and mandoc. The same sources give the
same bytes.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from docs.draw import STYLE
from docs.guide import Misled, Pages, REFERENCE
from docs.lab import Report, Unknown
from docs.model import load

ELSEWHERE = ("doc/cluster.md", "doc/bugs-found.md")
MAN_LINK = re.compile(r'href="MAN/([^"/]+)\.(\d)"')


def style(root):
    """The reference's looks, the pictures' inside of the page, and the map's own."""
    rules = STYLE.partition("}\n}\n")[2].removesuffix("</style>")
    pictures = re.sub(r"(^|[},]\s*)([a-z.][\w.]*)(?=[ ,])", r"\1.svg \2", rules, flags=re.M)
    return ((root / "tools" / "docs" / "site.css").read_text("utf-8") + pictures
            + (root / "doc" / "guide" / "theme" / "map.css").read_text("utf-8"))


def script(root):
    """Light and dark as in the reference, and the map's own."""
    return ((root / "tools" / "docs" / "theme.js").read_text("utf-8")
            + (root / "doc" / "guide" / "theme" / "map.js").read_text("utf-8"))


# ---- the command's manual pages ------------------------------------------------------------------

def summary(page):
    """What behind the dash of NAME stands."""
    match = re.search(r'^\.SH "?NAME"?\n.*?\\- (.*)$', page.read_text("utf-8"), re.M)
    return match.group(1).replace("\\-", "-") if match else ""


def manual(pages, path, own):
    """A manual page as HTML in Markdown."""
    done = subprocess.run(["mandoc", "-Thtml", "-O", "fragment,man=MAN/%N.%S", path], check=True,
                          text=True, stdout=subprocess.PIPE)

    def link(match):
        name, section = match.groups()
        if f"{name}.{section}" in own:
            return f'href="{name}.{section}.html"'
        return f'href="{pages.links.url(name) or REFERENCE}"'

    body = MAN_LINK.sub(link, done.stdout)
    return f'# {path.stem.replace("-", " ", 1)}\n\n<div class="man">\n{body}</div>\n'


def commands(pages, root):
    """{name: Markdown} of the manual pages and of their list."""
    found = sorted((root / "doc" / "man").glob("*.1"))
    own = {p.name for p in found}
    files = {f"{p.name}.md": manual(pages, p, own) for p in found}
    rows = "".join(f"| [`{p.stem.replace('-', ' ', 1)}`]({p.name}.md) | {summary(p)} |\n"
                   for p in found)
    files["commands.md"] = ("# Commands\n\nThe manual pages of the command, as `man ravel-lab` "
                            f"shows them.\n\n| command | what it does |\n|---|---|\n{rows}")
    return files


# ---- the folder that mkdocs is given -------------------------------------------------------------

def stage(root, version, to):
    report = Report(root / "doc" / "guide" / "lab.json")
    pages = Pages(root, load(root, version), report)
    own = [f"doc/guide/{p.name}" for p in sorted((root / "doc" / "guide").glob("*.md"))]
    files = {Path(s).name: pages.page(s) for s in (*own, *ELSEWHERE)}
    files.update(commands(pages, root))
    shutil.copytree(root / "doc" / "guide" / "theme", to / "theme")
    frame = to / "theme" / "main.html"
    frame.write_text(frame.read_text("utf-8").replace("@VERSION@", version), "utf-8")
    (to / "theme" / "map.css").write_text(style(root), "utf-8")
    (to / "theme" / "map.js").write_text(script(root), "utf-8")
    shutil.copy(root / "doc" / "guide" / "mkdocs.yml", to)
    shutil.copytree(root / "doc" / "guide" / "pictures", to / "pages" / "pictures")
    shutil.copy(root / "doc" / "guide" / "lab.json", to / "pages")
    for name, text in files.items():
        (to / "pages" / name).write_text(text, "utf-8")


def make(root, version, out):
    """The site; what mkdocs warns of is an error, in its words."""
    with tempfile.TemporaryDirectory() as folder:
        stage(root, version, Path(folder))
        done = subprocess.run(["mkdocs", "build", "--strict", "--clean", "--site-dir",
                               out.resolve()], cwd=folder, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise Misled(f"mkdocs: {done.stdout}")
    for name in ("sitemap.xml", "sitemap.xml.gz"):      # of a site with an address, and dated
        (out / name).unlink(missing_ok=True)


def inputs(root):
    found = [p for f in ("doc/guide", "doc/man", "include", "tools/docs")
             for p in (root / f).rglob("*") if p.is_file() and p.suffix != ".pyc"]
    return sorted(found) + [root / p for p in ("doc/guide.md", *ELSEWHERE, "tools/public_api.py")
                            ] + [Path(__file__).resolve()]


def main():
    parser = argparse.ArgumentParser(description="Make the map's HTML pages.")
    parser.add_argument("--root", type=Path, default=Path(__file__).parent.parent)
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--depfile", type=Path)
    options = parser.parse_args()
    root = options.root.resolve()
    try:
        make(root, options.version, options.out / "guide")
    except (Misled, Unknown) as why:
        print(f"make_guide: {why}", file=sys.stderr)
        return 1
    if options.depfile:
        options.depfile.write_text(f"{options.out / 'guide'}: "
                                   f"{' '.join(map(str, inputs(root)))}\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
