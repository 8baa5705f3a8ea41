# shellcheck shell=sh
# live.sh - a live mount on carrel-vmm, over virtio-fs: the guest's kernel, our device,
# carrel-files, a directory of the host.
# kernels?: debian
# kernels?: lean
# shellcheck source=tests/testbed/checks/check.sh
. /checks/check.sh
export CARREL_KERNEL="${KERNELS##* }"
mkdir -p /tmp/live/sub /tmp/doc
chmod 755 /tmp/live /tmp/live/sub /tmp/doc
cat >/tmp/live.yaml <<'END'
carrel: 1
name: test
tools: {commands: [{id: all, exec: {path: "/**", shell: true}, argv: [{allow: [{any: {count: 0..99}}]}], env: {allow: ["*"]}, paths: {ro: [/], rw: [/]}}]}
storage:
  root: {mode: overlay, quota: {bytes: 512MiB, inodes: 50k}}
  mounts:
    - {id: src, source: /tmp/live, target: /src, access: rw, share: live, deny_read: ["**/.env"]}
    - {id: doc, source: /tmp/doc, target: /doc, access: ro, share: live}
END
echo "hello from the host" >/tmp/live/sub/greeting
echo "a page" >/tmp/doc/page
echo SECRET >/tmp/live/.env
dd if=/dev/urandom of=/tmp/live/blob bs=1M count=4 2>/dev/null
sum=$(sha256sum </tmp/live/blob | cut -d' ' -f1)

carrel run --engine kvm -p /tmp/live.yaml -d --name box mini -- sleep 1000 >/dev/null || not_ok "run -d"
in_guest() { timeout 60 carrel exec -w / box -- sh -c "$1" 2>&1; }
holds "the kernel asks the device" "virtiofs" "$(in_guest 'grep " /src " /proc/mounts')"
same "look up and read" "hello from the host" "$(in_guest 'cat /src/sub/greeting')"
in_guest 'cat /src/.env' >/tmp/denied
same "what is denied is not read" 0 "$(grep -c SECRET /tmp/denied)"
until_ 20 sh -c 'carrel audit query box | grep -q "deny *file *storage/src/deny_read"' || not_ok "… and is on record"
same "4 MiB read, and read again after a copy" 2 \
    "$(in_guest 'sha256sum </src/blob; cp /src/blob /src/copy; sha256sum </src/copy' | grep -c "$sum")"
same "what it wrote is on the host" "$sum" "$(sha256sum </tmp/live/copy | cut -d' ' -f1)"
same "a program, mapped from there" mapped "$(in_guest 'cp /bin/busybox /src/sub/echo && /src/sub/echo mapped')"
in_guest 'for i in 1 2 3 4; do dd if=/src/blob of=/src/part$i bs=7777 skip=$i count=100 2>/dev/null & done; wait'
for i in 1 2 3 4; do
    same "written at once by four: $i" "$(dd if=/tmp/live/blob bs=7777 skip=$i count=100 2>/dev/null | sha256sum)" \
        "$(sha256sum </tmp/live/part$i)"
done
same "metadata" "640 2 12 data" \
    "$(in_guest 'cd /src && mkdir d && printf "data\n%s" "1234567" >d/f && chmod 640 d/f && mv d/f d/g && ln -s g d/l && echo $(stat -c "%a" d/g) $(ls d | wc -l) $(stat -c %s d/g) $(head -n 1 d/l)')"
same "… as the host has it" "640 12" "$(stat -c '%a %s' /tmp/live/d/g)"
same "many names" "60 0" "$(in_guest 'mkdir /src/many && cd /src/many && for i in $(seq 60); do : >f$i; done; a=$(ls | wc -l); rm f*; echo $a $(ls | wc -l)')"
# Before Linux 6.10 the host could not name such a file, so a program is told to make another.
case $(uname -r) in
[0-5].* | 6.[0-9].*) could="O_TMPFILE: not supported" whole= ;;
*) could=named whole=whole ;;
esac
cp /opt/carrel/bin/nameless /tmp/live/
same "a file without a name, as far as the host's $(uname -r) can name it" "$could" "$(in_guest '/src/nameless /src')"
same "… as the host has it" "$whole" "$(cat /tmp/live/whole 2>/dev/null)"
echo "from outside" >/tmp/live/sub/greeting
same "what changes on the host is seen" "from outside" "$(in_guest 'cat /src/sub/greeting')"
same "a read-only mount reads" "a page" "$(in_guest 'cat /doc/page')"
holds "… and is not written to" "Read-only" "$(in_guest 'echo x >/doc/page')"

carrel attest box >/tmp/attest 2>&1 || not_ok "attest: $(grep DIFFERENT /tmp/attest)"
same "attest looks at the machine and its server" "2 2" \
    "$(grep -c 'root *same' /tmp/attest) $(grep -c 'none but those given  *none but' /tmp/attest)"
keeper=$(carrel inspect box | sed -n 's/.*"keeper_pid": \([0-9]*\).*/\1/p' | head -n 1)
server=$(pidof carrel-files)
kill -9 "$keeper"
until_ 20 sh -c "! carrel inspect box | grep -q '\"keeper_pid\": $keeper,'" || not_ok "nobody adopted it"
same "its keeper dies: the server does not" "from outside $server" "$(in_guest 'cat /src/sub/greeting') $(pidof carrel-files)"
in_guest 'ls /src; mkdir /src/a; echo x >/src/a/.env; cat /src/a/.env' >/tmp/denied
until_ 20 sh -c 'carrel audit query box | grep "deny *file *storage/src/deny_read" | grep -q "a/.env"' ||
    not_ok "what it denies then is on record"
carrel attest box >/tmp/attest 2>&1 || not_ok "attest, after that: $(grep DIFFERENT /tmp/attest)"
kill -9 "$(pidof carrel-files)"
until_ 20 sh -c 'carrel audit query box | grep -q files.lost' || not_ok "its end is on record"
holds "the server dies: an error, and no hang" "not connected" "$(in_guest 'cat /src/sub/greeting')"
same "… and the machine lives on" alive "$(in_guest 'echo alive')"
carrel attest box >/tmp/attest 2>&1 && not_ok "a server that is gone is no difference"
carrel stop -t 5s box >/dev/null || not_ok "stop"
carrel rm box >/dev/null || not_ok "rm"
same "nothing is left" "" "$(carrel ls -q)$(pidof carrel-vmm carrel-keeper carrel-files)"
finish
