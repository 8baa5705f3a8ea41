# cli_late.bats - clients that come in a keeper's last moment, which a failpoint holds on to (debug builds).

setup() {
    cd "$WORK" || return
    export CARREL_QUIET_MS=10000 # until a stopped keeper is called one
}

teardown() {
    [ -z "$keeper" ] || kill -CONT "$keeper" 2>/dev/null || :
    carrel ls -q | while read -r name; do carrel rm -f "$name" >/dev/null || :; done
}

begin_end() { # FAILPOINT: of a sandbox named box, whose keeper stops there
    CARREL_FAILPOINT=$1=stop carrel run -q -d --name box mini -- /wait >/dev/null
    keeper=$(carrel inspect box | jq .state.keeper_pid)
    kill -KILL "$(carrel inspect box | jq .state.vmm_pid)"
    until [[ $(ps -o stat= -p "$keeper") == T* ]]; do [ -d "/proc/$keeper" ]; done
}

connect() { # COMMAND...: its answer goes to the file out
    "$@" >out 2>&1 &
    client=$!
    # Its end of the connection waits to be accepted, and it for a word.
    until [[ $(cat "/proc/$client/syscall") == 7\ * ]]; do [ -d "/proc/$client" ]; done
}

@test "wait: came while the keeper ended" {
    begin_end finish.audit
    connect carrel wait box
    kill -CONT "$keeper"
    wait "$client"
    [ "$(cat out)" = 125 ]
}

@test "stop: came while the keeper ended" {
    begin_end finish.audit
    connect carrel stop box
    kill -CONT "$keeper"
    wait "$client"
    [ "$(cat out)" = box ]
}

@test "wait: the keeper dies before it can answer" {
    begin_end finish.audit
    connect carrel wait box
    kill -KILL "$keeper"
    wait "$client"
    [ "$(cat out)" = 125 ]
    [ "$(carrel inspect box | jq -r .state.reason)" = keeper-lost ]
}
