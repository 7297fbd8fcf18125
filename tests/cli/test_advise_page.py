#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The page of `ravel advise --html`, in a real browser: the figures and the advice of the JSON, and
the curves of the scalability law where they are to be. What it shares with the lab's page,
test_lab_page.py looks at.

    test_advise_page.py SOURCE_ROOT RAVEL PROGRAM_WITH_JOBS"""

import atexit
import json
import struct
import subprocess
import sys
from pathlib import Path

from chromium import LACKING, Browser
from ravel_cli import InFolder, RAVEL

from tap import run_unittests

JOBS = Path(sys.argv[3]).resolve()



class Page(InFolder):
    browser = None  # one for all
    made = None

    def setUp(self):
        super().setUp()
        if not Page.browser:
            Page.browser = Browser()
            atexit.register(Page.browser.close)
        if not Page.made:
            Page.made = self.make()
        self.advice, self.text = Page.made
        (self.folder / "advice.html").write_text(self.text)
        self.browser.look_as(1000, 900)
        self.browser.open(self.folder / "advice.html")

    def make(self):
        (self.folder / "input").write_bytes(struct.pack("i", 100))
        done = subprocess.run([RAVEL, "advise", "--quick", "--most", "4", "--job", "compute",
                               "--input", "input", "--json", "--html", "page.html", JOBS],
                              cwd=self.folder, text=True, timeout=120, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.assertIn(done.returncode, (0, 1))
        return json.loads(done.stdout), (self.folder / "page.html").read_text()

    def show(self, advice):
        """The same page of another advice."""
        begin = self.text.index("id=advice>") + len("id=advice>")
        end = self.text.index("</script>", begin)
        (self.folder / "other.html").write_text(
            self.text[:begin] + json.dumps(advice) + self.text[end:])
        self.browser.open(self.folder / "other.html")
        self.assertEqual(self.browser.errors, [])

    def keys(self):
        return self.browser.run("[...document.querySelectorAll('#advise .plot[data-unit=\"1/s\"] "
                                ".keys button')].map(b => b.textContent)")

    def ink(self):
        return self.browser.run("""(() => {
            const canvas = document.querySelector('#advise .plot[data-unit="1/s"] canvas');
            const all = new Uint32Array(canvas.getContext('2d').getImageData(
                0, 0, canvas.width, canvas.height).data.buffer);
            return all.filter(one => one !== 0).length;
        })()""")

    def test_it_loads_without_errors_and_asks_for_nothing(self):
        self.assertEqual(self.browser.errors, [])
        self.assertEqual(self.browser.requests, [f"file://{self.folder / 'advice.html'}"])
        self.assertIn("default-src 'none'", self.text)

    def test_it_says_what_the_json_says(self):
        inside = json.loads(self.browser.run("document.getElementById('advice').textContent"))
        self.assertEqual(inside, self.advice)
        self.assertEqual(self.browser.run("[...document.querySelectorAll('.reasons li')]"
                                          ".map(one => one.textContent)"), self.advice["reasons"])
        line = self.browser.run("document.querySelector('h1').textContent")
        self.assertIn(self.advice["tier"] if self.advice["known"] else "not known", line)
        medians = self.browser.run("[...document.querySelectorAll('[data-median]')]"
                                   ".map(cell => +cell.dataset.median)")
        self.assertEqual(medians, [f["median"] for probe in self.advice["report"]["probes"]
                                   for f in probe["figures"]])

    def test_every_figure_is_drawn(self):
        drawn = self.browser.run("[...document.querySelectorAll('.plot')]"
                                 ".reduce((sum, p) => sum + +p.dataset.drawn, 0)")
        self.assertEqual(drawn, sum(len(p["figures"]) for p in self.advice["report"]["probes"]))

    def with_laws(self, *laws):
        return dict(self.advice, laws=[{"tier": tier, "single": single, "contention": contention,
                                        "coherence": coherence, "best": None, "error": error}
                                       for tier, single, contention, coherence, error in laws])

    def test_a_law_that_fits_is_a_line_with_a_key(self):
        self.show(self.with_laws())
        without = self.keys(), self.ink()
        self.assertFalse([key for key in without[0] if "foretold" in key])
        rate = next(f["median"] for f in self.advice["report"]["probes"][0]["figures"]
                    if f["name"] == "tasks" and f["unit"] == "1/s")
        self.show(self.with_laws(("tasks", rate, 0.2, 0.01, 0.05)))
        self.assertEqual(self.keys(), without[0] + ["tasks, foretold"])
        self.assertNotEqual(self.ink(), without[1])
        with_it = self.ink()
        self.browser.run("[...document.querySelectorAll('.keys button')].find("
                         "b => b.textContent === 'tasks, foretold').focus()")
        self.browser.press("Enter")
        self.assertLess(self.ink(), with_it)

    def test_a_law_that_does_not_fit_is_none(self):
        self.show(self.with_laws(("tasks", 100, 0.2, 0.01, 0.5)))
        self.assertFalse([key for key in self.keys() if "foretold" in key])

    def test_places_are_read_out_where_something_was_measured(self):
        rate = self.advice["report"]["probes"][0]["figures"][0]["median"]
        self.show(self.with_laws(("tasks", rate, 0.2, 0.01, 0.05)))
        self.browser.run("document.querySelector('#advise .canvas').focus()")
        self.browser.press("End")
        said = self.browser.run("document.querySelector('#advise .said').textContent")
        self.assertTrue(said.startswith("4 workers: "), said)
        self.assertNotIn("foretold", said)

    def test_on_a_phone_nothing_is_wider_than_the_screen(self):
        self.assertIn(str(JOBS), self.text)
        (self.folder / "long.html").write_text(self.text.replace(str(JOBS), "afolder" * 30))
        self.browser.look_as(360, 640)
        self.browser.open(self.folder / "long.html")
        self.assertLessEqual(self.browser.run("document.documentElement.scrollWidth"), 360)


if __name__ == "__main__":
    sys.exit(run_unittests(lacking=LACKING))
