#!/bin/sh
# man.sh - the manual pages are well-formed: those written as such, and those made by scdoc.
set -eu
cd "${CARREL_SOURCE:-$(dirname "$0")/../..}"
. tests/needs.sh
need_tool mandoc mandoc
pages=$(git ls-files docs/man)
[ -n "$pages" ] || skip source "no manual pages"
bad=0
for page in $pages; do
    case $page in
    *.scd)
        need_tool scdoc scdoc
        # scdoc's own layout is not ours to judge: errors only.
        out=$(scdoc <"$page" | mandoc -T lint -W error) || bad=1
        ;;
    *.[1-8]) out=$(mandoc -T lint -W warning "$page") || bad=1 ;;
    *) continue ;;
    esac
    [ -z "$out" ] || printf '%s:\n%s\n' "$page" "$out"
done
exit $bad
