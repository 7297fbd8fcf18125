#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/make_docs.py and the package below it, on small trees."""

import re
import shutil
import subprocess
import sys
import unittest

from tree import ROOT, Tree

from docs import docstring, man, site, snippets
from docs.markdown import parse_markdown
from docs.model import environment, load
from tap import run_unittests

HEADER = """/* SPDX-License-Identifier: MIT */
/* chan.h - channels: one-way. More of them.
 *
 *     int r = rv_send(1, NULL);
 *     if (r < 0)
 *         return r;
 */
#pragma once

/** How. */
enum rv_how {
    RV_NOW,   /* at once */
    RV_LATER, /* sometime */
};

/** Options. */
struct rv_send_opts {
    enum rv_how how; /* as it says (RAVEL_HOW: 0 to 1) */
};

/** Send a thing. It is sent -- `once`.
 *
 *  - one way, which
 *    goes on
 *  - .another
 *
 *     rv_send(fd, NULL); // code's "own" \\n
 *
 * @param fd    a descriptor; see RV_NOW
 * @param opts  NULL for
 *              the defaults
 * @return 0; it is sent
 * Errors:  -EPIPE closed by the other; -ETIME; -ENOMEM no room for
 *          the timer. Nothing is lost.
 * Blocks:  the task, as rv_wait() does
 * Threads: any
 * Lifetime: opts until return */
RV_API int rv_send(int fd, const struct rv_send_opts *opts);

/** Wait.
 *
 * Errors:  none; even then
 * Blocks:  no
 * Threads: any
 * Lifetime: none */
RV_API void rv_wait(void);

/** A wait. */
struct rv_wait {
    int left; /* so much */
};

/** Send, typed. */
#define rv_send_to(fd) rv_send((fd), 0)

enum {
    RV_ROOM = 48, /* bytes */
    RV_SEATS = 2, /* people */
};

/** Lengths. */
#define RV_A 1
#define RV_B 2
"""
GUIDE = "# Guide\n\n## One `rv_send`\n\nText with `RV_NOW`.\n\n```c\nint main(void) {}\n```\n"


def model():
    with Tree({"include/ravel/chan.h": HEADER}) as root:
        return load(root, "1.2.3")


class Docstrings(unittest.TestCase):
    def entry(self, name):
        return model().by_name()[name]

    def test_the_first_sentence_is_the_summary(self):
        doc = self.entry("rv_send").doc
        self.assertEqual(doc.summary, "Send a thing.")
        self.assertEqual([b.kind for b in doc.body], ["p", "ul", "code"])
        self.assertEqual(doc.body[1].items, ("one way, which goes on", ".another"))

    def test_fields_go_on_over_lines(self):
        doc = self.entry("rv_send").doc
        self.assertEqual(doc.params, [("fd", "a descriptor; see RV_NOW"),
                                      ("opts", "NULL for the defaults")])
        self.assertEqual(doc.fields["Threads"], "any")
        self.assertTrue(doc.fields["Errors"].endswith("the timer. Nothing is lost."))

    def test_errors_are_a_list_and_the_rest_are_notes(self):
        parsed = docstring.parse_errors(self.entry("rv_send").doc.fields["Errors"])
        self.assertEqual(parsed.items, [("-EPIPE", "closed by the other"), ("-ETIME", ""),
                                        ("-ENOMEM", "no room for the timer")])
        self.assertEqual(parsed.notes, ["Nothing is lost."])
        self.assertEqual(docstring.parse_errors("none; even then"),
                         docstring.Errors([], ["even then"]))
        self.assertEqual(docstring.parse_errors("any that fn returned; -EPERM no task").notes,
                         ["any that fn returned"])
        self.assertEqual(docstring.parse_errors("while it runs: -ETIME late, -EPERM no").items,
                         [("-ETIME", "while it runs: late"), ("-EPERM", "while it runs: no")])
        self.assertEqual(docstring.parse_errors("-EIO, -EPIPE closed; -EPERM no").items,
                         [("-EIO", "closed"), ("-EPIPE", "closed"), ("-EPERM", "no")])

    def test_a_macro_has_the_contract_of_what_it_calls(self):
        entry = self.entry("rv_send_to")
        self.assertEqual(entry.contract_of.name, "rv_send")
        self.assertEqual(entry.contract.returns, "0; it is sent")

    def test_variables_come_from_the_fields_that_name_them(self):
        found, = environment(model())
        self.assertEqual((found.name, found.text, found.values, found.symbol),
                         ("RAVEL_HOW", "as it says", "0 to 1", "rv_send_opts"))


class ManualPages(unittest.TestCase):
    def setUp(self):
        self.pages = man.pages(model(), "int main(void) {}")

    def test_calls_have_pages_and_the_rest_have_aliases(self):
        self.assertEqual(set(self.pages), {
            "man7/ravel.7", "man7/ravel-chan.7", "man3/rv_send.3", "man3/rv_wait.3",
            "man3/rv_send_to.3", "man3/rv_how.3", "man3/RV_NOW.3", "man3/RV_LATER.3",
            "man3/rv_send_opts.3", "man3/RV_A.3", "man3/RV_B.3", "man3/RV_ROOM.3",
            "man3/RV_SEATS.3"})
        self.assertEqual(self.pages["man3/RV_B.3"], ".so man7/ravel-chan.7\n")

    def test_sections_come_in_the_usual_order(self):
        titles = re.findall(r"^\.SH (.*)", self.pages["man3/rv_send.3"], re.M)
        self.assertEqual(titles, ["NAME", "LIBRARY", "SYNOPSIS", "DESCRIPTION", "RETURN VALUE",
                                  "ERRORS", "BLOCKING", "THREADS", "LIFETIME", "SEE ALSO"])

    def test_text_is_not_taken_for_requests_or_escapes(self):
        page = self.pages["man3/rv_send.3"]
        self.assertIn("\n\\&.another\n", page)
        self.assertIn('code\'s "own" \\en', page)
        self.assertIn("It is sent \\-\\- \\fIonce\\fP.", page)

    def test_options_are_shown_where_they_are_taken(self):
        page = self.pages["man3/rv_send.3"]
        self.assertIn(".SS struct rv_send_opts", page)
        self.assertIn("\\fBenum rv_how how\\fP", page)

    def test_a_function_that_returns_nothing_has_no_such_section(self):
        self.assertNotIn("RETURN VALUE", self.pages["man3/rv_wait.3"])

    def test_mandoc_reads_them(self):
        if not shutil.which("mandoc"):
            self.skipTest("no mandoc")
        for name, text in self.pages.items():
            if not text.startswith(".so"):
                done = subprocess.run(["mandoc", "-Tlint", "-Wall"], input=text, text=True,
                                      stdout=subprocess.PIPE)
                self.assertEqual(done.stdout, "", name)


class Site(unittest.TestCase):
    def setUp(self):
        self.guide = parse_markdown(GUIDE)
        self.reference = site.reference(model(), self.guide)

    def test_names_are_links_and_text_is_escaped(self):
        self.assertIn('as <code><a href="#rv_wait">rv_wait()</a></code> does', self.reference)
        self.assertIn('id="RV_NOW"', self.reference)
        self.assertIn('id="rv_send_opts.how"', self.reference)
        self.assertEqual(self.reference.count('id="RV_ROOM"'), 1)
        self.assertEqual(self.reference.count('id="RV_SEATS"'), 1)

    def test_a_struct_may_have_the_name_of_a_call(self):
        self.assertIn('id="struct-rv_wait"', self.reference)
        links = site.Links(model(), "index.html")
        self.assertEqual(links.prose("struct rv_wait"),
                         'struct <code><a href="#struct-rv_wait">rv_wait</a></code>')
        self.assertIn('<a href="#rv_wait">', links.code("rv_wait();"))
        self.assertIn('<a href="#struct-rv_wait">', links.code("struct rv_wait w;"))
        links = site.Links(model(), "index.html")
        self.assertEqual(links.prose("a < b && rv_none"),
                         "a &lt; b &amp;&amp; <code>rv_none</code>")
        self.assertEqual(links.inline("**b** *i* [rv](x?a&b) `a<b`"),
                         '<strong>b</strong> <em>i</em> <a href="x?a&amp;b">rv</a> '
                         "<code>a&lt;b</code>")

    def test_code_is_coloured_and_linked(self):
        links = site.Links(model(), "guide.html")
        self.assertEqual(links.code('return rv_wait(); /* "x" */'),
                         '<span class="kw">return</span> '
                         '<a href="index.html#rv_wait">rv_wait</a>(); '
                         '<span class="co">/* "x" */</span>')

    def test_what_may_wait_is_told_apart(self):
        for name, tag in (("rv_send", "may wait"), ("rv_wait", "never waits")):
            card = self.reference.partition(f'<article id="{name}">')[2].partition("</h3>")[0]
            self.assertIn(tag, card)

    def test_the_guide_has_its_chapters_in_the_navigation(self):
        page = site.guide_page(model(), self.guide)
        self.assertIn('<h2 id="one-rv-send">', page)
        self.assertIn('href="#one-rv-send"', page)
        self.assertIn('href="index.html#RV_NOW"', page)


class Markdown(unittest.TestCase):
    def test_each_kind_of_block(self):
        found = parse_markdown("# T\n\nA\nb.\n- x\n  y\n- z\n\n1. one\n\n| a | b |\n|---|---|\n"
                               "| 1 | 2 |\n\n> note\n> more\n\n"
                               "```c fragment\n# not a heading\n```\n")
        self.assertEqual([(b.kind, b.text, b.items) for b in found], [
            ("h1", "T", ()), ("p", "A b.", ()), ("ul", "", ("x y", "z")), ("ol", "", ("one",)),
            ("table", "", (("a", "b"), ("1", "2"))), ("note", "note more", ()),
            ("code", "# not a heading", ())])
        self.assertEqual((found[-1].info, found[-1].line), ("c fragment", 19))


class Snippets(unittest.TestCase):
    def of_markdown(self, text):
        with Tree({"a.md": text}) as root:
            return list(snippets.from_markdown(root / "a.md"))

    def test_programs_files_and_fragments_are_told_apart(self):
        found = self.of_markdown("```c\nint main(void) {}\n```\n\n```text\nout\n```\n\n"
                                 "```c\nint x;\n```\n\n```c fragment\nint main(y);\n```\n\n"
                                 "```sh\nls\n```\n\n```cpp\nint main() {}\n```\n")
        self.assertEqual([(s.language, s.kind, s.line, s.output) for s in found],
                         [("c", "program", 2, "out\n"), ("c", "file", 10, None),
                          ("c", "fragment", 14, None), ("cpp", "program", 22, None)])

    def test_a_headers_code_is_found_with_its_line(self):
        with Tree({"chan.h": HEADER}) as root:
            found = list(snippets.from_header(root / "chan.h"))
        self.assertEqual([(s.kind, s.line) for s in found], [("fragment", 4), ("fragment", 27)])
        self.assertTrue(found[0].text.startswith("int r = "))
        self.assertIn('#line 4 "', found[0].source("context.h"))

    def test_dots_stand_for_what_differs(self):
        for expected, said, same in (("a\nb\n", "a\nb\n", True), ("a\n", "a\nb\n", False),
                                     ("a … c\n", "a b c\n", True), ("a … c\n", "a\nc\n", False),
                                     ("…\nz\n", "x\ny\nz\n", True), ("…\nz\n", "z\n", True),
                                     ("a.c\n", "abc\n", False), ("", "x\n", False)):
            self.assertEqual(snippets.prints(expected, said), same, (expected, said))


class CommandLine(unittest.TestCase):
    def test_pages_that_are_no_longer_made_are_gone(self):
        with Tree({"include/ravel/chan.h": HEADER, "doc/guide.md": GUIDE,
                   "out/man3/rv_old.3": "old"}) as root:
            subprocess.run([sys.executable, ROOT / "tools" / "make_docs.py", "--root", root,
                            "--version", "1.2.3", "--out", root / "out",
                            "--depfile", root / "docs.d"], check=True)
            made = {str(p.relative_to(root / "out")) for p in (root / "out").rglob("*.*")}
            self.assertIn("html/index.html", made)
            self.assertNotIn("man3/rv_old.3", made)
            self.assertIn("int main(void) {}", (root / "out/man7/ravel.7").read_text())
            self.assertIn(str(root / "include/ravel/chan.h"), (root / "docs.d").read_text())


sys.exit(run_unittests())
