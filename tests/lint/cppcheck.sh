#!/bin/sh
# cppcheck.sh - cppcheck over the product and its tests; what it knows is kept beside the build.
set -eu
cd "${CARREL_SOURCE:-$(dirname "$0")/../..}"
. tests/needs.sh
need_tool cppcheck cppcheck
state=${CARREL_BUILD:-build/release}/cppcheck
mkdir -p "$state"
git ls-files '*.c' >"$state/files"
exec nice cppcheck --quiet -j "$(nproc)" --cppcheck-build-dir="$state" --file-list="$state/files" \
    --std=c11 -D_GNU_SOURCE -D__x86_64__ -I. --enable=warning,performance,portability \
    --inline-suppr --suppress=unusedStructMember --suppress=missingInclude \
    --suppress=missingIncludeSystem --error-exitcode=1
