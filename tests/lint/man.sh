#!/bin/sh
# man.sh - the manual pages are well-formed.
set -eu
cd "${CARREL_SOURCE:-$(dirname "$0")/../..}"
. tests/needs.sh
need_tool mandoc mandoc
pages=$(git ls-files 'docs/man/*.[1-8]')
[ -n "$pages" ] || skip source "no manual pages"
# shellcheck disable=SC2086 # a list
out=$(mandoc -T lint -W warning $pages) || {
    printf '%s\n' "$out"
    exit 1
}
