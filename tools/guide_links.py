#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whether every link of the HTML pages below a folder leads somewhere.

    tools/guide_links.py [--external] DIR

Each link to a file and each anchor is looked up. With --external those to other hosts are asked for
as well, one after another; what answers with an error, or not within some seconds, is told.
"""

import argparse
import html
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path

LINK = re.compile(r'\b(?:href|src)="([^"]*)"')
ID = re.compile(r'\bid="([^"]+)"')
SECONDS = 20


class Folder:
    """The pages below a folder, each read once."""

    def __init__(self, folder):
        self.texts = {p.resolve(): p.read_text("utf-8") for p in sorted(folder.rglob("*.html"))}
        self.anchors = {p: set(map(html.unescape, ID.findall(t))) for p, t in self.texts.items()}

    def links(self):
        """(page, link) of all."""
        for page, text in self.texts.items():
            # What a script holds is data, its links no links yet.
            for link in LINK.findall(re.sub(r"<script\b.*?</script>", "", text, flags=re.S)):
                yield page, html.unescape(link)

    def is_there(self, page, link):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not anchor:
            return target.is_file()
        return anchor in self.anchors.get(target, ())


def answers(url):
    """What is wrong with an address; empty when nothing is."""
    request = urllib.request.Request(url, headers={"User-Agent": "guide_links"})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS):
            return ""
    except (urllib.error.URLError, OSError) as why:
        return str(why)


def broken(folder, is_external):
    """A line for each link that leads nowhere."""
    pages, asked = Folder(folder), {}
    for page, link in pages.links():
        name = page.relative_to(folder.resolve())
        if re.match(r"https?:", link):
            url = link.partition("#")[0]
            if is_external and url not in asked:
                asked[url] = answers(url)
            if asked.get(url):
                yield f"{name}: {link}: {asked[url]}"
        elif not re.match(r"data:|mailto:", link) and not pages.is_there(page, link):
            yield f"{name}: {link} is not there"
    if not pages.texts:
        yield f"no page below {folder}"


def main():
    parser = argparse.ArgumentParser(description="Look up the links of HTML pages.")
    parser.add_argument("--external", action="store_true")
    parser.add_argument("dir", type=Path)
    options = parser.parse_args()
    found = list(broken(options.dir, options.external))
    print("\n".join(found), end="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
