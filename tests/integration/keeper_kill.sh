#!/bin/bash
# keeper_kill.sh - every process of a sandbox killed or interrupted at many moments: nothing is
# left but the truth (h02, h06, R02). Real guests; whatever engine this host gets.
set -uo pipefail
cd "${CARREL_SOURCE:-$(dirname "$0")/../..}" || exit 1
. tests/needs.sh
build=${CARREL_BUILD:-build/release}
carrel=$(realpath "$build/bin/carrel" 2>/dev/null) && [ -x "$carrel" ] || skip tools "$build/bin/carrel is not built"
unset CARREL_KERNEL
"$carrel" kernel default >/dev/null 2>&1 || skip kernel "no guest kernel (carrel kernel fetch)"
"$carrel" image inspect mini >/dev/null 2>&1 || skip image "no image mini (carrel image build mini)"
export CARREL_STATE
CARREL_STATE=$(mktemp -d)
trap 'rm -rf "$CARREL_STATE"' EXIT
failed=0

fail() { echo "FAILED: $*"; failed=1; }

# Processes of this test's sandboxes: they hold a file below its state directory.
leftovers() {
    find /proc/[0-9]*/fd -lname "$CARREL_STATE/*" 2>/dev/null | cut -d/ -f3 | sort -u
}

# Waits until the leftovers are gone; 10 s are a hundred times what it takes.
none_left() {
    for _ in $(seq 100); do
        [ -z "$(leftovers)" ] && return 0
        sleep 0.1
    done
    return 1
}

field() { "$carrel" inspect "$1" | sed -nE "s/.*\"$2\": \"?([^\",]*)\"?,?\$/\\1/p" | head -1; }

# ---- an ephemeral run, its client killed or interrupted after MS milliseconds
for signal in KILL INT TERM HUP; do
    for ms in 0 30 200 1500; do
        # A shell without job control would have it ignore INT and QUIT.
        env --default-signal=INT,QUIT "$carrel" run mini -- sleep 1000 >/dev/null 2>&1 &
        pid=$!
        sleep "$(printf '0.%03d' $((ms % 1000)))"; [ $ms -lt 1000 ] || sleep $((ms / 1000))
        kill -s $signal $pid 2>/dev/null
        # One signal is passed on to the command; three insist.
        if [ $signal != KILL ]; then
            kill -s INT $pid 2>/dev/null; kill -s INT $pid 2>/dev/null; kill -s INT $pid 2>/dev/null
        fi
        ( trap 'kill $!; exit' TERM; sleep 60 & wait $!; kill -KILL $pid ) >/dev/null 2>&1 & watchdog=$!
        wait $pid 2>/dev/null
        kill $watchdog 2>/dev/null; wait $watchdog 2>/dev/null
        "$carrel" ls >/dev/null 2>&1
        none_left || fail "$signal after $ms ms: processes left: $(leftovers | tr '\n' ' ')"
        "$carrel" ls >/dev/null 2>&1
        # A sandbox that was made and never started is left to its client for a minute.
        for left in "$CARREL_STATE"/sandboxes/*/state.json; do
            [ -e "$left" ] || continue
            grep -q '"created"' "$left" || fail "$signal after $ms ms: $(cat "$left")"
            rm -rf "$(dirname "$left")"
        done
    done
done
rm -rf "$CARREL_STATE"/sandboxes/* "$CARREL_STATE"/names/*

# ---- who holds the keeper (or another would follow it), then the engine, of one that is kept
victim_of() { # SANDBOX KIND: a pid
    case $2 in
    holder) ps -o ppid= -p "$(field "$1" keeper_pid)" | tr -d ' ' ;;
    *) field "$1" "$2_pid" ;;
    esac
}

for victim in holder vmm; do
    "$carrel" run -d --name v mini -- sleep 1000 >/dev/null || fail "run -d"
    "$carrel" exec v -- true || fail "exec before $victim"
    kill -KILL "$(victim_of v $victim)"
    begin=$(date +%s%N)
    while [ "$(field v phase)" != ended ]; do sleep 0.05; done
    took=$((($(date +%s%N) - begin) / 1000000))
    [ $took -lt 2000 ] || fail "$victim: mended only after $took ms"
    reason=$(field v reason)
    case $victim:$reason in
    holder:keeper-lost | vmm:vmm-crash) ;;
    *) fail "$victim: reason $reason" ;;
    esac
    none_left || fail "$victim: processes left"
    "$carrel" start v >/dev/null || fail "start again after $victim"
    "$carrel" exec v -- true || fail "exec after $victim"
    "$carrel" rm -f v >/dev/null || fail "rm -f after $victim"
    none_left || fail "rm -f: processes left"
done

# ---- an ephemeral one loses both: the next look removes it
"$carrel" run -d --rm --name e mini -- sleep 1000 >/dev/null || fail "run -d --rm"
"$carrel" exec e -- true || fail "exec in e"
kill -KILL "$(victim_of e holder)"
for _ in $(seq 20); do # its lock goes when the kernel has taken it apart
    "$carrel" ls >/dev/null
    [ -z "$(ls "$CARREL_STATE/sandboxes")" ] && break
    sleep 0.1
done
[ -z "$(ls "$CARREL_STATE/sandboxes")" ] || fail "an ephemeral sandbox without keeper was kept"
none_left || fail "e: processes left"
exit $failed
