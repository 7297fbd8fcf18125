# SPDX-License-Identifier: MIT
"""The headers in the order in which one reads of them, each name with its parsed docstring."""

import re
from typing import NamedTuple

from public_api import read_headers
from docs.docstring import LABELS, VARIABLE_NAME, Docstring, parse, parse_essay

# From what every program needs to what few do. A header that is not named here comes last.
READING_ORDER = ("run", "scope", "task", "time", "ticker", "chan", "select", "queue", "sync",
                 "rwlock", "barrier", "latch", "once", "strand", "blocking", "local", "fork", "job",
                 "executor", "future", "process", "cluster", "supervisor", "shm", "io", "stream", "file", "net", "addr",
                 "resolve", "tls",
                 "print", "dump", "inspect", "trace", "counters", "sim", "def")

TITLES = {"run": "The runtime", "scope": "Scopes", "task": "The running task", "chan": "Channels",
          "select": "Select", "queue": "Work queues", "sync": "Locks and events",
          "rwlock": "Read-write locks", "barrier": "Barriers", "latch": "Latches",
          "strand": "Strands", "ticker": "Tickers", "blocking": "Blocking calls",
          "local": "Task-local values", "fork": "Fork and join", "job": "Jobs",
          "executor": "Executors", "future": "Futures", "shm": "Shared memory", "sim": "Simulated mode",
          "io": "Reading and writing", "file": "Files", "stream": "Streams", "net": "Sockets",
          "addr": "Socket addresses", "resolve": "Names", "tls": "TLS", "child": "Child processes",
          "process": "Worker processes", "cluster": "Clusters", "supervisor": "Supervisors",
          "signal": "Signals", "print": "Printing", "foreground": "Foreground",
          "trace": "Tracing", "inspect": "Looking inside", "def": "Definitions"}

TAGGED = ("struct", "union", "enum")

# Spelled out for errors that a docstring names without a word: what they mean in every call.
USUAL = {"-ENOMEM": "no memory", "-ETIME": "the deadline has passed",
         "-ECANCELED": "the caller's scope is cancelled"}

VARIABLE = re.compile(r"\s*\((?P<name>RAVEL_[A-Z_]*[A-Z])(?::\s*(?P<values>[^)]*))?\)")


class Entry(NamedTuple):
    """What one docstring describes: a symbol, or a run of macros that share it."""
    symbol: object
    also: list              # more macros of the same docstring
    doc: Docstring
    contract_of: object     # the function whose contract a macro has, when it says none itself
    anchor: str             # its name; "struct-rv_x" where rv_x is a call besides

    @property
    def name(self):
        return self.symbol.name

    @property
    def contract(self):
        """The docstring that has the fields."""
        return self.contract_of.doc if self.contract_of else self.doc

    @property
    def params(self):
        """(name, text) of each parameter; a macro describes those that its function lacks."""
        if not self.contract_of:
            return self.doc.params
        known = dict(self.contract_of.doc.params) | dict(self.doc.params)
        return [(name, known[name]) for name in self.symbol.params if name in known]

    @property
    def names(self):
        return [self.symbol.name] + [s.name for s in self.also]

    @property
    def is_callable(self):
        """Whether it has a manual page of its own."""
        return self.symbol.kind == "function" or (self.symbol.kind == "macro" and
                                                  bool(self.symbol.params))


class Concept(NamedTuple):
    """One header."""
    name: str
    header: object
    summary: str
    body: list              # blocks
    entries: list

    @property
    def title(self):
        return TITLES.get(self.name, self.name.capitalize())


class Variable(NamedTuple):
    """An environment variable, as the docstring that names it tells of it."""
    name: str
    where: str              # struct rv_run_opts, field workers
    symbol: str             # rv_run_opts
    text: str
    values: str             # such as "1 to 1024", where it is told


class Model(NamedTuple):
    concepts: list
    version: str

    def entries(self):
        return [e for c in self.concepts for e in c.entries]

    def by_name(self):
        """Every name of the API, constants of enums included, and the entry that describes it. A
        tag that is a call besides is the call."""
        found = {}
        for entry in sorted(self.entries(), key=lambda e: not e.is_callable):
            for name in entry.names:
                found.setdefault(name, entry)
            if entry.symbol.kind == "enum":
                for member in entry.symbol.members:
                    found.setdefault(member.name, entry)
        return found

    def by_tag(self):
        """Each struct, union and enum."""
        return {e.name: e for e in self.entries() if e.symbol.kind in TAGGED}


def is_called(symbol):
    """A macro in lower case stands for a call; one in capitals is a statement or a definition."""
    return symbol.is_function or (symbol.kind == "macro" and bool(symbol.params) and
                                  not symbol.name.isupper())


def callee(symbol, functions):
    """The first function of the API that a macro's expansion calls."""
    return next((functions[name] for name in re.findall(r"\brv_\w+(?=\()", symbol.expansion)
                 if name in functions), None)


def entries_of(header, functions):
    calls = {s.name for s in header.symbols if is_called(s)}
    found = []
    for symbol in header.symbols:
        if symbol.leader and found and found[-1].name == symbol.leader:
            found[-1].also.append(symbol)
            continue
        doc = parse(symbol.doc)
        called = is_called(symbol) and symbol.kind == "macro"
        silent = not any(label in doc.fields for label in LABELS)
        is_second = symbol.kind in TAGGED and symbol.name in calls
        found.append(Entry(symbol, [], doc,
                           callee(symbol, functions) if called and silent else None,
                           f"{symbol.kind}-{symbol.name}" if is_second else symbol.name))
    return found


def reading_order(concept):
    known = concept in READING_ORDER
    return (READING_ORDER.index(concept) if known else len(READING_ORDER) - 1, known, concept)


def load(root, version):
    """The model of root/include."""
    headers = [h for h in read_headers(root) if h.symbols]
    functions = {s.name: Entry(s, [], parse(s.doc), None, s.name)
                 for h in headers for s in h.symbols if s.kind == "function"}
    concepts = []
    for header in sorted(headers, key=lambda h: reading_order(h.concept)):
        summary, body = parse_essay(header.essay)
        concepts.append(Concept(header.concept, header, summary, body,
                                entries_of(header, functions)))
    return Model(concepts, version)


def variable_of_field(entry, member, match):
    """A field's comment says "(RAVEL_WORKERS)" or "(RAVEL_WORKERS: 1 to 1024)" behind its words."""
    text = (member.doc[:match.start()] + member.doc[match.end():]).strip()
    where = f"{entry.symbol.kind} {entry.name}, field {member.name}"
    return Variable(match["name"], where, entry.name, text, match["values"] or "")


def environment(model):
    """Every RAVEL_ variable that a docstring or a field's comment names, once. The field that it
    fills in tells best of it, then the call that it changes, then what else names it."""
    entries = model.entries()
    found = [variable_of_field(e, m, match)
             for e in entries for m in e.symbol.members for match in VARIABLE.finditer(m.doc)]
    for entry in sorted(entries, key=lambda e: not e.is_callable):
        where = f"{entry.name}()" if entry.is_callable else entry.symbol.text
        for text in sentences(entry.doc) + [s for m in entry.symbol.members for s in split(m.doc)]:
            found += [Variable(name, where, entry.name, text, "")
                      for name in re.findall(VARIABLE_NAME, text)]
    return list({v.name: v for v in reversed(found)}.values())[::-1]


def split(text):
    return re.split(r"(?<=[.;])\s+", text)


def sentences(doc):
    texts = [b.text for b in doc.description] + [i for b in doc.description for i in b.items]
    texts += [doc.returns] + [t for _, t in doc.params]
    return [s for t in texts for s in split(t)]
