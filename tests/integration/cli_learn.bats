# cli_learn.bats - from a run to a policy: simulate, learn, and how much the cases of a policy notice.

load answers

setup() {
    cd "$WORK" || return
}

@test "what happened is decided again, with the rule that decides" {
    cat >events <<EOF
# a run
http pypi.org GET /simple/x
http pypi.org GET /simple/x
deny http pypi.org POST /simple/x
EOF
    answers 0 carrel policy simulate python --log events
    [[ $output == *"3 requests: 0 newly denied, 0 newly allowed, 3 unchanged"* ]]
    answers 1 carrel policy simulate locked --log events
    [[ $output == *"newly denied:"*"GET"*"2 times"*"DENY"*"locked.yaml"* ]]
    answers 1 carrel policy simulate --json locked --log events
    [ "$(jq -r '.newly_denied[0].times' <<<"$output")" = 2 ]
    [ "$(jq -r .safe <<<"$output")" = false ]
    printf 'deny http pypi.org GET /simple/x\n' >events
    answers 0 carrel policy simulate python --log events
    [[ $output == *"newly allowed:"*"ALLOW"* ]]
}

@test "a request that was cut off is told, and never taken for allowed" {
    printf 'file read /workspace/aaa\xe2\x80\xa6\n' >events
    answers 1 carrel policy simulate open --log events
    [[ $output == *"cannot be replayed"*"cut off"*"1 cannot be replayed"* ]]
}

@test "a log that is not there, and one that is none, are refused" {
    answers 1 carrel policy simulate open --log nosuch
    mkdir -p empty
    answers 1 carrel policy simulate open --log empty
    answers 2 carrel policy simulate open
    answers 2 carrel policy learn --parent open
    answers 2 carrel policy learn --log events
}

@test "what is learned loads, is narrower than its parent, and allows what was learned" {
    cat >events <<EOF
http pypi.org GET /simple/a/
http pypi.org GET /simple/b/
connect evil.example.org
exec /usr/bin/python3 -- -m pytest -q
EOF
    cp "$(dirname "$(command -v carrel)")/../share/carrel/policies/library/python.yaml" . 2>/dev/null ||
        cp "${CARREL_SOURCE:-$BATS_TEST_DIRNAME/../..}/policies/library/python.yaml" .
    carrel policy learn --parent ./python.yaml --log events --name mine >mine.yaml
    grep -q '^# not proposed: connect .*evil.example.org, denied by parent rule' mine.yaml
    answers 0 carrel policy show ./mine.yaml
    answers 0 carrel policy narrower ./mine.yaml ./python.yaml
    answers 0 carrel policy check ./mine.yaml http pypi.org GET /simple/a/
    answers 1 carrel policy check ./mine.yaml http pypi.org GET /simple/c/
    sort -r events >shuffled
    carrel policy learn --parent ./python.yaml --log shuffled --name mine | cmp - mine.yaml
    answers 0 carrel policy learn --json --parent ./python.yaml --log events
    [ "$(jq -r '.not_proposed | length' <<<"$output")" -ge 1 ]
    # A parent from the library is extended by its name, and found there again.
    carrel policy learn --parent python --log events >again.yaml
    answers 0 carrel policy show ./again.yaml
    answers 2 carrel policy learn --parent python --log events --name 'No Name'
}

@test "a test run fails below its thresholds" {
    printf 'carrel: 1\nname: x\nnetwork: {allow: [{id: a, hosts: [a.b, c.d]}]}\n' >x.yaml
    printf 'carrel: 1\ncases:\n- {ask: http a.b GET /x, expect: allow}\n' >x.cases.yaml
    answers 0 carrel policy test ./x.yaml
    [[ $output == *"no case notices network/a host without c.d"* ]]
    answers 0 carrel policy test ./x.yaml --coverage 20 --mutants 10%
    answers 1 carrel policy test ./x.yaml --coverage 90
    [[ $output == *"--coverage 90: the cases reach "* ]]
    answers 1 carrel policy test ./x.yaml --mutants 90
    [[ $output == *"--mutants 90: the cases notice "* ]]
    answers 2 carrel policy test ./x.yaml --mutants 101
    answers 2 carrel policy test ./x.yaml --coverage many
    answers 0 carrel policy test --json ./x.yaml
    [ "$(jq -r '.changes.all > .changes.noticed' <<<"$output")" = true ]
}
