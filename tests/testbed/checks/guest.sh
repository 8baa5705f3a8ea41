# shellcheck shell=sh
# guest.sh - sourced by checks that boot a guest of their own by vmm-launch: busybox as /init, on the last of the
# kernels.
kernel=$CARREL_DATA/kernels/${KERNELS##* }

# A standard input that never ends: the end of it would close the port.
mkfifo /tmp/hold
exec 3<>/tmp/hold

guest() { # SCRIPT OPTION...: boots it as /init; what it says on its port, and the report
    dir=/tmp/guest
    rm -rf "$dir"
    mkdir -p "$dir/bin" "$dir/dev" "$dir/proc" "$dir/sys"
    cp /bin/busybox "$dir/bin/"
    [ ! -d "$kernel/modules" ] || cp -r "$kernel/modules" "$dir/"
    cat >"$dir/init" <<END
#!/bin/busybox sh
export PATH=/bin
busybox mount -t proc p /proc
busybox mount -t sysfs s /sys
busybox mount -t devtmpfs d /dev
busybox --install -s /bin
[ ! -e /modules/order ] || while read -r m; do case \$m in verity:*) continue ;; esac; insmod "/modules/\${m##*/}"; done </modules/order
port=\$(echo /dev/vport*)
exec >"\$port" 2>&1
$1
END
    chmod +x "$dir/init"
    (cd "$dir" && find . | cpio -o -H newc >/tmp/guest.cpio 2>/dev/null)
    shift
    timeout 60 vmm-launch --vmm /opt/carrel/bin/carrel-vmm \
        --kernel "$kernel/vmlinux" --initrd /tmp/guest.cpio --port out --mem 128 --cmdline 'quiet panic=-1' "$@" <&3 2>&1
}
