# cli_keeper.bats - keepers and machines that are killed, stopped, hung or short of descriptors; the
# machine is a fake one that ends for no reason of its own.

bats_require_minimum_version 1.5.0

setup() {
    cd "$WORK" || return
    export CARREL_QUIET_MS=1000
}

teardown() {
    local pid
    for pid in $stopped; do kill -CONT "$pid" 2>/dev/null || :; done
    carrel ls -q | while read -r name; do carrel rm -f "$name" >/dev/null || :; done
    [ -z "$(carrel ls -q)" ]
}

start() { # NAME [OPTION]...: its command waits for a signal
    local name=$1
    shift
    carrel run -q -d --name "$name" "$@" mini -- /wait >/dev/null
    keeper=$(state "$name" keeper_pid)
    machine=$(state "$name" vmm_pid)
}

state() { # NAME KEY
    carrel inspect "$1" | jq -r ".state.$2"
}

runs() { # PID: and is no zombie
    [[ $(ps -o stat= -p "$1") == [^Z]* ]]
}

await_end() { # PID: within 5 s
    for _ in $(seq 250); do
        runs "$1" || return 0
        sleep 0.02
    done
    return 1
}

await_heard() { # N: so many signals came to the machine's command, within 5 s
    for _ in $(seq 250); do
        [ "$(grep -c heard out)" -lt "$1" ] || return 0
        sleep 0.02
    done
    return 1
}

await_output() { # FILE: within 5 s
    for _ in $(seq 250); do
        [ ! -s "$1" ] || return 0
        sleep 0.02
    done
    return 1
}

halt() { # PID
    kill -STOP "$1"
    stopped+=" $1"
    until [[ $(ps -o stat= -p "$1") == T* ]]; do :; done
}

above() { # NAME: the process that holds its keeper
    cut -d' ' -f3 "$CARREL_STATE"/sandboxes/"$(carrel inspect "$1" | jq -r .config.id)"/lock
}

await_keeper() { # NAME OLD: another one, within 5 s
    for _ in $(seq 250); do
        keeper=$(state "$1" keeper_pid)
        [ "$keeper" = "$2" ] || [ "$keeper" = 0 ] || return 0
        sleep 0.02
    done
    return 1
}

await_outcome() { # NAME OLD: another keeper has it, or it has ended, within 5 s
    local phase
    for _ in $(seq 250); do
        phase=$(state "$1" phase)
        [ "$phase" != ended ] || return 0
        [ "$phase" != running ] || [ "$(state "$1" keeper_pid)" = "$2" ] || return 0
        sleep 0.02
    done
    return 1
}

await_none() { # no sandbox is left, within 5 s
    for _ in $(seq 250); do
        [ -n "$(carrel ps -aq)" ] || return 0
        sleep 0.02
    done
    return 1
}

await_running() { # NAME: its guest is up, within 5 s
    for _ in $(seq 250); do
        [ "$(state "$1" phase)" != running ] || return 0
        sleep 0.02
    done
    return 1
}

allowing() { # PROGRAM...: a policy
    printf 'carrel: 1\nname: some\nlimits: {wall: 1h, idle: 1h}\n'
    printf 'budget: {tool_calls: 5}\nstorage: {root: {quota: {bytes: 64MiB, inodes: 5k}}}\n'
    printf 'tools:\n  commands:\n'
    for program; do
        printf '    - {id: %s, exec: {path: /%s}, user: 0, argv: [], env: {allow: ["*"]}}\n' \
            "$program" "$program"
    done
}

@test "h03: a killed keeper's machine goes on with another" {
    allowing deaf echo wait >wide.yaml
    allowing deaf echo >narrow.yaml
    carrel run -q -d --name box -p wide.yaml mini -- /deaf >/dev/null
    await_running box
    first=$(state box keeper_pid) machine=$(state box vmm_pid)
    carrel exec -d box -- /wait # a command of somebody else
    kill -KILL "$first"
    [ "$(carrel exec box -- /echo)" = /echo ] # who comes in between waits at the door
    await_keeper box "$first"
    runs "$machine"
    [ "$(state box vmm_pid)" = "$machine" ]
    [ "$(state box phase)" = running ]
    carrel kill -s TERM box
    carrel logs -f box >out & logs=$!
    await_heard 1
    [[ $(carrel ps --format name,state) == *"running"* ]]
    # its policy goes on, and may be narrowed; so do its budgets
    carrel policy apply box narrow.yaml
    second=$keeper
    kill -KILL "$second"
    await_keeper box "$second"
    run carrel exec box -- /wait
    [ "$status" -eq 126 ]
    [ "$(carrel exec box -- /echo)" = /echo ]
    [ "$(carrel exec box -- /echo)" = /echo ]
    run carrel exec box -- /echo
    [ "$status" -eq 126 ]
    [[ $output == *tool_calls* ]]
    kill "$logs" || :
    carrel kill box
    await_end "$machine"
    await_end "$keeper"
    [ "$(state box reason)" = killed ]
    carrel audit verify box
    log=$(carrel audit tail -n 100 box)
    [ "$(grep -c sandbox.adopted <<<"$log")" = 2 ]
    [[ $log == *"its keeper was killed"* ]]
    [[ $log != *sandbox.lost* ]]
    carrel gc
    [ "$(carrel gc --json)" = "[]" ]
}

@test "h03: the exit status of a command that ended while nobody looked" {
    carrel run -q -d --name box mini -- /wait >/dev/null
    await_running box
    first=$(state box keeper_pid)
    kill -KILL "$first"
    await_keeper box "$first"
    carrel kill -s USR1 box
    [ "$(carrel wait box)" = 138 ]
    [ "$(state box reason)" = signal ]
}

@test "h03: who waits for the end waits on; wall time goes on" {
    start box --wall 4s --stop-timeout 100ms
    await_running box
    began=$(date +%s%N)
    carrel wait box >out 2>&1 & waiter=$!
    until [[ $(cat "/proc/$waiter/syscall") == 7\ * ]]; do [ -d "/proc/$waiter" ]; done
    first=$keeper
    kill -KILL "$first"
    await_keeper box "$first"
    wait "$waiter"
    [ "$(cat out)" = 143 ]
    [ $((($(date +%s%N) - began) / 1000000)) -lt 5000 ]
    [ "$(state box reason)" = limit ]
    [[ $(state box text) == *limits.wall* ]]
}

@test "h03: so many keepers and no more, then the machine ends and the record says why" {
    start box
    await_running box
    for _ in 1 2 3 4 5 6 7; do
        old=$(state box keeper_pid)
        kill -KILL "$old"
        await_keeper box "$old"
        [ "$(carrel exec box -- /echo)" = /echo ]
        runs "$machine"
    done
    kill -KILL "$keeper"
    await_end "$machine"
    [[ $(carrel ps -a --format name,state) == *"ended (keeper-lost)"* ]]
    carrel audit verify box
    [[ $(carrel audit tail box) == *sandbox.lost* ]]
}

@test "h03: who holds the keeper is killed: all of it ends" {
    start box
    await_running box
    holder=$(above box)
    runs "$holder"
    kill -KILL "$holder"
    await_end "$machine"
    await_end "$keeper"
    [ "$(state box reason)" = keeper-lost ]
    [ -z "$(carrel ps -q)" ]
    carrel audit verify box
    [[ $(carrel audit tail box) == *sandbox.lost* ]]
    carrel gc # its uid's claim, its socket
    [ "$(carrel gc --json)" = "[]" ]
}

@test "h03: a keeper that fails of itself is not followed" {
    start box
    await_running box
    kill -SEGV "$keeper"
    await_end "$machine"
    [ "$(state box reason)" = keeper-lost ]
}

@test "h03: one that is removed at its end goes on, without its client, and is removed at its end" {
    carrel run -q --rm --name box mini -- /deaf >out 2>err & client=$!
    await_output out
    keeper=$(state box keeper_pid) machine=$(state box vmm_pid)
    kill -KILL "$keeper"
    status=0
    wait "$client" || status=$?
    [ "$status" = 125 ]
    [[ $(cat err) == *"box goes on: carrel attach box"* ]]
    await_keeper box "$keeper"
    runs "$machine"
    carrel attach box >again & client=$!
    # What is said before it is attached is in the log only.
    for _ in $(seq 100); do
        carrel kill -s TERM box
        [ ! -s again ] || break
        sleep 0.1
    done
    [ -s again ]
    kill "$client" # of a terminal that only looks
    [ "$(carrel exec box -- /echo)" = /echo ]
    carrel stop -t 100ms box
    await_end "$machine"
    [ -z "$(carrel ps -aq)" ]
    [ -z "$(ls "$CARREL_STATE/sandboxes")" ]
}

@test "h03: killed before the command came: it waits for its client, not for ever" {
    allowing wait >p.yaml
    export CARREL_AWAIT_MS=300
    carrel run -q --rm --name box -p p.yaml mini -- /wait & client=$!
    until keeper=$(state box keeper_pid 2>/dev/null) && [ "${keeper:-0}" -gt 0 ]; do :; done
    machine=$(state box vmm_pid)
    kill -KILL "$keeper"
    wait "$client" || :
    [ "$(state box phase 2>/dev/null)" != running ] || carrel stop box || :
    await_end "$machine"
    await_none
}

@test "h03: killed while it starts, or ends: the machine goes, and the record says why" {
    for _ in 1 2 3 4 5; do
        start box
        kill -KILL "$keeper" # about when the guest comes up
        await_outcome box "$keeper"
        if [ "$(state box phase)" = running ]; then
            [ "$(carrel exec box -- /echo)" = /echo ]
        else
            [ "$(state box reason)" = keeper-lost ]
            await_end "$machine"
        fi
        carrel rm -f box >/dev/null
    done
    carrel run -q -d --name box mini -- /deaf >/dev/null
    await_running box
    keeper=$(state box keeper_pid) machine=$(state box vmm_pid)
    carrel stop -t 30s box >/dev/null 2>&1 & stopper=$!
    until [ "$(state box phase)" = stopping ]; do :; done
    kill -KILL "$keeper"
    await_end "$machine"
    wait "$stopper" || :
    [ "$(state box reason)" = keeper-lost ]
    [[ $(state box text) == *"its keeper died"* ]]
    carrel audit verify box
    [[ $(carrel audit tail box) == *sandbox.lost* ]]
}

@test "h03: inspect right after the kill, many times over, tells no lie" {
    for _ in 1 2 3 4 5; do
        start box
        kill -KILL "$keeper"
        phase=$(state box phase)
        if [ "$phase" = ended ]; then ! runs "$machine"; else await_end "$keeper"; fi
        carrel rm -f box
        await_end "$machine"
    done
}

@test "every command answers when the keeper is stopped, and says what to do" {
    start box
    halt "$keeper"
    [[ $(carrel ps --format name,state) == *"keeper stopped"* ]]
    carrel inspect box >/dev/null
    carrel logs box
    carrel gc
    carrel audit verify box || [ $? -eq 1 ] # not closed yet
    for verb in "exec box -- /true" "stop box" "kill box" "kill -s TERM box" "wait box" \
        "attach box" "logs -f box" "cp box:/x ." "policy apply box locked"; do
        begin=$(date +%s%N)
        # shellcheck disable=SC2086 # words
        run timeout 10 carrel $verb </dev/null
        took=$((($(date +%s%N) - begin) / 1000000))
        echo "$verb: $status after $took ms: $output"
        [ "$status" -ne 0 ] && [ "$status" -ne 124 ]
        # cp may not look at processes
        [[ $output == *"stopped (process $keeper): kill -CONT $keeper"* ]] ||
            [[ $verb == cp* && $output == *"(process $keeper) does not answer"* ]]
        [[ $output == *"carrel rm -f box"* ]]
    done
    run carrel rm box
    [ "$status" -ne 0 ]
    # What was given up is not done later.
    kill -CONT "$keeper"
    [ "$(carrel exec box -- /echo)" = /echo ]
    [ "$(state box phase)" = running ]
}

@test "rm -f ends a sandbox whose keeper is stopped" {
    start box
    halt "$keeper"
    timeout 10 carrel rm -f box
    await_end "$machine"
    ! runs "$keeper"
    [ -z "$(carrel ls -q)" ]
    carrel gc
    [ "$(carrel gc --json)" = "[]" ]
}

@test "a keeper that is not stopped but does nothing is told of too" {
    start box
    # Its socket is somebody's who never takes a client.
    dir=$(echo "$CARREL_STATE"/sandboxes/*)
    python3 - "$dir" <<'END'
import os, socket, sys, time
os.chdir(sys.argv[1])
os.rename("keeper.sock", "real.sock")
s = socket.socket(socket.AF_UNIX)
s.bind("keeper.sock")
s.listen(5)
if os.fork() == 0:
    for i in (0, 1, 2):
        os.close(i)
    for i in range(3, 20):
        if i != s.fileno():
            try: os.close(i)
            except OSError: pass
    time.sleep(20)
END
    run timeout 15 carrel stop box
    [ "$status" -ne 0 ] && [ "$status" -ne 124 ]
    [[ $output == *"(process $keeper) does not answer"* ]]
    timeout 15 carrel rm -f box
    await_end "$keeper"
    await_end "$machine"
}

@test "h05: a stopped machine: the watchdog ends it and says so" {
    export CARREL_PING_MS=50 CARREL_SILENT_MS=300
    start box
    carrel exec box -- /true
    halt "$machine"
    [ "$(timeout 20 carrel wait box)" = 125 ]
    [ "$(state box reason)" = watchdog ]
    [[ $(carrel audit tail box) == *watchdog* ]]
    carrel audit verify box
}

@test "h05: a stopped machine: its wall time ends it all the same" {
    start box --wall 1s --stop-timeout 100ms
    carrel exec box -- /true
    halt "$machine"
    timeout 30 carrel wait box
    [ "$(state box reason)" = limit ]
    ! runs "$machine"
}

@test "a keeper that listens to its guest is locked down" {
    start box
    carrel exec box -- /true
    if ldd "$(dirname "$(command -v carrel)")/carrel-keeper" | grep -q asan; then
        skip "a sanitizer's runtime needs what the filter forbids"
    fi
    grep -q '^Seccomp:[[:space:]]*2' "/proc/$keeper/status"
    grep -q '^NoNewPrivs:[[:space:]]*1' "/proc/$keeper/status"
}

@test "too few descriptors for a keeper: it says so and starts nothing" {
    run bash -c 'ulimit -n 100; carrel run -q mini -- /true'
    [ "$status" -eq 125 ]
    [[ $output == *"needs "*" descriptors, and may have 100"* ]]
    [ -z "$(carrel ls -q)" ]
    # a low soft limit is raised
    bash -c 'ulimit -Sn 100; carrel run -q mini -- /true'
}

@test "a run that ignores TERM ends at the third, whatever comes between" {
    for third in TERM INT; do
        # a shell has what it starts in the background ignore INT
        env --default-signal=INT carrel run -q mini -- /deaf >out &
        pid=$!
        await_output out
        kill -TERM $pid
        await_heard 1
        runs $pid
        kill -TERM $pid # stops the sandbox: ten seconds of grace, which begin with a TERM of the keeper's
        await_heard 2
        runs $pid
        kill -$third $pid
        await_end $pid
        status=0
        wait $pid || status=$?
        [ $status -eq 137 ]
        [ -z "$(carrel ls -q)" ]
        : >out
    done
}

@test "a run whose keeper is stopped ends when it is asked three times" {
    carrel run -q mini -- /deaf >out 2>err &
    pid=$!
    await_output out
    name=$(carrel ps -q)
    keeper=$(state "$name" keeper_pid)
    machine=$(state "$name" vmm_pid)
    halt "$keeper"
    kill -TERM $pid; sleep 0.1; kill -TERM $pid; sleep 0.1; kill -TERM $pid
    await_end $pid
    status=0
    wait $pid || status=$?
    [ $status -eq 125 ]
    await_end "$machine"
    [ -z "$(carrel ls -q)" ]
}

signed() { # FILE VERSION LEVEL CALLS
    printf 'carrel: 1\nname: signed\naudit: {level: %s}\nbudget: {tool_calls: %s}\ntools: {commands: [{id: wait, exec: {path: /wait}, user: 0, env: {allow: ["*"]}, paths: {ro: [/]}}]}\n' "$3" "$4" >"$1"
    carrel policy sign -q "$1" --key key --role all --version "$2"
}

logged() { # WHAT: within 20 s
    for _ in $(seq 1000); do
        ! cat "$CARREL_STATE"/audit/*/log 2>/dev/null | grep -q "$1" || return 0
        sleep 0.02
    done
    return 1
}

@test "a keeper that is locked down takes over a signed policy, and sees a grant expire" {
    export CARREL_STATE=$WORK/signed CARREL_TRUST=$WORK/trust.yaml
    carrel policy keygen key >/dev/null
    printf 'carrel: 1\nkeys:\n  - {id: k, key: "%s"}\nroles:\n  - {id: all, keys: [k], threshold: 1, names: [signed], delegate: 1, may_grant: {budget: {tool_calls: 9}}}\n' "$(cat key.pub)" >trust.yaml
    chmod 644 trust.yaml
    signed one.yaml 1 off 5
    signed two.yaml 2 all 4
    start box -p one.yaml
    carrel policy apply box two.yaml # the first that wants a log
    logged policy.change
    carrel policy grant two.yaml --key key --role all --widen 'budget: {tool_calls: 9}' --expires 5s -q -o more.grant
    start other -p two.yaml --grant more.grant
    logged "a grant has expired"
    if cat "$CARREL_STATE"/audit/*/log | grep -q quarantine; then false; fi
    [ "$(state box phase) $(state other phase)" = "running running" ]
}

@test "what the machine booted from cannot be asked for afterwards" {
    image() { # FILE WORDS
        printf 'carrel: 1\nname: image\nimage: {%s}\ntools: {commands: [{id: wait, exec: {path: /wait}, user: 0, env: {allow: ["*"]}, paths: {ro: [/]}}]}\n' "$2" >"$1"
    }
    local sum=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef more field
    image plain.yaml ""
    start box -p plain.yaml
    for more in "verity: true" "sha256: $sum" "kernel: {sha256: $sum}"; do
        image more.yaml "$more"
        case $more in kernel*) field=image.kernel.sha256 ;; *) field=image.${more%%:*} ;; esac
        run carrel policy apply box more.yaml
        [ "$status" -ne 0 ]
        [[ $output == *"$field is another, and its machine has booted: stop the sandbox first"* ]]
    done
    carrel policy apply box plain.yaml
}
