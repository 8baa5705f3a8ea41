# shellcheck shell=sh
# disk.sh - block I/O and the machine's ends, with a guest of our own: busybox as /init, started by
# vmm-launch.
# kernels: debian
# kernels?: lean
# shellcheck source=tests/testbed/checks/check.sh
. /checks/check.sh

# shellcheck source=tests/testbed/checks/guest.sh
. /checks/guest.sh

dd if=/dev/urandom of=/tmp/a bs=1M count=8 2>/dev/null
sum=$(sha256sum </tmp/a | cut -d' ' -f1)
truncate -s 16M /tmp/b
got=$(guest '
sha256sum </dev/vda
dd if=/dev/vda of=/dev/vdb bs=64k conv=fsync 2>/dev/null
for i in 1 2 3 4; do dd if=/dev/vda of=/dev/vdb bs=4k count=128 skip=$((i * 200)) seek=$((2500 + i * 128)) conv=notrunc,fsync 2>/dev/null & done
wait
dd if=/dev/zero of=/dev/vda bs=512 count=1 conv=fsync 2>&1 | tail -n 1
poweroff -f' --disk /tmp/a:ro --disk /tmp/b)
holds "the guest reads what is there" "$sum" "$got"
same "B03: a read-only disk is as it was" "$sum" "$(sha256sum </tmp/a | cut -d' ' -f1)"
same "what it wrote is on the host" "$sum" "$(head -c 8388608 /tmp/b | sha256sum | cut -d' ' -f1)"
for i in 1 2 3 4; do
    same "written at once by four: $i" "$(dd if=/tmp/a bs=4k count=128 skip=$((i * 200)) 2>/dev/null | sha256sum)" \
        "$(dd if=/tmp/b bs=4k count=128 skip=$((2500 + i * 128)) 2>/dev/null | sha256sum)"
done
holds "power-off" "poweroff" "$got"
holds "reboot" "reboot" "$(guest 'reboot -f')"
holds "C10: a kernel panic" "panic" "$(guest 'exit 1')"
finish
