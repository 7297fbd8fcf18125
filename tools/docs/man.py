# SPDX-License-Identifier: MIT
"""Manual pages: one in section 3 for each function and each macro that is called, one in section 7
for each header (`ravel-chan`), and ravel(7) on top of them.

A reader who asks for one call wants its errors on one screen, so functions do not share pages.
Types, constants and lengths of time are described where their header is; `man rv_scope_opts` finds
that page by a .so alias.

Written in man(7), which groff and mandoc both know, and which `mandoc -Tlint` finds nothing in.
"""

import re
import textwrap

from docs.docstring import PROSE, parse_errors
from docs.model import USUAL, environment

# Pages bear the day on which their text was last gone over, not the day of the build: from the same
# headers the same bytes are made.
DATE = "2026-11-22"


# ---- roff ----------------------------------------------------------------------------------------

def escaped(text):
    """Text as roff takes it: no escapes, no requests, hyphens that stay as they were typed."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(?=[.'])", r"\\&", text, flags=re.M)


def hyphened(text):
    """Prose: a hyphen inside a word is one; what is not ASCII has a name in roff."""
    text = text.replace("\\", "\\e")
    text = re.sub(r"(?<=[A-Za-z])-(?=[A-Za-z])", "\0", text).replace("-", "\\-")
    return text.replace("\0", "-").replace("^", "\\(ha").replace("~", "\\(ti")


def ascii_only(text):
    return "".join(c if ord(c) < 128 else f"\\[u{ord(c):04X}]" for c in text)


def quoted(text):
    return '"' + text.replace('"', '\\(dq') + '"'


def filled(text):
    """Prose in short lines, none of which looks like a request."""
    lines = textwrap.wrap(text, 78, break_long_words=False, break_on_hyphens=False)
    return "\n".join(("\\&" if line.startswith((".", "'")) else "") + line for line in lines)


class Page:
    """One page being written."""

    def __init__(self, name, section, model):
        self.model, self.known, self.name = model, model.by_name(), name
        self.lines = [f'.TH {name.upper()} {section} {DATE} "Ravel {model.version}" '
                      f'"Ravel Manual"']

    def add(self, *lines):
        self.lines.extend(lines)

    def section(self, title):
        self.add(f".SH {title}")

    def rich(self, text):
        """Prose with the API's names in bold, functions with their section."""
        def face(match):
            quote, name, _, error, variable = match.groups()
            if quote:
                return f"\\fI{escaped(quote)}\\fP"
            if error:
                return f"\\fB{escaped(error)}\\fP"
            if variable:
                return f"\\fB{variable}\\fP"
            if name not in self.known:
                return match.group().replace("()", "")
            called = (self.known[name].is_callable and name in self.known[name].names and
                      not text.startswith("(", match.end()))
            return f"\\fB{name}\\fP" + ("(3)" if called and name != self.name else "")
        out, last = [], 0
        for match in PROSE.finditer(text):
            out += [hyphened(text[last:match.start()]), face(match)]
            last = match.end()
        return filled("".join(out + [hyphened(text[last:])]))

    def paragraph(self, text):
        self.add(".P" if not self.lines[-1].startswith((".SH", ".SS")) else "", self.rich(text))

    def code(self, text):
        self.add(*([".P"] if not self.lines[-1].startswith((".SH", ".SS")) else []),
                 ".in +4n", ".EX", escaped(text).replace("^", "\\(ha").replace("~", "\\(ti"),
                 ".EE", ".in")

    def blocks(self, blocks):
        for block in blocks:
            if block.kind == "code":
                self.code(block.text)
            elif block.kind == "ul":
                for item in block.items:
                    self.add(".IP \\(bu 3", self.rich(item))
            else:
                self.paragraph(block.text)

    def tagged(self, tag, text):
        self.add(".TP 7", tag, self.rich(text) if text else "\\&")

    def text(self):
        lines = [line for line in self.lines if line]
        return ascii_only("\n".join(lines) + "\n")


# ---- the parts of a page -------------------------------------------------------------------------

def sentence(text, names=()):
    """Text that a section consists of: with a capital, unless a name comes first, and a stop."""
    if not text:
        return ""
    first = re.match(r"\w*", text).group()
    if (first not in names or first == text) and "_" not in first:
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def lowered(summary):
    """A summary as NAME has it."""
    summary = summary.rstrip(".")
    return summary if re.match(r"[A-Z][A-Z_]", summary) else summary[:1].lower() + summary[1:]


def wrapped_prototype(text, width=72):
    """A prototype over several lines, parameters under parameters."""
    if len(text) <= width:
        return [text]
    head, _, rest = text.partition("(")
    indent = " " * (len(head) + 1) if len(head) < 40 else "        "
    lines, line = [], head + "("
    for part in re.split(r"(?<=,) ", rest):
        if len(line) + len(part) > width and line.strip() and not line.endswith("("):
            lines.append(line.rstrip())
            line = indent
        line += part + " "
    return lines + [line.rstrip()]


def prototype(symbol):
    """roff for one declaration: bold, its parameters in italics."""
    names = {p for p in symbol.params if p and p != "..."}
    lines = []
    for line in wrapped_prototype(symbol.text):
        head, bracket, rest = line.partition("(") if "(" in line else ("", "", line)
        rest = escaped(rest)
        for name in names:
            rest = re.sub(rf"\b{name}\b(?=\s*(\[|,|\)|$))", rf"\\fI{name}\\fB", rest)
        lines.append(f"\\fB{escaped(head)}{bracket}{rest}\\fP")
    return lines


def synopsis(page, header, symbols):
    page.section("SYNOPSIS")
    page.add(".nf", f"\\fB#include <ravel/{header.path.name}>\\fP", ".P")
    for symbol in symbols:
        page.add(*prototype(symbol))
    page.add(".fi")


def members(page, entry):
    """A struct's or an enum's members, tagged."""
    for member in entry.symbol.members:
        if member.name == "opaque":
            continue
        tag = member.text if entry.symbol.kind != "enum" else member.name
        page.tagged(f"\\fB{escaped(tag)}\\fP", member.doc)


def type_entry(page, entry):
    symbol = entry.symbol
    title = symbol.text if symbol.kind in ("struct", "union", "enum") else entry.name
    title = "Constants" if title == "enum" else title
    page.add(f".SS {title}")
    if symbol.kind == "typedef" and "(" in symbol.text:
        page.code(symbol.text)
    page.blocks(entry.doc.description)
    for name, text in entry.doc.params:
        page.tagged(f"\\fI{escaped(name)}\\fP", text)
    if entry.doc.returns:
        page.paragraph(f"It returns {entry.doc.returns}.")
    members(page, entry)


def mentioned_types(entry, model):
    """Structs and enums of visible members that a function takes or fills in."""
    known = model.by_tag()
    names = re.findall(r"\b(?:struct|enum) (rv_\w+)", entry.symbol.text)
    if entry.contract_of:
        names += re.findall(r"\b(?:struct|enum) (rv_\w+)", entry.contract_of.symbol.text)
    found = [known[n] for n in dict.fromkeys(names) if n in known]
    return [e for e in found if any(m.name != "opaque" for m in e.symbol.members) and
            e.name not in ("rv_site", "rv_job")]


def errors(page, text, names):
    parsed = parse_errors(text)
    page.section("ERRORS")
    if not parsed.items and not parsed.notes:
        page.add("None.")
    for code, words in parsed.items:
        page.tagged(f"\\fB\\{code}\\fP", sentence(words or USUAL.get(code, ""), names))
    for note in parsed.notes:
        page.paragraph(sentence(note, names))


def see_also(page, names, concept):
    refs = [f".BR {escaped(n)} (3)" for n in names] + [f".BR ravel\\-{concept} (7)",
                                                       ".BR ravel (7)"]
    page.section("SEE ALSO")
    page.add(*[ref + " ," for ref in refs[:-1]], refs[-1])


def relatives(entry, concept):
    """The other calls of one header that share the first two words of a name, or that it names."""
    stem = "_".join(entry.name.split("_")[:2])
    calls = [e for e in concept.entries if e.is_callable and e.name != entry.name]
    near = [e.name for e in calls if e.name.startswith(stem + "_") or e.name == stem]
    return near or [e.name for e in calls]


def call_page(entry, concept, model):
    """A function's page, or a macro's."""
    page = Page(entry.name, 3, model)
    page.section("NAME")
    page.add(filled(", ".join(map(escaped, entry.names)) + " \\- " +
                    hyphened(lowered(entry.doc.summary))))
    page.section("LIBRARY")
    page.add("Ravel (\\fIlibravel\\fP, \\fI\\-lravel\\fP)")
    symbols = [entry.symbol] + entry.also
    if entry.contract_of and entry.contract_of.doc.params:
        symbols.append(entry.contract_of.symbol)
    synopsis(page, concept.header, symbols)
    page.section("DESCRIPTION")
    page.blocks(entry.doc.description)
    contract, names = entry.contract, [name for name, _ in entry.params]
    for name, text in entry.params:
        page.tagged(f"\\fI{escaped(name)}\\fP", text)
    for mentioned in mentioned_types(entry, model):
        type_entry(page, mentioned)
    if contract.returns:
        page.section("RETURN VALUE")
        page.add(page.rich(sentence(contract.returns, names)))
    if contract.fields.get("Errors"):
        errors(page, contract.fields["Errors"], names)
    for label, title in (("Blocks", "BLOCKING"), ("Threads", "THREADS"), ("Lifetime", "LIFETIME"),
                         ("Source", "SOURCE")):
        if contract.fields.get(label):
            page.section(title)
            page.add(page.rich(sentence(contract.fields[label], names)))
    see_also(page, relatives(entry, concept), concept.name)
    return page.text()


def concept_page(concept, model):
    """A header's page: its essay, its calls, its types."""
    page = Page(f"ravel-{concept.name}", 7, model)
    page.section("NAME")
    page.add(filled(f"ravel\\-{concept.name} \\- {hyphened(lowered(concept.summary))}"))
    page.section("SYNOPSIS")
    page.add(".nf", f"\\fB#include <ravel/{concept.header.path.name}>\\fP", ".fi")
    page.section("DESCRIPTION")
    page.paragraph(sentence(concept.summary))
    page.blocks([b for b in concept.body if b.kind != "code"])
    calls = [e for e in concept.entries if e.is_callable]
    others = [e for e in concept.entries if not e.is_callable]
    if calls:
        page.section("FUNCTIONS")
        for entry in calls:
            page.add(".TP")
            page.add(f".BR {escaped(entry.name)} (3)", page.rich(entry.doc.summary))
    types = [e for e in others if e.symbol.kind not in ("macro", "object")]
    if types:
        page.section("TYPES")
        for entry in types:
            type_entry(page, entry)
    constants = [e for e in others if e.symbol.kind in ("macro", "object")]
    if constants:
        page.section("CONSTANTS AND MACROS")
        for entry in constants:
            page.tagged(f"\\fB{', '.join(entry.names)}\\fP", entry.doc.summary)
            page.add(*[page.rich(b.text) for b in entry.doc.body if b.kind == "p"])
    examples = [b for b in concept.body if b.kind == "code"]
    if examples:
        page.section("EXAMPLES")
        page.blocks(examples)
    page.section("SEE ALSO")
    page.add(".BR ravel (7)")
    return page.text()


def overview_page(model, example):
    """ravel(7)."""
    page = Page("ravel", 7, model)
    page.section("NAME")
    page.add("ravel \\- structured concurrency for C: tasks, scopes, channels, executors")
    page.section("LIBRARY")
    page.add("Ravel (\\fIlibravel\\fP, \\fI\\-lravel\\fP)")
    page.section("SYNOPSIS")
    page.add(".nf", "\\fB#include <ravel.h>\\fP", ".P",
             "cc \\fIfile.c\\fP $(pkg\\-config \\-\\-cflags \\-\\-libs ravel)", ".fi")
    page.section("DESCRIPTION")
    page.paragraph("Tasks are fibers that block instead of their thread. Scopes own tasks: leaving "
                   "one waits for all that it owns, and the first failure cancels the rest. "
                   "Channels, queues and locks work between tasks, between threads, and between "
                   "the two. Every call that blocks takes an absolute deadline last; results are "
                   ">= 0, or a negative errno.")
    page.paragraph("Each part has a page:")
    for concept in model.concepts:
        page.add(".TP", f".BR ravel\\-{concept.name} (7)", page.rich(sentence(concept.summary)))
    page.section("ENVIRONMENT")
    page.add("Where a field is named, a variable is what counts if the program leaves it zero.")
    for variable in environment(model):
        words = [sentence(variable.text), variable.values and f"Values: {variable.values}.",
                 f"See {variable.where}."]
        page.tagged(f"\\fB{variable.name}\\fP", " ".join(filter(None, words)))
    if example:
        page.section("EXAMPLES")
        page.code(example)
    page.section("SEE ALSO")
    page.add(*[f".BR ravel\\-{c.name} (7) ," for c in model.concepts[:-1]],
             f".BR ravel\\-{model.concepts[-1].name} (7)")
    return page.text()


# ---- all of them ---------------------------------------------------------------------------------

def aliases(concept):
    """Names that are described on their header's page."""
    for entry in concept.entries:
        if entry.is_callable:
            continue
        for name in entry.names:
            yield name
        if entry.symbol.kind == "enum":
            for member in entry.symbol.members:
                yield member.name


def pages(model, example=""):
    """{"man3/rv_go.3": text} of every page."""
    found = {"man7/ravel.7": overview_page(model, example)}
    for concept in model.concepts:
        page = f"man7/ravel-{concept.name}.7"
        found[page] = concept_page(concept, model)
        for entry in concept.entries:
            if entry.is_callable:
                found[f"man3/{entry.name}.3"] = call_page(entry, concept, model)
                for symbol in entry.also:
                    found[f"man3/{symbol.name}.3"] = f".so man3/{entry.name}.3\n"
        for name in aliases(concept):
            found.setdefault(f"man3/{name}.3", f".so {page}\n")
    return found
