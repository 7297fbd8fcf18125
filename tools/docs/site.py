# SPDX-License-Identifier: MIT
"""The HTML reference and the guide: two pages that need nothing but themselves.

Style and script are copied into each page (site.css, theme.js, site.js), so that a page can be mailed, opened
from a disk or served from anywhere. Without JavaScript everything can still be read; the script
adds search, the choice of light or dark, and the mark at the reader's place.
"""

import html
import json
import re
from pathlib import Path

from docs.docstring import PROSE, VARIABLE_NAME, parse_errors
from docs.model import USUAL, environment

HERE = Path(__file__).resolve().parent
KEYWORDS = set("""auto break case const continue default do else enum extern for goto if inline
    register restrict return sizeof static struct switch typedef union volatile while
    alignas alignof bool catch class constexpr delete false namespace new noexcept nullptr private
    public static_assert template this throw true try using virtual""".split())
TYPES = set("""char double float int long short signed unsigned void size_t ssize_t FILE
    int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t uintptr_t
    pthread_t""".split())
TOKEN = re.compile(r'(?P<co>/\*.*?\*/|//[^\n]*)|(?P<st>"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\')|'
                   r"(?P<pp>^[ \t]*#[ \t]*\w+)|(?P<nu>\b\d[\w.]*)|(?P<word>[A-Za-z_]\w*)",
                   re.S | re.M)
INLINE = re.compile(r"`([^`]+)`|\*\*(.+?)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\(([^)\s]+)\)")


def text(words):
    return html.escape(words, quote=False)


def follows_tag(words, pos):
    return re.search(r"\b(struct|union|enum)\s$", words[max(pos - 8, 0):pos]) is not None


class Links:
    """Where a name is described, seen from one page."""

    def __init__(self, model, page):
        self.known, self.tags = model.by_name(), model.by_tag()
        self.prefix = "" if page == "index.html" else "index.html"

    def url(self, name, is_tag=False):
        if is_tag and name in self.tags:
            return f"{self.prefix}#{self.tags[name].anchor}"
        return f"{self.prefix}#{name}" if name in self.known else None

    def name(self, name, shown=None, is_tag=False):
        """A name as HTML, a link where it leads somewhere."""
        shown, url = text(shown or name), self.url(name, is_tag)
        return f'<a href="{url}">{shown}</a>' if url else shown

    def prose(self, words):
        """A docstring's words."""
        def face(match):
            quote, name, call, error, variable = match.groups()
            if name and name not in self.known:
                return f"<code>{text(match.group())}</code>"
            if name:
                shown = name + (call or "")
                return f"<code>{self.name(name, shown, follows_tag(words, match.start()))}</code>"
            if variable:
                return f'<code><a href="{self.prefix}#environment">{variable}</a></code>'
            return f"<code>{text(quote or error)}</code>"
        out, last = [], 0
        for match in PROSE.finditer(words):
            out += [text(words[last:match.start()]), face(match)]
            last = match.end()
        return "".join(out) + text(words[last:])

    def code(self, code):
        """C with colours and links."""
        out, last = [], 0
        for match in TOKEN.finditer(code):
            out.append(text(code[last:match.start()]))
            last, kind, piece = match.end(), match.lastgroup, match.group()
            if kind == "word":
                out.append(self.word(piece, follows_tag(code, match.start())))
            else:
                out.append(f'<span class="{kind}">{text(piece)}</span>')
        return "".join(out) + text(code[last:])

    def word(self, word, is_tag):
        if word in KEYWORDS:
            return f'<span class="kw">{word}</span>'
        kind = "ty" if word in TYPES else ""
        linked = self.name(word, is_tag=is_tag)
        return f'<span class="{kind}">{linked}</span>' if kind else linked

    def inline(self, words):
        """A line of Markdown."""
        out, last = [], 0
        for match in INLINE.finditer(words):
            out.append(text(words[last:match.start()]))
            last = match.end()
            code, bold, italic, shown, target = match.groups()
            if code:
                out.append(self.code_span(code))
            elif shown:
                out.append(f'<a href="{html.escape(target)}">{self.inline(shown)}</a>')
            else:
                tag = "strong" if bold else "em"
                out.append(f"<{tag}>{self.inline(bold or italic)}</{tag}>")
        return "".join(out) + text(words[last:])

    def code_span(self, code):
        if re.fullmatch(VARIABLE_NAME, code):
            return f'<code><a href="{self.prefix}#environment">{code}</a></code>'
        pieces = re.split(r"\b((?:rv_|RV_)\w+)", code)
        return "<code>" + "".join(self.name(p) for p in pieces) + "</code>"


# ---- blocks --------------------------------------------------------------------------------------

def slug(words):
    return re.sub(r"[^a-z0-9]+", "-", words.lower().replace("`", "")).strip("-")


def listed(kind, items):
    return f"<{kind}>" + "".join(f"<li>{item}</li>" for item in items) + f"</{kind}>"


def table(rows, kind=""):
    head, *body = rows
    lines = ["<tr>" + "".join(f"<th>{c}</th>" for c in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in body]
    return f'<div class="scroll"><table class="{kind}">' + "".join(lines) + "</table></div>"


def code_block(links, block):
    language = block.info.split()[0] if block.info else "c"
    inner = links.code(block.text) if language in ("c", "cpp") else text(block.text)
    kind = ' class="output"' if language == "text" else ""
    return f"<pre{kind}><code>{inner}</code></pre>"


def blocks(links, found, words):
    """HTML of blocks; `words` renders the text in them."""
    out = []
    for block in found:
        if block.kind == "code":
            out.append(code_block(links, block))
        elif block.kind in ("ul", "ol"):
            out.append(listed(block.kind, map(words, block.items)))
        elif block.kind == "table":
            out.append(table([[words(c) for c in row] for row in block.items]))
        elif block.kind == "note":
            out.append(f'<div class="note">{words(block.text)}</div>')
        elif block.kind.startswith("h"):
            out.append(f'<{block.kind} id="{slug(block.text)}">{words(block.text)}</{block.kind}>')
        else:
            out.append(f"<p>{words(block.text)}</p>")
    return "\n".join(out)


# ---- one name ------------------------------------------------------------------------------------

def signature(symbol):
    """A declaration, its parameters one under the other when they do not fit a line."""
    whole = symbol.text
    if len(whole) <= 84 or "(" not in whole:
        return whole
    head, _, rest = whole.partition("(")
    parts = re.split(r"(?<=,) ", rest)
    indent = " " * (len(head) + 1)
    return head + "(" + ("\n" + indent).join(parts)


def definition(symbol):
    """The lines that show what a name is."""
    if symbol.kind in ("struct", "union", "enum"):
        end = "," if symbol.kind == "enum" else ";"
        lines = [f"    {m.text}{end}" for m in symbol.members if m.name != "opaque"]
        body = lines or ["    /* opaque */"]
        return "\n".join([f"{symbol.text} {{"] + body + ["};"])
    return signature(symbol)


def waiting(entry):
    """A word on whether a call may wait; nothing for what is none."""
    says = entry.contract.fields.get("Blocks", "")
    if not says:
        return ""
    if re.match(r"no\b(?!, unless)", says):
        return '<span class="tag never">never waits</span>'
    return '<span class="tag waits">may wait</span>'


def tags(entry):
    kind = waiting(entry)
    if entry.symbol.kind != "function":
        kind = f'<span class="tag">{entry.symbol.kind}</span>' + kind
    elif entry.symbol.text.startswith("static"):
        kind = '<span class="tag">inline</span>' + kind
    return kind


def described(pairs, kind=""):
    """<dl> of (id, term, description)."""
    rows = "".join(f'<dt{f" id={chr(34)}{i}{chr(34)}" if i else ""}>{t}</dt><dd>{d}</dd>'
                   for i, t, d in pairs)
    return f'<dl class="{kind}">{rows}</dl>' if rows else ""


def members(links, entry):
    symbol = entry.symbol
    shown = [m for m in symbol.members if m.name != "opaque"]

    def anchor(member):
        if symbol.kind != "enum":
            return f"{symbol.name}.{member.name}"
        return "" if member.name == symbol.name else member.name

    return described([(anchor(m), text(m.name), links.prose(m.doc)) for m in shown])


def errors(links, said):
    parsed = parse_errors(said)
    rows = [("", text(code), links.prose(words or USUAL.get(code, "")))
            for code, words in parsed.items]
    out = described(rows).replace("<dt>", '<dt class="err">')
    out += "".join(f"<p>{links.prose(note[0].upper() + note[1:])}</p>" for note in parsed.notes)
    return out or "<p>None.</p>"


def article(links, entry):
    symbol, contract = entry.symbol, entry.contract
    anchors = "".join(f'<a id="{s.name}"></a>' for s in entry.also)
    title = ", ".join(entry.names if symbol.text != "enum" else [m.name for m in symbol.members])
    shown = "\n".join(definition(s) for s in [symbol] + entry.also)
    if entry.contract_of and contract.params:
        shown += "\n" + signature(entry.contract_of.symbol)
    out = [f'<article id="{entry.anchor}">{anchors}<h3><a href="#{entry.anchor}">{text(title)}</a>'
           f"{tags(entry)}</h3>", f"<pre><code>{links.code(shown)}</code></pre>",
           blocks(links, entry.doc.description, links.prose)]
    if symbol.members:
        inside = members(links, entry)
        out += [f"<h4>{'Constants' if symbol.kind == 'enum' else 'Fields'}</h4>", inside] \
            if inside else []
    if entry.params:
        out += ["<h4>Parameters</h4>",
                described([("", text(n), links.prose(t)) for n, t in entry.params])]
    if contract.returns:
        out += ["<h4>Returns</h4>", f"<p>{links.prose(contract.returns)}</p>"]
    if contract.fields.get("Errors"):
        out += ["<h4>Errors</h4>", errors(links, contract.fields["Errors"])]
    facts = [("", label, links.prose(contract.fields[label]))
             for label in ("Blocks", "Threads", "Lifetime", "Source") if contract.fields.get(label)]
    out += [described(facts, "facts"), "</article>"]
    return "\n".join(filter(None, out))


# ---- pages ---------------------------------------------------------------------------------------

def capital(words):
    words = words.rstrip(".")
    return words if re.match(r"rv_", words) else words[:1].upper() + words[1:]


def calls_table(links, concept):
    calls = [e for e in concept.entries if e.is_callable]
    rows = [[f"<code>{links.name(e.name)}</code>", links.prose(e.doc.summary),
             waiting(e)] for e in calls]
    return table([["call", "what it does", ""]] + rows, "calls") if rows else ""


def concept_section(links, concept):
    order = [e for e in concept.entries if e.is_callable] + \
            [e for e in concept.entries if not e.is_callable]
    return "\n".join([
        f'<h2 id="{concept.name}">{concept.title}</h2>',
        f'<p class="lead">{links.prose(capital(concept.summary))}.</p>',
        f'<p class="file">#include &lt;ravel/{concept.header.path.name}&gt;</p>',
        blocks(links, concept.body, links.prose), calls_table(links, concept)] +
        [article(links, e) for e in order])


def environment_section(links, model):
    rows = [[f"<code>{v.name}</code>", text(v.values), links.prose(capital(v.text)),
             f"<code>{links.name(v.symbol)}</code>"] for v in environment(model)]
    head = ["variable", "values", "meaning", "in the program"]
    return ('<h2 id="environment">Environment variables</h2>\n<p>Where a field is named, a '
            "variable is what counts if the program leaves it zero.</p>\n" + table([head] + rows))


def reference_nav(model):
    out = []
    for concept in model.concepts:
        items = "".join(
            f'<li{"" if e.is_callable else " class=type"}><a href="#{e.anchor}">{e.name}</a></li>'
            for e in concept.entries)
        out.append(f'<details><summary><a href="#{concept.name}">{concept.title}</a>'
                   f"</summary><ul>{items}</ul></details>")
    return "\n".join(out) + ('<ul class="flat"><li><a href="#environment">Environment variables'
                             "</a></li></ul>")


def index_of(model, guide, page):
    """What the search knows, in the order of the pages."""
    here = {name: "" if name == page else name for name in ("index.html", "guide.html")}

    def plain(words):
        return re.sub(r"[`*]", "", words)

    found = [{"n": n, "s": plain(e.doc.summary), "u": f"{here['index.html']}#{e.anchor}"}
             for e in model.entries() for n in e.names]
    for entry in model.entries():
        if entry.symbol.kind == "enum":
            found += [{"n": m.name, "s": m.doc, "u": f"{here['index.html']}#{m.name}"}
                      for m in entry.symbol.members if m.name != entry.name]
        elif entry.symbol.kind == "struct":
            found += [{"n": f"{entry.name}.{m.name}", "s": m.doc,
                       "u": f"{here['index.html']}#{entry.name}.{m.name}"}
                      for m in entry.symbol.members if m.name != "opaque"]
    found += [{"n": v.name, "s": v.text, "u": f"{here['index.html']}#environment"}
              for v in environment(model)]
    found += [{"n": plain(b.text), "s": "guide", "u": f"{here['guide.html']}#{slug(b.text)}"}
              for b in guide if b.kind in ("h2", "h3")]
    return found


def page(name, title, nav, body, index, version, has_map):
    """The frame that both pages share; tools/make_guide.py makes the map beside them."""
    data = json.dumps(index, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    places = [("../guide/index.html", "Map")] * has_map
    places += [("guide.html", "Guide"), ("index.html", "Reference")]
    tabs = "".join(f'<a href="{target}"{" aria-current=page" if target == name else ""}>{word}</a>'
                   for target, word in places)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
{(HERE / "site.css").read_text("utf-8")}</style>
</head>
<body>
<aside id="side">
<header>
<div class="brand"><a href="#top">Ravel</a><small>{text(version)}</small>
<button id="menu" type="button">contents</button>
<button id="theme" type="button">dark</button></div>
<div class="tabs">{tabs}</div>
<input id="find" type="search" placeholder="Search  /" aria-label="Search" autocomplete="off"
 spellcheck="false">
</header>
<div id="hits" hidden></div>
<nav>
{nav}
</nav>
</aside>
<main id="top">
{body}
</main>
<script type="application/json" id="index">{data}</script>
<script>
{(HERE / "theme.js").read_text("utf-8")}{(HERE / "site.js").read_text("utf-8")}</script>
</body>
</html>
"""


def reference(model, guide, has_map=False):
    """index.html: every name, by concept."""
    links = Links(model, "index.html")
    cards = "".join(f'<a href="#{c.name}"><b>{c.title}</b>{text(capital(c.summary))}.</a>'
                    for c in model.concepts)
    body = ["<h1>Ravel reference</h1>",
            '<p class="lead">Concurrent C in straight-line code. Results are at least 0, or a '
            "negative errno; every call that waits takes an absolute deadline last. New here? "
            'Begin with the <a href="guide.html">guide</a>.</p>',
            f'<div class="grid">{cards}</div>']
    body += [concept_section(links, c) for c in model.concepts]
    body.append(environment_section(links, model))
    return page("index.html", "Ravel reference", reference_nav(model), "\n".join(body),
                index_of(model, guide, "index.html"), model.version, has_map)


def guide_page(model, guide, has_map=False):
    """guide.html: doc/guide.md."""
    links = Links(model, "guide.html")
    items = "".join(f'<li class="{b.kind}"><a href="#{slug(b.text)}">{links.inline(b.text)}</a>'
                    "</li>" for b in guide if b.kind in ("h2", "h3"))
    return page("guide.html", "Ravel guide", f'<ul class="flat">{items}</ul>',
                blocks(links, guide, links.inline), index_of(model, guide, "guide.html"),
                model.version, has_map)
