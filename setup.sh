#!/bin/sh
# setup.sh - makes Carrel ready to run from this directory: packages, build, guest kernel, images.
#
#   ./setup.sh           what is needed to build and run
#   ./setup.sh --dev     also what the tests and linters need, and a second guest kernel
#   ./setup.sh --lean    also builds the lean guest kernel (ten minutes; sandboxes start faster)
#   ./setup.sh --tools   packages only, nothing is built
#
# For Debian 12. Packages are installed as root or with sudo; everything else is done as you.
# Running it again is quick and changes nothing.
set -eu
cd "$(dirname "$0")"

# The one list of what Carrel needs from Debian.
build_packages="gcc libc6-dev linux-libc-dev cmake ninja-build pkg-config musl-tools
    libarchive-dev libext2fs-dev libjansson-dev libssl-dev libseccomp-dev libcap-dev libyaml-dev libcmocka-dev"
run_packages="qemu-system-x86 e2fsprogs squashfs-tools mmdebstrap busybox-static kmod ca-certificates"
lean_packages="make bc bison flex libelf-dev libssl-dev xz-utils perl"
dev_packages="git clang clang-format clang-tidy libclang-rt-14-dev llvm cppcheck
    shellcheck bats jq expect tmux zstd bsdextrautils acpica-tools mandoc scdoc nodejs npm cpio strace python3 procps
    cryptsetup-bin"

dev='' lean='' tools=''
for arg; do
    case $arg in
    --dev) dev=1 ;;
    --lean) lean=1 ;;
    --tools) tools=1 ;;
    -h | --help)
        sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"
        exit 0
        ;;
    *)
        echo "setup: unknown option $arg (see --help)" >&2
        exit 2
        ;;
    esac
done

say() { echo "setup: $*"; }
die() {
    echo "setup: $*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null || die "not root and no sudo; as root, run: $*"
        sudo "$@"
    fi
}

# Under `sudo ./setup.sh` the build, the kernels and the images still belong to whoever called.
as_user() {
    if [ "$(id -u)" = 0 ] && [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
        sudo -H -u "$SUDO_USER" "$@"
    else
        "$@"
    fi
}

packages="$build_packages $run_packages"
[ -z "$dev" ] || packages="$packages $dev_packages"
[ -z "$lean" ] || packages="$packages $lean_packages"

if command -v dpkg-query >/dev/null; then
    missing=''
    # shellcheck disable=SC2086 # a list
    have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $packages 2>/dev/null || true)
    for p in $packages; do
        case "
$have
" in *"
installed $p
"*) ;; *) missing="$missing $p" ;; esac
    done
    # Newer Debian's nodejs brings its own npm.
    if command -v npm >/dev/null; then
        missing=$(echo "$missing " | sed 's/ npm / /')
    fi
    # shellcheck disable=SC2086
    set -- $missing
    if [ $# -gt 0 ]; then
        say "installing $# packages: $*"
        as_root apt-get -q update >/dev/null || die "apt-get update failed: is there a network?"
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 install \
            --no-install-recommends "$@" >/tmp/carrel-setup.$$ 2>&1 || {
            tail -n 15 /tmp/carrel-setup.$$ >&2
            rm -f /tmp/carrel-setup.$$
            die "apt-get install failed (above)"
        }
        rm -f /tmp/carrel-setup.$$
    fi
else
    say "this is not Debian; these packages, or their like, are needed:"
    echo "$packages" | tr -s ' \n' ' ' | fold -s -w 90 | sed 's/^/    /'
fi
[ -z "$tools" ] || exit 0

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A machine that has every package may still have no list to download more with.
lists_for() { # PACKAGE
    ! command -v apt-cache >/dev/null || apt-cache show "$1" >/dev/null 2>&1 ||
        as_root apt-get -q update >/dev/null || die "apt-get update failed: is there a network?"
}
quietly() { # WHAT COMMAND...
    what=$1
    shift
    "$@" >"$log" 2>&1 || {
        tail -n 25 "$log" >&2
        die "$what failed (above)"
    }
}

chmod go+r "$log"
[ -e build/release/build.ninja ] || say "building (a minute or two)"
quietly "cmake" as_user cmake --preset release
quietly "the build" as_user ninja -C build/release -j "$(nproc)"
carrel=build/release/bin/carrel

has() { # kernel|image NAME
    as_user "$carrel" "$1" ls -q 2>/dev/null | grep -qx "$2"
}
# A kernel that an earlier Carrel fetched may lack modules that this one wants.
is_old() { # KERNEL
    has kernel "$1" && ! as_user "$carrel" kernel ls --json | tr '{' '\n' | grep "\"name\":\"$1\"" | grep -q '"verity":true'
}
if [ -z "$(as_user "$carrel" kernel ls -q 2>/dev/null)" ] || is_old debian; then
    say "fetching a guest kernel"
    lists_for linux-image-cloud-amd64
    quietly "carrel kernel fetch" as_user "$carrel" kernel fetch
fi
[ -z "$dev" ] || lists_for linux-image-6.12-cloud-amd64 # also tests download packages
if [ -n "$dev" ] && { ! has kernel debian-6.12 || is_old debian-6.12; }; then
    say "fetching another guest kernel, for the tests"
    quietly "carrel kernel fetch" as_user "$carrel" kernel fetch --package linux-image-6.12-cloud-amd64 debian-6.12
fi
for image in mini base; do
    has image $image || case $image in
    mini) say "making the image mini" ;;
    base) say "making the image base (a minute)" ;;
    esac
    # Again when its recipe has changed.
    quietly "carrel image build $image" as_user "$carrel" image build "$image"
done
if [ -n "$lean" ]; then
    lists_for linux-source-6.12
    as_user guest/kernel/build -n >/dev/null 2>&1 || say "building the lean kernel (ten minutes)"
    quietly "guest/kernel/build" as_user sh -c "guest/kernel/build >build/lean.path"
    # Again when its recipe has changed.
    path=$(cat build/lean.path)
    if ! as_user "$carrel" kernel ls --json | grep -q "$(sha256sum <"$path" | cut -d' ' -f1)"; then
        quietly "carrel kernel add" as_user "$carrel" kernel add lean "$path"
    fi
fi
say "ready: $carrel run base"
