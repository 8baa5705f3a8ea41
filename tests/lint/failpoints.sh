#!/bin/sh
# failpoints.sh - every failpoint has a name of its own, there are enough, and what is shipped has
# none: neither in the programs of an optimised build, nor in what its flags would make of a source.
set -eu
cd "${CARREL_SOURCE:-$(dirname "$0")/../..}"
build=${CARREL_BUILD:-build/release}
failed=0

names=$(git ls-files '*.c' | xargs grep -ohE 'FAILPOINT\("[^"]+"\)' | sort)
twice=$(echo "$names" | uniq -d)
[ -z "$twice" ] || { echo "used twice: $twice"; failed=1; }
[ "$(echo "$names" | wc -l)" -ge 80 ] || { echo "only $(echo "$names" | wc -l) failpoints"; failed=1; }

has() { grep -qa -e CARREL_FAILPOINT -e 'io\.store\.rename' "$1"; }

object=$(mktemp)
trap 'rm -f "$object"' EXIT
for source in base/io.c base/failpoint.c sandbox/store.c; do
    cc -D_GNU_SOURCE -I. -O2 -c -o "$object" "$source"
    if has "$object"; then echo "$source: without the definition there is code"; failed=1; fi
done
type=$(sed -n 's/^CMAKE_BUILD_TYPE:[^=]*=//p' "$build/CMakeCache.txt" 2>/dev/null)
for program in "$build"/bin/carrel "$build"/bin/carrel-keeper "$build"/bin/carrel-job; do
    [ -e "$program" ] || continue
    case $type in
    Debug) has "$program" || { echo "$program: a debug build without failpoints"; failed=1; } ;;
    *) if has "$program"; then echo "$program: has failpoints"; failed=1; fi ;;
    esac
done
for program in "$build"/bin/carrel-vmm "$build"/bin/carrel-init "$build"/bin/carrel-launch; do
    [ -e "$program" ] || continue
    if has "$program"; then echo "$program: has failpoints"; failed=1; fi
done
exit $failed
