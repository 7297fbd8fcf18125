#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each public function says what it returns, how it fails, whether it blocks, who may call it and
how long its arguments have to live: manual pages and the reference are made from those lines.

    tools/check_docs.py [ROOT]
"""

import sys
from pathlib import Path

from public_api import public_api

FIELDS = ("Errors:", "Blocks:", "Threads:", "Lifetime:")


def missing_fields(declaration):
    """What a docstring still lacks; an object needs a docstring and no fields."""
    if not declaration.doc:
        return ["docstring (/** ... */)"]
    if not declaration.is_function:
        return []
    wanted = FIELDS if declaration.returns_void else ("@return",) + FIELDS
    return [field for field in wanted if field not in declaration.doc]


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    bad = 0
    for declaration in public_api(root):
        missing = missing_fields(declaration)
        if missing:
            bad += 1
            print(f"{declaration.path.relative_to(root)}:{declaration.line}: {declaration.name} "
                  f"lacks {', '.join(missing)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
