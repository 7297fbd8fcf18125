#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The page of `ravel lab --html`, in a real browser: it asks for nothing, draws every figure, says
what the JSON says, and can be used by keyboard, in the dark, on a phone and on paper.

    test_lab_page.py SOURCE_ROOT RAVEL"""

import atexit
import html.parser
import json
import sys

from chromium import LACKING, Browser
from ravel_cli import InFolder

from tap import run_unittests

# One with an axis and several units, one with rows, one of many lines.
PROBES = "serve,switch,one-lock"

# How many points of each plot are not blank.
INK = """[...document.querySelectorAll('.plot canvas')].map(canvas => {
    const all = new Uint32Array(canvas.getContext('2d').getImageData(
        0, 0, canvas.width, canvas.height).data.buffer);
    return all.filter(one => one !== 0).length;
})"""


class Reader(html.parser.HTMLParser):
    """The cells of all rows, and what the page would fetch."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.addresses, self.row, self.cell = {}, [], None, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.addresses += [v for k, v in attrs.items()
                           if k in ("src", "href", "action", "data") and not v.startswith("#")]
        if tag == "tr" and "id" in attrs:
            self.row = self.rows[attrs["id"]] = []
        elif tag in ("td", "th") and self.row is not None:
            self.cell = {"text": "", **attrs}
            self.row.append(self.cell)

    def handle_endtag(self, tag):
        if tag == "tr":
            self.row = None
        if tag in ("td", "th"):
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell["text"] += data


class Page(InFolder):
    browser = None  # one for all
    made = None     # the report and its page, measured once

    def setUp(self):
        super().setUp()
        if not Page.browser:
            Page.browser = Browser()
            atexit.register(Page.browser.close)
        if not Page.made:
            out, _ = self.ravel("lab", "--quick", "--only", PROBES, "--json", "--html", "lab.html")
            Page.made = json.loads(out), (self.folder / "lab.html").read_text()
        self.report, self.text = Page.made
        self.write("lab.html", self.text)
        self.browser.look_as(1000, 900)

    def show(self, name="lab.html"):
        self.browser.open(self.folder / name)
        self.assertEqual(self.browser.errors, [])

    def ink_of(self, probe):
        plots = self.browser.run("[...document.querySelectorAll('.plot')]"
                                 ".map(p => p.dataset.probe)")
        return self.browser.run(INK)[plots.index(probe)]

    def figures(self):
        for probe in self.report["probes"]:
            for i, figure in enumerate(probe["figures"]):
                yield f"{probe['name']}-{i}", probe, figure


class Shows(Page):
    def test_it_loads_without_errors_and_asks_for_nothing(self):
        self.show()
        self.assertEqual(self.browser.requests, [f"file://{self.folder / 'lab.html'}"])
        self.assertEqual(Reader(self.text).addresses, [])
        self.assertIn("default-src 'none'", self.text)

    def test_its_numbers_are_those_of_the_json(self):
        rows = Reader(self.text).rows
        self.assertEqual(list(rows), [name for name, _, _ in self.figures()])
        for name, probe, figure in self.figures():
            cells = rows[name]
            self.assertEqual(cells[0]["text"], figure["name"])
            median = next(c for c in cells if "data-median" in c)
            self.assertEqual(float(median["data-median"]), figure["median"], name)
            if probe["axis"]:
                self.assertEqual(float(cells[1]["text"].replace(",", "")), figure["at"])
            self.assertEqual(cells[-1]["text"].startswith("noisy"), figure["noisy"], name)

    def test_the_report_within_is_the_one_that_was_printed(self):
        self.show()
        inside = self.browser.run("document.getElementById('first').textContent")
        self.assertEqual(json.loads(inside), self.report)

    def test_a_plot_is_drawn_for_each_unit_of_each_probe(self):
        self.show()
        drawn = self.browser.run("[...document.querySelectorAll('.plot')].map(p => "
                                 "[p.dataset.probe, p.dataset.unit, +p.dataset.drawn])")
        wanted = {}
        for _, probe, figure in self.figures():
            key = (probe["name"], figure["unit"])
            wanted[key] = wanted.get(key, 0) + 1
        self.assertEqual({(p, u): n for p, u, n in drawn}, wanted)
        for ink in self.browser.run(INK):
            self.assertGreater(ink, 1000)

    def test_what_is_drawn_lies_where_the_numbers_say(self):
        """The first line of a plot begins at its first place on the axis and ends at its last."""
        self.show()
        for plot, unit in (("serve", "1/s"), ("one-lock", "ns")):
            at = self.browser.run(f"""(() => {{
                const canvas = document.querySelector(
                    '.plot[data-probe="{plot}"][data-unit="{unit}"] canvas');
                const data = canvas.getContext('2d').getImageData(0, 0, canvas.width,
                                                                  canvas.height);
                const ink = colour => {{
                    let low = 1e9, high = -1;
                    for (let i = 0; i < data.data.length; i += 4) {{
                        const same = colour.every((c, k) => Math.abs(data.data[i + k] - c) < 12);
                        if (same && data.data[i + 3] > 200) {{
                            const x = i / 4 % canvas.width;
                            low = Math.min(low, x);
                            high = Math.max(high, x);
                        }}
                    }}
                    return [low / canvas.width, high / canvas.width];
                }};
                return ink([0x0b, 0x57, 0xd0]);
            }})()""")
            self.assertLess(at[0], 0.3, plot)
            self.assertGreater(at[1], 0.8, plot)

    def test_it_reads_without_scripts(self):
        self.browser.ask("Emulation.setScriptExecutionDisabled", value=True)
        try:
            self.browser.open_without_scripts(self.folder / "lab.html")
        finally:
            self.browser.ask("Emulation.setScriptExecutionDisabled", value=False)
        self.assertIn("call of a function", self.browser.text_of("switch"))


class IsUsed(Page):
    def test_by_keyboard_alone(self):
        self.show()
        self.browser.run("document.querySelector('#serve .canvas').focus()")
        said = "document.querySelector('#serve .said').textContent"
        self.assertEqual(self.browser.run(said), "")
        self.browser.press("ArrowRight")
        first = self.browser.run(said)
        self.assertTrue(first.startswith("10 clients: a task for each client "), first)
        self.browser.press("End")
        self.assertTrue(self.browser.run(said).startswith("100 clients: "))
        self.browser.press("ArrowLeft")
        self.assertEqual(self.browser.run(said), first)
        marked = self.browser.run("[...document.querySelectorAll('tr.at')].map(r => r.id)")
        self.assertTrue(marked and all(row.startswith("serve-") for row in marked), marked)

    def test_what_is_read_out_is_what_the_table_says(self):
        self.show()
        self.browser.run("document.querySelector('#switch .canvas').focus()")
        cells = Reader(self.text).rows
        for name, probe, figure in self.figures():
            if probe["name"] == "switch":
                self.browser.press("ArrowDown")
                said = self.browser.run("document.querySelector('#switch .said').textContent")
                text = next(c["text"] for c in cells[name] if "data-median" in c)
                noisy = ", noisy" if figure["noisy"] else ""
                self.assertEqual(said, f"{figure['name']}: {text}{noisy}")

    def test_a_line_is_put_out_and_lit_again_by_its_key(self):
        self.show()
        before = self.ink_of("one-lock")
        self.browser.run("document.querySelector('#one-lock .keys button').focus()")
        self.browser.press("Enter")
        key = "document.querySelector('#one-lock .keys button').getAttribute('aria-pressed')"
        self.assertEqual(self.browser.run(key), "false")
        self.assertLess(self.ink_of("one-lock"), before)
        self.browser.press("Enter")
        self.assertEqual(self.browser.run(key), "true")
        self.assertEqual(self.ink_of("one-lock"), before)

    def test_everything_that_can_be_used_can_be_reached(self):
        self.show()
        count = self.browser.run(
            "document.querySelectorAll('a, button, summary, [tabindex]').length")
        reached = set()
        for _ in range(count):
            self.browser.press("Tab")
            reached.add(self.browser.run(
                "[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
        self.assertEqual(len(reached), count)
        unnamed = self.browser.run("[...document.querySelectorAll('.canvas, button, nav')].filter("
                                   "e => !(e.ariaLabel || e.textContent.trim())).length")
        self.assertEqual(unnamed, 0)

    def test_in_the_dark_and_back(self):
        self.show()
        ground = "getComputedStyle(document.body).backgroundColor"
        self.assertEqual(self.browser.run(ground), "rgb(255, 255, 255)")
        light = self.browser.run("document.querySelector('canvas').toDataURL()")
        self.browser.look_as(1000, 900, "dark")
        self.assertEqual(self.browser.run(ground), "rgb(21, 23, 26)")
        self.assertNotEqual(self.browser.run("document.querySelector('canvas').toDataURL()"), light)
        self.browser.look_as(1000, 900)
        self.assertEqual(self.browser.run("document.querySelector('canvas').toDataURL()"), light)

    def test_on_a_phone_nothing_is_wider_than_the_screen(self):
        for width in (360, 1000):
            self.browser.look_as(width, 640)
            self.show()
            self.assertLessEqual(self.browser.run("document.documentElement.scrollWidth"), width)
            self.assertLessEqual(self.browser.run("document.querySelector('canvas').clientWidth"),
                                 width)

    def test_plots_follow_the_window(self):
        self.show()
        wide = self.browser.run("document.querySelector('canvas').clientWidth")
        self.browser.look_as(500, 900)
        self.assertLess(self.browser.run("document.querySelector('canvas').clientWidth"), wide)

    def test_on_paper(self):
        self.browser.look_as(1000, 900, "dark")
        self.show()
        self.browser.run("document.querySelectorAll('details').forEach(d => { d.open = false; })")
        self.browser.run("addEventListener('afterprint', () => 0); window.inks = null;"
                         "addEventListener('beforeprint', () => queueMicrotask(() => {"
                         f"window.inks = {INK}; }}))")
        paper = self.browser.paper()
        self.assertTrue(paper.startswith(b"%PDF"))
        self.assertGreater(min(self.browser.run("window.inks")), 1000)
        self.assertFalse(self.browser.run("'print' in document.documentElement.dataset"))
        self.assertEqual(self.browser.errors, [])


class Compares(Page):
    def test_two_reports_stand_side_by_side(self):
        second = json.loads(json.dumps(self.report))
        second["machine"]["host"] = "else<where>"
        for probe in second["probes"]:
            for f in probe["figures"]:
                for key in ("median", "low", "high", "q1", "q3"):
                    f[key] *= 2
        self.write("a.json", json.dumps(self.report))
        self.write("b.json", json.dumps(second))
        self.ravel("lab", "--compare", "a.json", "b.json", "--html", "both.html")
        self.show("both.html")
        rows = Reader((self.folder / "both.html").read_text()).rows
        for name, _, figure in self.figures():
            other = next(c for c in rows[name] if "data-second" in c)
            self.assertEqual(float(other["data-second"]), 2 * figure["median"])
        self.assertIn("else<where>", self.browser.text_of(None))
        drawn = self.browser.run("[...document.querySelectorAll('.plot')]"
                                 ".reduce((sum, p) => sum + +p.dataset.drawn, 0)")
        self.assertEqual(drawn, 2 * len(list(self.figures())))


if __name__ == "__main__":
    sys.exit(run_unittests(lacking=LACKING))
