#!/bin/sh
# cli_bats.sh FILE [vm|fake] - runs a bats file against the build, with a state directory of its own.
# With "vm" a guest kernel and the image "mini" are needed, from CARREL_DATA or the usual place. With
# "fake" the machine is tests/crash/fake_vmm.c, for which a kernel and the image "mini" are made up.
set -eu
cd "${CARREL_SOURCE:-$(dirname "$0")/../..}"
. tests/needs.sh
need_tool bats bats
need_tool jq jq
build=${CARREL_BUILD:-build/release}
case $build in /*) ;; *) build=$PWD/$build ;; esac
[ -x "$build/bin/carrel" ] || skip tools "$build/bin/carrel is not built"
[ "${2:-}" = fake ] && PATH=$build/crash:$PATH || PATH=$build/bin:$PATH
export PATH
unset CARREL_KERNEL NO_COLOR
# cp gives up the right to open /proc before it parses an archive; the leak checker wants it.
[ "$1" != cli_cp.bats ] || export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=0}"
if [ "${2:-}" = vm ]; then
    carrel kernel default >/dev/null 2>&1 || skip kernel "no guest kernel (carrel kernel fetch)"
    carrel image inspect mini >/dev/null 2>&1 || skip image "no image mini (carrel image build mini)"
fi
dir=$(mktemp -d)
clean() {
    carrel ls -q 2>/dev/null | while read -r name; do carrel rm -f "$name" >/dev/null 2>&1 || :; done
    rm -rf "$dir"
}
trap clean EXIT
export CARREL_STATE="$dir/state" WORK="$dir"
[ "${2:-}" = vm ] || export CARREL_DATA="$dir/data"
if [ "${2:-}" = fake ]; then
    any=$(printf x | sha256sum | cut -d' ' -f1) file='"file": {"bytes": 1, "inode": 0, "mtime_ns": 0}'
    mkdir -p "$dir/data/kernels/one" "$dir/data/images/blobs"
    ln -s one "$dir/data/kernels/default"
    printf x >"$dir/data/kernels/one/vmlinux"
    printf x >"$dir/data/images/blobs/$any.squashfs"
    echo "{\"digest\": \"$any\", $file, \"modules\": [], \"pvh\": true, \"version\": \"1\"}" \
        >"$dir/data/kernels/one/kernel.json"
    echo "{\"digest\": \"$any\", $file, \"config\": {}}" >"$dir/data/images/mini.json"
fi
bats "tests/integration/$1"
