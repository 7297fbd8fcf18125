#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# clang-format over every C file; with --check, only say which files it would change.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v clang-format >/dev/null; then
    echo "clang-format is not installed" >&2
    [ "${1-}" = --check ] && exit 77 # meson's word for skipped
    exit 1
fi

folders=()
for folder in include src tests examples bench check lab look timeline cli; do
    [ -d "$folder" ] && folders+=("$folder")
done
files() { find "${folders[@]}" -name '*.[ch]' -print0; }

if [ "${1-}" = --check ]; then
    # One line a place instead of clang-format's three.
    if ! said=$(files | xargs -0r clang-format --dry-run -Werror 2>&1); then
        grep ' error: ' <<<"$said" | cut -d: -f1,2 | sort -u -t: -k1,1 -k2,2n
        exit 1
    fi
    # Comments, which it leaves alone. In characters, not bytes.
    if files | LC_ALL=C.UTF-8 xargs -0r grep -nE '^.{101,}$' /dev/null | cut -d: -f1,2 | grep .; then
        echo "these lines have more than 100 characters" >&2
        exit 1
    fi
else
    files | xargs -0r clang-format -i
fi
