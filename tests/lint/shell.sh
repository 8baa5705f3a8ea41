#!/bin/sh
# shell.sh - shellcheck over every shell script of the project.
set -eu
cd "${CARREL_SOURCE:-$(dirname "$0")/../..}"
. tests/needs.sh
need_tool shellcheck shellcheck
git ls-files | while read -r f; do
    [ -f "$f" ] || continue
    case $f in
    *.sh) echo "$f" ;;
    *.c | *.h | *.md | tests/fuzz/corpus/*) ;;
    *) if head -c 40 "$f" | head -n 1 | grep -aqE '^#!.*(/|env )(ba|da)?sh'; then echo "$f"; fi ;;
    esac
done | xargs shellcheck -x --severity=warning
