# SPDX-License-Identifier: MIT
"""The map's chapters, from the Markdown that is read on a forge to what mkdocs is given.

The same text serves both readers, so what is special to the pages is put in here: figures lead to
their rows, programs and outputs have colours and links, pictures stand in the page and follow its
light or dark, headings have the anchors of the forge, and links lead to where things stand beside
each other once they are made: the chapters, doc/cluster.md, doc/bugs-found.md and the command's
manual pages in one folder, the reference and doc/guide.md in ../html.
"""

import html
import posixpath
import re

from docs.draw import STYLE
from docs.lab import place, shown
from docs.site import Links, slug

FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.S | re.M)
MARK = re.compile(r"<!--(lab|ratio|about|claim|machine)\s(.*?)-->(.*?)<!--/\1-->", re.S)
PICTURE = re.compile(r"^<!--picture ([\w-]+\.svg)\n(.*?)^-->\n", re.S | re.M)
PROGRAM = re.compile(r"^<!--program ([\w-]+\.c)-->$", re.M)
IMAGE = re.compile(r"^!\[([^\]]*)\]\(([^)\s]+)\)$", re.M)
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
HEADING = re.compile(r"^(#{1,4}) (.*)$", re.M)
NAME = re.compile(r"(?<![\[\w`])`((?:struct |enum )?)((?:rv_|RV_)\w+)(\([^`]*\))?`")
REFERENCE = "../html/index.html"
USING = "../html/guide.html"


class Misled(Exception):
    """A link that leads nowhere."""


def anchors(text):
    """{a forge's anchor of a heading: its words}, in order."""
    found = {}
    for match in HEADING.finditer(FENCED.sub("", text)):
        name = forge_slug(match.group(2))
        while name in found:
            name += "-1"
        found[name] = match.group(2)
    return found


def forge_slug(words):
    bare = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", words)
    return re.sub(r"[^\w\- ]", "", bare.lower()).replace(" ", "-")


class Pages:
    """Where what a link names in the tree is, among what is made of it."""

    def __init__(self, root, model, report):
        self.root, self.report = root, report
        self.links = Links(model, "")
        self.links.prefix = REFERENCE
        self.folder = root / "doc" / "guide"

    def target(self, source, link):
        """The link of a page for one in the tree's file `source`; None: it is in the tree alone."""
        path, _, anchor = link.partition("#")
        at = posixpath.normpath(posixpath.join(posixpath.dirname(source), path)) if path else source
        file = self.root / at
        if not file.exists():
            raise Misled(f"{source}: {link} is not there")
        if anchor and file.suffix == ".md" and anchor not in anchors(file.read_text("utf-8")):
            raise Misled(f"{source}: {link} has no such heading")
        behind = f"#{anchor}" if anchor else ""
        folder, name = posixpath.split(at)
        if at == "doc/guide.md":
            words = anchors(file.read_text("utf-8")).get(anchor, "")
            return USING + (f"#{slug(words)}" if anchor else "")
        if folder == "doc/guide" and file.suffix in (".md", ".json"):
            return name + behind
        if at in ("doc/cluster.md", "doc/bugs-found.md"):
            return name + behind
        if folder == "doc/man":
            return f"{name}.md"
        return REFERENCE if folder == "include/ravel" else None

    # ---- what stands between the fences, and what inside a line

    def code(self, match):
        language, body = match.group(1).split()[:1], match.group(2).rstrip("\n")
        if language in (["c"], ["c++"]):
            return f'<pre class="c"><code>{self.links.code(body)}</code></pre>'
        if language != ["text"]:
            return f"<pre><code>{html.escape(body, quote=False)}</code></pre>"
        typed = re.sub(r"^(\$ .*)$", r'<span class="typed">\1</span>',
                       html.escape(body, quote=False), flags=re.M)
        return f'<pre class="output"><code>{typed}</code></pre>'

    def mark(self, match):
        kind, words, said = match.group(1), " ".join(match.group(2).split()), match.group(3)
        if kind == "machine":
            return said
        if kind == "lab":
            probe, figure = self.report.one(words)
            axis = self.report.probes[probe]["axis"]
            at = "" if figure["at"] is None else f" at {axis} {place(axis, figure['at'])}"
            what = (f"ravel lab, {probe}, {figure['name']}{at}: median between "
                    f"{shown(figure['low'], figure['unit'], 3)} and "
                    f"{shown(figure['high'], figure['unit'], 3)}"
                    + (", noisy" if figure["noisy"] else ""))
        else:
            probe = self.report.two(words, "/" if kind != "claim" else "<>")[0]
            what = f"ravel lab: {words}"
        face = "lab claim" if kind == "claim" else "lab"
        return (f'<a class="{face}" href="figures.html#{probe}" title="{html.escape(what)}">'
                f"{said}</a>")

    def image(self, match):
        words, path = match.groups()
        drawn = (self.folder / path).read_text("utf-8")
        if STYLE not in drawn:
            return (f'<figure><img class="wide" src="{path}" alt="{html.escape(words)}"></figure>')
        drawn = re.sub(r"<title>.*?</title>\n?", "", drawn.replace(STYLE + "\n", ""), flags=re.S)
        here = f'<svg class="svg" aria-label="{html.escape(words)}" '
        drawn = drawn.replace(' class="hand"', "").replace("<svg ", here, 1)
        return f"<figure>\n{drawn.strip()}\n</figure>"

    def name(self, match):
        tag, name, call = match.groups(default="")
        url = self.links.url(name, is_tag=bool(tag))
        shown_as = html.escape(tag + name + call, quote=False)
        return f'<code><a href="{url}">{shown_as}</a></code>' if url else match.group()

    def link(self, source, match):
        words, where = match.groups()
        if re.match(r"[a-z]+:", where):
            return match.group()
        target = self.target(source, where)
        if target and target.startswith("../"):     # mkdocs knows nothing of what is beside it
            return f'<a href="{target}">{words}</a>'
        return f"[{words}]({target})" if target else words

    def prose(self, source, text, names):
        """What stands between two fences; `names` are the headings' anchors that are left."""
        def heading(match):     # mkdocs takes the first one for the page's title as it stands
            name = names.pop(0)
            return match[0] if match[1] == "#" else f"{match[0]} {{#{name}}}"

        text = HEADING.sub(heading, PICTURE.sub("", text))
        text = PROGRAM.sub(r'<p class="file">examples/guide/\1</p>', text)
        text = LINK.sub(lambda m: self.link(source, m), MARK.sub(self.mark, text))
        return NAME.sub(self.name, IMAGE.sub(self.image, text))

    def page(self, source):
        """One Markdown file of the tree, for mkdocs."""
        text, out, last = (self.root / source).read_text("utf-8"), [], 0
        names = list(anchors(text))
        for match in FENCED.finditer(text):
            out += [self.prose(source, text[last:match.start()], names), self.code(match)]
            last = match.end()
        return "".join(out) + self.prose(source, text[last:], names)
