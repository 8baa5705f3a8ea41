# shellcheck shell=sh
# life.sh - a sandbox's life on carrel-vmm: exec, terminal, cp, signals, time-outs, ends of each kind.
# kernels: debian
# kernels?: lean
# programs: script
# shellcheck source=tests/testbed/checks/check.sh
. /checks/check.sh
export CARREL_KERNEL="${KERNELS##* }"
mkfifo /tmp/hold
exec 3<>/tmp/hold # a standard input that never ends
run() { timeout 60 carrel run --engine kvm "$@"; }

same "exit status" 7 "$(run mini -- sh -c 'exit 7' >/dev/null 2>&1; echo $?)"
same "a command that is not there" 127 "$(run mini -- no-such-thing >/dev/null 2>&1; echo $?)"
same "killed by a signal" 137 "$(run mini -- sh -c 'kill -9 $$' >/dev/null 2>&1; echo $?)"
same "standard input, output and error" "3 err" \
    "$(printf abc | run mini -- sh -c 'wc -c; echo err >&2' 2>/tmp/err | tr -d '\n '; echo " $(cat /tmp/err)")"
same "time-out" 124 "$(run --timeout 2s mini -- sleep 100 >/dev/null 2>&1; echo $?)"

carrel run --engine kvm -d --name box mini -- sleep 1000 >/dev/null || not_ok "run -d"
same "exec" "root /" "$(carrel exec box -- sh -c 'echo $(id -un) $(pwd)')"
same "exec: environment, directory" "/tmp v" "$(carrel exec -e A=v -w /tmp box -- sh -c 'echo $(pwd) $A')"
same "exec: many at once" 10 "$(for i in 1 2 3 4 5 6 7 8 9 10; do carrel exec box -- echo "$i" & done | sort -u | wc -l)"
same "terminal: its size" "24 80" "$(script -qec 'stty rows 24 cols 80; carrel exec -t box -- stty size' /dev/null <&3 | tr -d '\r')"
same "no terminal unasked" "not a tty" "$(carrel exec box -- tty)"

dd if=/dev/urandom of=/tmp/blob bs=64k count=96 2>/dev/null
carrel cp /tmp/blob box:/tmp/in || not_ok "cp in"
carrel cp box:/tmp/in /tmp/out || not_ok "cp out"
same "cp: 6 MiB in, and out again" "$(sha256sum </tmp/blob)" "$(sha256sum </tmp/out)"
same "cp: what the guest has" "$(sha256sum </tmp/blob)" "$(carrel exec box -- sha256sum <&- /tmp/in | sed 's,/tmp/in,-,')"

timeout 60 carrel exec box -- sh -c 'trap "exit 33" USR1; echo $$ >/tmp/pid; while :; do usleep 10000; done' &
exec_pid=$!
until_ 30 carrel exec box -- test -s /tmp/pid || not_ok "exec goes on"
carrel exec box -- sh -c 'kill -USR1 $(cat /tmp/pid)'
wait $exec_pid
same "a trap in the guest" 33 $?

CARREL_CONSOLE=1 carrel run --engine kvm -d --name tty mini -- sleep 1000 >/dev/null || not_ok "run with a console"
same "user space on the serial port" "0 16550A irq:0" \
    "$(timeout 60 carrel exec tty -- sh -c 'echo from user space >/dev/ttyS0; echo $? $(sed -n "s/^0: uart:\([^ ]*\) .*\(irq:[0-9]*\).*/\1 \2/p" /proc/tty/driver/serial)')"
until_ 20 sh -c 'carrel logs --source console tty | grep -q "from user space"' || not_ok "the serial port's words arrive"
carrel rm -f tty >/dev/null

carrel stop -t 5s box >/dev/null || not_ok "stop"
holds "stop: the end has a reason" '"reason"' "$(carrel inspect box)"
carrel rm box >/dev/null || not_ok "rm"

carrel run --engine kvm -d --name sig mini -- sh -c 'trap "exit 5" TERM; while :; do usleep 10000; done' >/dev/null
until_ 30 carrel exec sig -- true
carrel kill -s TERM sig >/dev/null || not_ok "kill -s"
same "a signal to the main command" 5 "$(timeout 30 carrel wait sig)"
carrel rm sig >/dev/null

carrel run --engine kvm -d --name off mini -- sleep 1000 >/dev/null
carrel exec off -- sh -c 'kill -9 1; true' >/dev/null 2>&1
same "C09: PID 1 cannot be killed from inside" alive "$(carrel exec off -- echo alive)"
kill -9 "$(pidof carrel-vmm)"
until_ 20 sh -c 'carrel inspect off | grep -q "\"phase\": \"ended\""' ||
    not_ok "H02: a killed VMM is noticed: $(carrel inspect off)"
carrel rm off >/dev/null 2>&1
same "nothing is left" "" "$(carrel ls -q)$(pidof carrel-vmm carrel-keeper)"
finish
