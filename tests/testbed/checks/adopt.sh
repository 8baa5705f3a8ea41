# shellcheck shell=sh
# adopt.sh - H03 with real guests on carrel-vmm: the keeper is killed, the machine goes on.
# kernels: debian
# shellcheck source=tests/testbed/checks/check.sh
. /checks/check.sh
export CARREL_KERNEL="${KERNELS##* }"

field() { carrel inspect "$1" | sed -n "s/.*\"$2\": \"\{0,1\}\([^\",]*\).*/\1/p" | head -n 1; }
hundredths() { cut -d' ' -f1 /proc/uptime | tr -d .; } # of a second
# Kills the keeper of a sandbox; how many ms until another one has it.
kill_keeper() {
    keeper=$(field "$1" keeper_pid)
    from=$(hundredths)
    kill -9 "$keeper"
    until_ 20 sh -c "! carrel inspect $1 | grep -q '\"keeper_pid\": $keeper,'" || not_ok "$1: nobody adopted it"
    echo "adopted after at most $((($(hundredths) - from) * 10)) ms"
}

# A command that says nothing while its keeper dies.
carrel run --engine kvm -d --name quiet mini -- sh -c 'seq 1 2000; until [ -e /tmp/go ]; do usleep 20000; done; seq 2001 60000; exit 5' \
    >/dev/null || not_ok "run"
until_ 30 sh -c 'carrel logs quiet | grep -q "^2000$"' || not_ok "it begins"
vmm=$(field quiet vmm_pid)
kill_keeper quiet
same "the same machine" "$vmm" "$(field quiet vmm_pid)"
same "exec" "back" "$(timeout 60 carrel exec quiet -- sh -c 'touch /tmp/go; echo back')"
same "its exit status" 5 "$(timeout 60 carrel wait quiet)"
carrel logs quiet >/tmp/got
seq 1 60000 >/tmp/wanted
same "its output" "$(sha256sum </tmp/wanted)" "$(sha256sum </tmp/got)"
carrel audit verify quiet >/dev/null || not_ok "its log verifies"
holds "its log tells" sandbox.adopted "$(carrel audit tail -n 50 quiet)"
carrel rm quiet >/dev/null

# One that never stops talking loses nothing either: what was on the wire is said again.
carrel run --engine kvm -d --name loud mini -- sh -c 'i=0; until [ -e /tmp/go ]; do i=$((i+1)); echo $i; done; echo last; exit 6' \
    >/dev/null || not_ok "run"
for _ in 1 2 3; do
    until_ 30 sh -c '[ -n "$(carrel logs loud)" ]' || not_ok "it talks"
    kill_keeper loud
    same "cp" yes "$(echo yes >/tmp/yes; timeout 60 carrel cp /tmp/yes loud:/tmp/yes; timeout 60 carrel exec loud -- cat /tmp/yes)"
done
carrel exec loud -- touch /tmp/go
same "its exit status" 6 "$(timeout 60 carrel wait loud)"
carrel logs loud >/tmp/got
same "its last word" last "$(tail -n 1 /tmp/got)"
last=$(tail -n 2 /tmp/got | head -n 1)
{ seq 1 "$last"; echo last; } >/tmp/wanted
echo "of $(wc -c </tmp/wanted) bytes $(($(wc -c </tmp/wanted) - $(wc -c </tmp/got))) did not arrive"
same "its output" "$(sha256sum </tmp/wanted)" "$(sha256sum </tmp/got)"
carrel rm loud >/dev/null

# What ran for a client ends; who holds the keeper takes everything along.
carrel run --engine kvm -d --name box mini -- sleep 1000 >/dev/null
timeout 60 carrel exec box -- sh -c 'sleep 717; echo no' >/tmp/cut 2>&1 &
until_ 30 sh -c 'carrel exec box -- pidof sleep | grep -q " "' || not_ok "exec goes on"
kill_keeper box
until_ 20 sh -c 'carrel exec box -- ps | grep -qv "[s]leep 717"' || not_ok "what a client ran is ended"
same "what a client ran is ended" "" "$(carrel exec box -- ps | grep '[s]leep 717')"
kill -9 "$(cut -d' ' -f3 "$CARREL_STATE"/sandboxes/*/lock)"
until_ 5 sh -c '[ -z "$(pidof carrel-vmm carrel-keeper)" ]' || not_ok "something goes on: $(pidof carrel-vmm carrel-keeper)"
same "and the record says so" keeper-lost "$(field box reason)"
carrel rm box >/dev/null
same "nothing is left" "" "$(carrel ls -q)$(pidof carrel-vmm carrel-keeper)"
finish
