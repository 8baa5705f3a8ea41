# cli_adopt.bats - H03 with real guests on QEMU: the keeper is killed, the machine goes on. On
# carrel-vmm: tests/testbed/checks/adopt.sh.

bats_require_minimum_version 1.5.0

setup() {
    cd "$WORK" || return
}

teardown() {
    carrel ls -q | while read -r name; do carrel rm -f "$name" >/dev/null || :; done
}

state() { # NAME KEY
    carrel inspect "$1" | jq -r ".state.$2"
}

kill_keeper() { # NAME: and somebody else answers
    local old
    old=$(state "$1" keeper_pid)
    kill -KILL "$old"
    [ "$(timeout 60 carrel exec "$1" -- echo back)" = back ]
    [ "$(state "$1" keeper_pid)" != "$old" ]
}

await_logs() { # NAME LINE: within a minute
    for _ in $(seq 600); do
        ! carrel logs "$1" | grep -qx "$2" || return 0
        sleep 0.1
    done
    return 1
}

@test "h03: QEMU's machines are adopted as well" {
    carrel run --engine qemu -q -d --name box mini -- sh -c 'echo one; until [ -e /tmp/go ]; do
        usleep 20000; done; seq 2 3000; exit 5' >/dev/null
    await_logs box one
    machine=$(state box vmm_pid)
    for _ in 1 2 3; do kill_keeper box; done
    [ "$(state box vmm_pid)" = "$machine" ]
    # In the middle of both directions, again and again.
    for i in 1 2 3; do
        head -c 30000000 /dev/zero | carrel exec -i box -- cat >/dev/null 2>&1 & client=$!
        until [ "$(carrel exec box -- pidof cat)" ]; do :; done
        kill_keeper box
        run ! wait "$client"
        [ "$(carrel exec box -- cat /proc/loadavg | wc -l)" = 1 ]
    done
    carrel exec box -- touch /tmp/go
    [ "$(timeout 60 carrel wait box)" = 5 ]
    [ "$(carrel logs box)" = "$(echo one; seq 2 3000)" ]
    carrel audit verify box
    [ "$(carrel audit tail -n 100 box | grep -c sandbox.adopted)" = 6 ]
}

@test "h03: of one that prints without a pause nothing is lost" {
    carrel run --engine qemu -q -d --name loud mini -- sh -c 'seq 1 400000; until [ -e /tmp/go ]; do
        usleep 20000; done; seq 400001 700000; exit 6' >/dev/null
    for after in 1000 60000 150000; do
        await_logs loud $after
        kill_keeper loud
    done
    await_logs loud 400000
    carrel exec loud -- touch /tmp/go
    kill_keeper loud
    [ "$(timeout 60 carrel wait loud)" = 6 ]
    carrel logs loud >got
    seq 1 700000 | cmp - got
}
