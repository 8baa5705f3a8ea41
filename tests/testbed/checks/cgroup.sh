# shellcheck shell=sh
# cgroup.sh - a host with cgroup v2 and all its controllers: the machine's limits are what the plan
# says, they hold, and nothing is left of them.
# kernels: debian
# shellcheck source=tests/testbed/checks/check.sh
. /checks/check.sh
cat >/tmp/half.yaml <<END
carrel: 1
name: half
cpu: {vcpus: 1, quota: 50%}
memory: {max: 256MiB}
limits: {wall: 1h, idle: 1h, pids: 200, open_files: 1000}
tools:
  commands:
    - {id: image, exec: {path: "/**", shell: true}, argv: [{allow: [{any: {count: 0..9}}]}], env: {allow: ["*"]}, paths: {ro: [/]}}
storage:
  root: {mode: overlay, quota: {bytes: 100MiB, inodes: 10k}}
END
carrel run --engine kvm -d --name box --policy /tmp/half.yaml mini -- sleep 1000 >/dev/null
carrel exec box -- true
leaf=$(find /sys/fs/cgroup -type d -name 'carrel-*')
in_leaf() { cat "$leaf/$1"; }
count() { in_leaf cpu.stat | sed -n "s/^$1 //p"; }

seen=$(carrel attest box)
same "attest finds what is recorded" "" "$(echo "$seen" | grep -v -e same -e unseen -e CHECK)"
for file in memory.max memory.swap.max; do
    holds "attest reads $file" "$file" "$seen"
done
same "memory: guest, a 32nd, 64 MiB" $(((256 + 8 + 64) * 1048576)) "$(in_leaf memory.max)"
same "no swap" 0 "$(in_leaf memory.swap.max)"
same "one leaf, one end" 1 "$(in_leaf memory.oom.group)"
same "threads: device, CPU, and the launcher that waits" 3 "$(in_leaf pids.max)"
same "half a CPU" "50000 100000" "$(in_leaf cpu.max)"
same "the machine is in it" yes "$(grep -qx "$(pidof carrel-vmm | cut -d' ' -f1)" "$leaf/cgroup.procs" && echo yes)"

# The guest works as hard as it can until the host has given it two seconds of a CPU.
now() { cut -d' ' -f1 /proc/uptime | tr -d .; } # 1/100 s
begin=$(now)
used=$(count usage_usec)
throttled=$(count nr_throttled)
carrel exec box -- sh -c 'while :; do :; done' &
works=$!
until_ 60 sh -c "[ \$(sed -n 's/^usage_usec //p' $leaf/cpu.stat) -ge $((used + 2000000)) ]" || not_ok "the guest works"
took=$(($(now) - begin))
if [ $took -ge 350 ]; then ok "two seconds of a CPU took $took/100"; else not_ok "two seconds of a CPU took $took/100"; fi
if [ "$(count nr_throttled)" -gt "$throttled" ]; then ok "throttled"; else not_ok "never throttled"; fi

# H09: the host needs the memory back.
echo 1M >"$leaf/memory.max"
until_ 30 sh -c 'carrel inspect box | grep -q "\"phase\": \"ended\""' || not_ok "H09: its end is noticed"
ended=$(carrel inspect box)
holds "H09: it ended alone" '"vmm-crash"' "$ended"
holds "H09: the cause is said" "no more memory" "$ended"
wait $works
carrel rm box >/dev/null
same "nothing is left" "" "$(carrel ls -q)$(pidof carrel-vmm carrel-keeper)$(find /sys/fs/cgroup -name 'carrel-*')"
finish
