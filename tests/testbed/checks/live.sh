# shellcheck shell=sh
# live.sh - a live mount on carrel-vmm: both sides see what the other does, what is denied is denied.
# kernels: lean
# shellcheck source=tests/testbed/checks/check.sh
. /checks/check.sh
export CARREL_KERNEL="${KERNELS##* }"
mkdir /tmp/ws
cd /tmp/ws || exit
cat >/tmp/live.yaml <<E
carrel: 1
name: live
memory: {max: 256MiB}
tools: {commands: [{id: all, exec: {path: "/**", shell: true}, argv: [{allow: [{any: {count: 0..99}}]}], env: {allow: ["*"]}, paths: {ro: [/], rw: [/tmp, /w]}}]}
storage:
  root: {mode: overlay, quota: {bytes: 100MiB, inodes: 10k}}
  mounts:
    - {id: w, source: /tmp/ws, target: /w, access: rw, share: live, quota: {bytes: 16MiB, inodes: 100}, deny_read: ["**/.env"]}
E
echo host >a
echo SECRET >.env
dd if=/dev/urandom of=blob bs=64k count=64 2>/dev/null
timeout 100 carrel run -q --engine kvm --name live -p /tmp/live.yaml mini -- sh -c '
    cat /w/a /w/.env; ls -A /w; cp /w/blob /w/copy; sha256sum </w/copy; mkdir /w/d; echo guest >/w/d/f; mv /w/d /w/e' >/tmp/out 2>&1
same "the host's file, and not what is denied" "host 0" "$(head -n 1 /tmp/out) $(grep -c SECRET /tmp/out)"
same "4 MiB in and out again" "$(sha256sum <blob)" "$(grep -- - /tmp/out)"
same "and as the host has them" "$(sha256sum <blob)" "$(sha256sum <copy)"
same "the guest's file" guest "$(cat e/f)"
same "the denial is on record" 1 "$(carrel audit query live | grep -c 'deny *file *storage/w/deny_read')"
finish
