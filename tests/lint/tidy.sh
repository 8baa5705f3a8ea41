#!/bin/sh
# tidy.sh [FILE]... - clang-tidy over the product (or the files named), as .clang-tidy says.
#
# A file that passed is not looked at again while it, what it includes and the rules are the same:
# the proof is a stamp named by their digest in ${XDG_CACHE_HOME:-~/.cache}/carrel-ci/tidy.
set -eu
cd "${CARREL_SOURCE:-$(dirname "$0")/../..}"
. tests/needs.sh
need_tool clang-tidy clang-tidy
need_tool clang clang

build=${CARREL_BUILD:-build/release}/tidy
stamps=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/carrel-ci/tidy
mkdir -p "$stamps" "$build"
cmake --preset clang -B "$build" >"$build/cmake.log" 2>&1 || {
    tail -n 20 "$build/cmake.log"
    exit 1
}
find "$stamps" -type f -mtime +30 -delete
if [ $# -gt 0 ]; then
    printf '%s\n' "$@"
else
    # Only what git knows: a file that is being written elsewhere in the tree is not judged.
    sed -n "s,^ *\"file\": \"$PWD/\\(.*\\)\"\,*\$,\\1,p" "$build/compile_commands.json" | sort -u >"$build/compiled"
    git ls-files 'base/*.c' 'guest/*.c' 'policies/*.c' 'sandbox/*.c' 'vmm/*.c' | sort | comm -12 - "$build/compiled"
fi | nice xargs -P "$(nproc)" -n 1 tests/lint/tidy-one.sh "$build" "$stamps"
