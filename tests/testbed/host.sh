# shellcheck shell=bash
# host.sh - sourced by l1: the parts of the emulated host. Sets kernel, initrd, tree_image.
# shellcheck disable=SC2034,SC2154 # its variables are l1's

quoted() { # for a POSIX shell
    printf "'%s'" "${1//\'/\'\\\'\'}"
}

apt_options=()
host_kernel_package() {
    apt-cache "${apt_options[@]}" depends linux-image-cloud-amd64 2>/dev/null |
        sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | head -n1
}

# Debian's cloud kernel and its modules, from the package, without installing it.
host_kernel() {
    local name dir
    dir=$(find "$cache" -maxdepth 1 -name 'linux-image-*' -type d 2>/dev/null | sort -V | tail -n1)
    if [ -z "$dir" ]; then
        rm -rf "$cache/part"
        mkdir -p "$cache/part/x"
        name=$(host_kernel_package)
        if [ -z "$name" ]; then # no package lists here: lists of our own
            mkdir -p "$cache/part/lists/partial" "$cache/part/cache"
            apt_options=(-o "Dir::State::Lists=$cache/part/lists" -o "Dir::Cache=$cache/part/cache")
            apt-get -q "${apt_options[@]}" update >"$cache/part/apt.log" 2>&1 || true
            name=$(host_kernel_package)
        fi
        [ -n "$name" ] || die "apt knows no linux-image-cloud-amd64; is there a network?"
        say "fetching $name (once)"
        (cd "$cache/part" && apt-get "${apt_options[@]}" download "$name" >apt.log 2>&1) || {
            tail -n 3 "$cache/part/apt.log" >&2
            die "apt-get download $name failed"
        }
        dpkg-deb -x "$cache/part/$name"_*.deb "$cache/part/x"
        depmod -b "$cache/part/x" "${name#linux-image-}"
        dir=$cache/$name
        mv "$cache/part/x" "$dir"
        rm -rf "$cache/part"
    fi
    kernel_dir=$dir
    kernel_version=${dir##*/linux-image-}
    kernel=$dir/boot/vmlinuz-$kernel_version
    [ -r "$kernel" ] || die "$kernel: not readable; remove $dir to fetch it again"
}

# The first stage: busybox, the modules, and init. Made again when any of its makers changed.
host_initrd() {
    local tree m file
    initrd=$kernel_dir/initrd.cpio
    [ "$initrd" -nt "$here/init" ] && [ "$initrd" -nt "$here/host.sh" ] && [ "$initrd" -nt "$busybox" ] && return
    tree=$work/initrd
    mkdir -p "$tree"/{bin,lib,dev,proc,sys,root,mnt}
    cp "$busybox" "$tree/bin/busybox"
    ln -s busybox "$tree/bin/sh"
    cp "$here/init" "$tree/init"
    for m in virtio_pci virtio_blk virtio_console squashfs overlay loop kvm-amd; do
        modprobe -d "$kernel_dir" -S "$kernel_version" --show-depends "$m" || die "no module $m in $kernel_version"
    done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' >"$work/modules"
    while read -r file; do
        cp "$file" "$tree/lib/"
        echo "/lib/${file##*/}" >>"$tree/modules"
    done <"$work/modules"
    (cd "$tree" && find . | cpio -o -H newc --quiet) >"$initrd.part"
    mv "$initrd.part" "$initrd"
}

# A directory as a squashfs, kept by what it held.
host_tree() {
    local key
    key=$({
        echo "$1"
        cd "$1" && find . -path ./cache -prune -o -path ./sandboxes -prune -o -printf '%p %s %T@ %l\n' | sort
    } | sha256sum | cut -c1-32)
    tree_image=$cache/tree-$key.squashfs
    if [ ! -s "$tree_image" ]; then
        mksquashfs "$1" "$tree_image.part" -noappend -noI -noD -noF -noX -no-xattrs -no-progress -quiet \
            -processors 2 -e cache sandboxes >"$work/mksquashfs.log" 2>&1 ||
            die "mksquashfs $1: $(tail -n1 "$work/mksquashfs.log")"
        mv "$tree_image.part" "$tree_image"
        # The four newest are kept.
        find "$cache" -maxdepth 1 -name 'tree-*.squashfs' -printf '%T@ %p\n' | sort -rn | tail -n +5 | cut -d' ' -f2- |
            xargs -r rm -f
    fi
    touch "$tree_image"
}

# One file into the root, with the libraries and the interpreter that it needs.
host_add() { # FILE DEST ROOT
    local lib
    [ -e "$1" ] || die "$1: no such file"
    mkdir -p "$3$(dirname "$2")"
    cp -aL --no-target-directory "$1" "$3$2"
    [ -f "$1" ] && [ -x "$1" ] || return 0
    { ldd "$1" 2>/dev/null || true; } | sed -n 's,^[^/]*\(/[^ ]*\).*,\1,p' | while read -r lib; do
        [ -e "$3$lib" ] || { mkdir -p "$3$(dirname "$lib")" && cp -L "$lib" "$3$lib"; }
    done
}

host_root() { # ROOT
    local r=$1 a f src dest
    mkdir -p "$r"/{bin,sbin,etc,dev,proc,sys,tmp,run,root,var/lib,var/tmp,mnt,home,l1,opt/carrel/bin,opt/carrel/share/carrel,usr/bin,usr/sbin,usr/lib,lib64}
    chmod 1777 "$r/tmp" "$r/var/tmp"
    ln -s usr/lib "$r/lib"
    cp "$busybox" "$r/bin/busybox"
    for a in $("$busybox" --list); do
        [ -e "$r/bin/$a" ] || ln -s /bin/busybox "$r/bin/$a"
    done
    echo 'root:x:0:0:root:/root:/bin/sh' >"$r/etc/passwd"
    echo 'nobody:x:65534:65534:nobody:/nonexistent:/bin/false' >>"$r/etc/passwd"
    printf 'root:x:0:\nkvm:x:104:\nnogroup:x:65534:\n' >"$r/etc/group"
    echo '127.0.0.1 localhost' >"$r/etc/hosts"
    echo l1 >"$r/etc/hostname"
    for f in "$build"/bin/carrel* "$build"/bin/vmm-* "$build"/bin/payload* "$build"/bin/hold_vm "$build"/bin/nameless; do
        [ -f "$f" ] && host_add "$f" "/opt/carrel/bin/${f##*/}" "$r"
    done
    mkdir "$r/opt/carrel/share/carrel/guest"
    cp -a "$source_dir/guest/image" "$source_dir/guest/kernel" "$r/opt/carrel/share/carrel/guest/"
    mkdir "$r/opt/carrel/share/carrel/policies"
    cp -a "$source_dir/policies/library" "$r/opt/carrel/share/carrel/policies/"
    for a in "${adds[@]}"; do
        src=${a%%:*} dest=${a#*:}
        case $src in */*) ;; *) src=$(command -v "$src") || die "$src: not found"; [ "$dest" != "$a" ] || dest=$src ;; esac
        [ "$dest" != "$a" ] || dest=$(realpath "$src")
        host_add "$src" "$dest" "$r"
    done
    cp "$here/run" "$r/l1/run"
}

# Unpacks what came out, each to its place.
host_get() {
    local g path dest
    mkdir -p "$work/got"
    tar -C "$work/got" -xf "$work/get" 2>/dev/null || say "what came out of the host is not whole"
    for g in "${gets[@]}"; do
        path=${g%%:*} dest=${g#*:}
        [ "$dest" != "$g" ] || dest=.
        if [ -e "$work/got$path" ]; then
            cp -a "$work/got$path" "$dest"
        else
            say "$path: not there"
        fi
    done
}
