#!/bin/sh
# init_boot.sh - carrel-init in real guests on QEMU: what init_driver asks of it, with both kinds of
# writable layer, without one, and on a kernel that lacks layers; how it gives up when a guest cannot
# start.
#
#     init_boot.sh INIT_DRIVER INIT_PROBE CARREL_INIT [KERNEL...]
#
# KERNEL is a directory with vmlinux and, unless all drivers are built in, initrd*.img; by default each
# one that carrel has. The /init in it is replaced by CARREL_INIT: the kernel unpacks archives one over
# the other.
set -eu
cd "${CARREL_SOURCE:-$(dirname "$0")/../..}"
. tests/needs.sh
driver=$1 probe=$2 init=$3
shift 3
need_tool qemu-system-x86_64 qemu-system-x86
need_tool mksquashfs squashfs-tools
need_tool busybox busybox-static
need_tool cpio cpio
need_tool mkfs.ext4 e2fsprogs
if [ $# = 0 ]; then
    for k in "${CARREL_DATA:-/var/lib/carrel}"/kernels/*/; do
        [ -L "${k%/}" ] || [ ! -e "$k/vmlinux" ] || set -- "$@" "${k%/}"
    done
fi
[ $# -gt 0 ] || skip kernel "none was added (carrel kernel fetch)"

tmp=$(mktemp -d)
qemu=
trap '[ -z "$qemu" ] || kill "$qemu" 2>/dev/null || :; rm -rf "$tmp"' EXIT

mkdir -p "$tmp/root/bin" "$tmp/root/etc" "$tmp/root/root" "$tmp/root/home/agent" "$tmp/root/workspace" "$tmp/new"
cp "$(command -v busybox)" "$tmp/root/bin/busybox"
for applet in $(busybox --list); do
    [ "$applet" = busybox ] || ln -s busybox "$tmp/root/bin/$applet"
done
install -m 755 "$probe" "$tmp/root/bin/probe"
install -m 4755 "$probe" "$tmp/root/bin/probe-suid"
printf '#!/bin/sh\necho "$0 $*"\n' >"$tmp/root/bin/script"
chmod 755 "$tmp/root/bin/script"
for dir in dev proc sys run tmp; do # a read-only root has no others
    mkdir -p "$tmp/root/$dir"
done
cat >"$tmp/root/etc/passwd" <<'END'
root:x:0:0:root:/root:/bin/sh
agent:x:1000:1000:Agent:/home/agent:/bin/sh
END
cat >"$tmp/root/etc/group" <<'END'
root:x:0:
tty:x:5:
wheel:x:10:agent
agent:x:1000:
END
mksquashfs "$tmp/root" "$tmp/image" -all-root -noappend -quiet -no-progress >/dev/null
truncate -s 64M "$tmp/layer"
mkfs.ext4 -q -F "$tmp/layer"
head -c 65536 /dev/zero >"$tmp/nothing"
cp "$init" "$tmp/new/init"
chmod 755 "$tmp/new/init"
strip "$tmp/new/init" 2>/dev/null || :
(cd "$tmp/new" && echo init | cpio -o -H newc --quiet) >"$tmp/new.cpio"

port='-device virtio-serial-pci -device virtserialport,chardev=c,name=carrel.control -chardev'
disk='-drive if=virtio,format=raw'

guest() { # KERNEL CMDLINE OPTION...: a machine, in the foreground
    kernel=$1 cmdline=$2
    shift 2
    exec qemu-system-x86_64 -M q35 -cpu max -m 256 -nodefaults -display none -no-reboot \
        -kernel "$kernel/vmlinux" -initrd "$tmp/initrd" -serial "file:$tmp/serial" \
        -append "console=ttyS0 quiet panic=-1 $cmdline" "$@"
}

gives_up() { # KERNEL CMDLINE MESSAGE OPTION...
    kernel=$1 cmdline=$2 message=$3
    shift 3
    (guest "$kernel" "$cmdline" "$@") &
    qemu=$!
    wait "$qemu"
    qemu=
    if ! grep -q "carrel-init: cannot go on: $message" "$tmp/serial"; then
        echo "not ok: \"$message\" was not said:"
        tail -n 3 "$tmp/serial"
        exit 1
    fi
    echo "# gives up: $message"
}

try() { # KERNEL BOOT CMDLINE
    rm -f "$tmp/port"
    # shellcheck disable=SC2086 # the options are words
    (guest "$1" "$3" $port "socket,id=c,server=on,wait=off,path=$tmp/port" \
        $disk,readonly=on,file="$tmp/image" $disk,file="$tmp/layer") &
    qemu=$!
    "$driver" --connect "$tmp/port" "$2"
    wait "$qemu"
    qemu=
}

layers='tmpfs vdb vdb'
# shellcheck disable=SC2086 # the options are words
for kernel; do
    echo "# kernel $kernel"
    # The newest, where carrel keeps several.
    old=$(find "$kernel" -maxdepth 1 -name 'initrd*.img' -printf '%T@ %p\n' | sort -rn | sed -n '1s/^[^ ]* //p')
    cat ${old:+"$old"} "$tmp/new.cpio" >"$tmp/initrd"
    for layer in $layers; do
        echo "# writable layer: $layer"
        try "$kernel" usual "carrel.overlay=$layer"
    done
    echo "# without Landlock and the pids cgroup"
    try "$kernel" lacking "carrel.overlay=tmpfs lsm=none cgroup_disable=pids"
    layers=tmpfs # the rest does not depend on the kernel
    [ -z "${done_once:-}" ] || continue
    done_once=1
    e2fsck -fn "$tmp/layer" >/dev/null 2>&1 || {
        echo "not ok: the writable layer was not put to rest"
        exit 1
    }
    echo "# read-only root"
    try "$kernel" read-only "carrel.root=ro carrel.tmp=4194304"
    echo "# a small writable layer"
    try "$kernel" small "carrel.overlay=8388608,300"
    gives_up "$kernel" "" "/dev/vda holds neither" $disk,readonly=on,file="$tmp/nothing"
    gives_up "$kernel" carrel.overlay=vdb "/dev/vdb holds neither" \
        $disk,readonly=on,file="$tmp/image" $disk,file="$tmp/nothing"
    gives_up "$kernel" carrel.overlay=disk "kernel command line" $disk,readonly=on,file="$tmp/image"
    gives_up "$kernel" carrel.rot=ro 'kernel command line: "carrel.rot=ro" is not known' \
        $disk,readonly=on,file="$tmp/image"
done
