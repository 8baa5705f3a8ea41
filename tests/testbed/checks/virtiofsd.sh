# shellcheck shell=sh
# virtiofsd.sh - carrel-vmm's virtio-fs device before a server that is not ours: QEMU's virtiofsd, over
# vhost-user. It drops its doorbells when a queue stops, so it serves one driver.
# kernels: lean
# programs: /usr/lib/qemu/virtiofsd
# shellcheck source=tests/testbed/checks/check.sh
. /checks/check.sh
# shellcheck source=tests/testbed/checks/guest.sh
. /checks/guest.sh

mkdir -p /tmp/shared
dd if=/dev/urandom of=/tmp/shared/blob bs=1M count=2 2>/dev/null
sum=$(sha256sum </tmp/shared/blob | cut -d' ' -f1)
server() {
    rm -f /tmp/vfsd
    /usr/lib/qemu/virtiofsd --socket-path=/tmp/vfsd -o source=/tmp/shared -o cache=auto >/tmp/vfsd.log 2>&1 &
    vfsd=$!
    until_ 20 test -S /tmp/vfsd || not_ok "virtiofsd does not start"
}

server
got=$(guest 'mkdir /m; mount -t virtiofs carrel.files /m
sha256sum </m/blob
for i in 1 2 3 4; do cp /m/blob /m/copy$i & done; wait
mkdir /m/many; cd /m/many; for i in $(seq 100); do echo $i >f$i; done; cat f* | wc -l; rm f*; ls | wc -l
cd /; umount /m
for d in /sys/bus/virtio/drivers/virtiofs/virtio*; do echo "${d##*/}" >/sys/bus/virtio/drivers/virtiofs/unbind; done
echo "reset is over"
poweroff -f' --files /tmp/vfsd --balloon)
holds "read through another server" "$sum" "$got"
for i in 1 2 3 4; do
    same "… and written, by four at once: $i" "$sum" "$(sha256sum </tmp/shared/copy$i | cut -d' ' -f1)"
done
holds "many names" "100
0" "$got"
holds "it stops when the driver goes" "reset is over" "$got"
holds "no rule was broken" "mistakes 0" "$got"

server
(
    until_ 60 test -e /tmp/shared/kill
    kill -9 "$vfsd"
) &
got=$(guest 'mkdir /m; mount -t virtiofs carrel.files /m
(: >/m/kill) 2>/dev/null
while cat /m/blob >/dev/null; do :; done
echo "lives on"
poweroff -f' --files /tmp/vfsd)
holds "it dies in the middle: an error, and no hang" "not connected" "$got"
holds "… and the machine lives on" "lives on" "$got"
finish
