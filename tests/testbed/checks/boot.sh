# shellcheck shell=sh
# boot.sh - each kernel, with 1, 2 and 4 virtual CPUs, boots under carrel-vmm and runs a command; the
# lean one with 8, too. More: size.sh.
# kernels: debian
# kernels?: debian-6.12 lean
# shellcheck source=tests/testbed/checks/check.sh
. /checks/check.sh
for kernel in $KERNELS; do
    version=$(sed -n 's/.*"version": "\(.*\)".*/\1/p' "$CARREL_DATA/kernels/$kernel/kernel.json")
    for cpus in 1 2 4; do
        got=$(carrel run --engine kvm --kernel "$kernel" -c $cpus mini -- sh -c 'echo $(uname -r) $(nproc)' 2>&1)
        same "$kernel with $cpus CPUs" "$version $cpus" "$got"
    done
done
case " $KERNELS " in
*" lean "*)
    got=$(carrel run --engine kvm --kernel lean -c 8 mini -- nproc 2>&1)
    same "lean with 8 CPUs" 8 "$got"
    ;;
esac
cat >/tmp/checked.yaml <<END
carrel: 1
name: checked
cpu: {vcpus: 1, quota: 100%}
memory: {max: 512MiB}
image: {verity: true}
limits: {wall: 1h, idle: 1h, pids: 200, open_files: 1000}
tools:
  commands:
    - {id: image, exec: {path: "/**"}, argv: [{allow: [{any: {count: 0..9}}]}], env: {allow: ["*"]}, paths: {ro: [/]}}
storage:
  root: {mode: overlay, quota: {bytes: 100MiB, inodes: 10k}}
END
for kernel in $KERNELS; do
    [ "$kernel" != lean ] || continue # has no dm-verity
    got=$(carrel run --engine kvm --kernel "$kernel" --policy /tmp/checked.yaml mini -- cat /sys/block/dm-0/dm/name 2>&1)
    same "$kernel: image.verity" image "$got"
done
same "nothing is left" "" "$(carrel ls -q)$(pidof carrel-vmm)"
finish
