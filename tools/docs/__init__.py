# SPDX-License-Identifier: MIT
"""From the headers' docstrings and doc/guide.md to manual pages and an HTML reference.

    docstring   a docstring's fields, and text as a list of blocks
    model       the headers in reading order, and who is described where
    markdown    the guide's subset of Markdown, into the same blocks
    man         manual pages
    site        the HTML reference and guide
    snippets    the code blocks of all of these, as programs
"""
