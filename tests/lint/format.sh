#!/bin/sh
# format.sh - every C file is as .clang-format says. `format.sh --fix [FILE]...` makes it so.
set -eu
cd "${CARREL_SOURCE:-$(dirname "$0")/../..}"
. tests/needs.sh
need_tool clang-format clang-format
if [ "${1:-}" = --fix ]; then
    shift
    [ $# -gt 0 ] || exec sh -c "git ls-files -z '*.[ch]' | xargs -0 clang-format -i"
    exec clang-format -i "$@"
fi
bad=$(git ls-files -z '*.[ch]' | xargs -0 -n 40 clang-format --dry-run 2>&1 |
    sed -n 's/:.*\[-Wclang-format-violations\]$//p' | sort | uniq -c)
[ -n "$bad" ] || exit 0
echo "not formatted (lines, file); tests/lint/format.sh --fix FILE mends it:"
echo "$bad"
exit 1
