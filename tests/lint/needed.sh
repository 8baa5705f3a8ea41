#!/bin/sh
# needed.sh - the programs that face users and guests load no parser of archives, and the machine
# loads nothing at all.
set -eu
cd "${CARREL_SOURCE:-$(dirname "$0")/../..}"
# shellcheck source=tests/needs.sh
. tests/needs.sh
need_tool readelf binutils
need_tool ldd libc-bin
bin=${CARREL_BUILD:-build/release}/bin
bad=0
loads_none() { # PROGRAM LIBRARY...: also not through another library
    program=$1
    shift
    [ -x "$bin/$program" ] || skip tools "$bin/$program is not built"
    for lib; do
        if { readelf -d "$bin/$program"; ldd "$bin/$program"; } | grep "lib$lib"; then
            echo "needed: $program must not load lib$lib"
            bad=1
        fi
    done
}
loads_none carrel archive xml2 icu
loads_none carrel-keeper archive xml2 icu
for program in carrel-vmm carrel-init; do
    [ -x "$bin/$program" ] || skip tools "$bin/$program is not built"
    if readelf -lW "$bin/$program" | grep INTERP || readelf -d "$bin/$program" | grep NEEDED; then
        echo "needed: $program must be static, without an interpreter"
        bad=1
    fi
done
exit $bad
