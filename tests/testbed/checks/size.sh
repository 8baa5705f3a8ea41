# shellcheck shell=sh
# size.sh - the largest and smallest machines: many virtual CPUs on two, little memory, and memory past
# the hole below 4 GiB. Long: 32 virtual CPUs take minutes on an emulated host.
# kernels: lean
# shellcheck source=tests/testbed/checks/check.sh
. /checks/check.sh
export CARREL_BOOT_TIMEOUT=600000
for cpus in 16 32; do
    same "$cpus CPUs" "$cpus" "$(carrel run --engine kvm --kernel lean -c $cpus mini -- nproc 2>&1)"
done
mem() { carrel run --engine kvm --kernel lean -m "$1" mini -- awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo 2>&1; }
got=$(mem 64M)
same "64 MiB" yes "$([ "$got" -ge 40 ] && [ "$got" -le 64 ] && echo yes || echo "$got")"
got=$(mem 6G)
same "6 GiB, 3 of them past the hole" yes "$([ "$got" -ge 5800 ] && [ "$got" -le 6144 ] && echo yes || echo "$got")"
finish
