# cli_attest.bats - what a machine's process is locked into: recorded, shown, read back.

bats_require_minimum_version 1.5.0

setup() {
    cd "$WORK" || return
}

start() {
    carrel run -q -d --name box mini -- sleep 1000 >/dev/null
    carrel exec box -- true
    [ "$(carrel inspect box | jq .jail.pid)" != 0 ] || skip "a build with a sanitizer is not jailed"
}

teardown() {
    carrel rm -f box >/dev/null 2>&1 || :
}

@test "a sandbox that never ran has nothing to attest" {
    carrel create --name box mini >/dev/null
    run --separate-stderr carrel attest box
    [ "$status" -ne 0 ]
    [[ $stderr == *"has not been launched"* ]]
    [ "$(carrel inspect box | jq .jail)" = null ]
}

@test "what was launched is what lives" {
    start
    carrel attest box
    carrel attest --json box >said
    [ "$(jq .same said)" = true ]
    [ "$(jq '[.checks[] | select(.answer == "DIFFERENT")] | length' said)" = 0 ]
    [ "$(jq '.checks | length' said)" -gt 10 ]
    carrel inspect box >all
    for layer in pids ipc uts net cgroup-ns limits caps no-new-privs; do
        [ "$(jq -r ".jail.layers[\"$layer\"].outcome" all)" = applied ]
    done
    [ "$(jq .jail.pid all)" = "$(jq .state.vmm_pid all)" ]
}

@test "a difference is told by name, and by the exit status" {
    start
    record=$(echo "$CARREL_STATE"/sandboxes/*/jail.json)
    jq '.namespaces.net += 1' "$record" >changed
    cp changed "$record"
    run --separate-stderr carrel attest box
    [ "$status" -eq 1 ]
    [[ $output == *"ns/net"*"DIFFERENT"* ]]
}

@test "nothing is left of an ended machine: no cgroup, no uid" {
    start
    id=$(basename "$(dirname "$(echo "$CARREL_STATE"/sandboxes/*/jail.json)")")
    carrel rm -f box >/dev/null
    [ -z "$(find /sys/fs/cgroup -name "carrel-$id" 2>/dev/null)" ]
    [ ! -e "$CARREL_STATE/uids" ] || [ -z "$(ls "$CARREL_STATE/uids")" ]
}

@test "h03: another keeper's machine is what it was, and leaves nothing" {
    start
    id=$(basename "$(dirname "$(echo "$CARREL_STATE"/sandboxes/*/jail.json)")")
    kill -KILL "$(carrel inspect box | jq .state.keeper_pid)"
    [ "$(carrel exec box -- echo back)" = back ]
    carrel attest box
    kill -KILL "$(carrel inspect box | jq .state.vmm_pid)"
    carrel wait box || :
    [ -z "$(find /sys/fs/cgroup -name "carrel-$id" 2>/dev/null)" ]
    run carrel attest box
    [ "$status" -ne 0 ]
}
