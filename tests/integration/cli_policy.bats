# cli_policy.bats - questions to policies, as a person asks them.

load answers

setup() {
    cd "$WORK" || return
}

@test "every policy of the library is sound, and passes its cases" {
    for name in $(carrel policy ls); do
        answers 0 carrel policy lint "$name"
        answers 0 carrel policy test "$name"
        [[ $output == *" 0 failed"* ]]
    done
    [ "$(carrel policy ls | wc -l)" -ge 10 ]
}

@test "a request is allowed or denied, by rule, place and grade" {
    answers 0 carrel policy check python http pypi.org GET /simple/x
    [[ $output == "ALLOW  "*"python.yaml:"*"network/pypi  grade H" ]]
    answers 1 carrel policy check python http pypi.org POST /simple/x
    [[ $output == "DENY  "*"python.yaml:"* ]]
    answers 1 carrel policy explain python http pypi.org POST /simple/x
    [[ $output == "DENY  "*"hint: "* ]]
    answers 1 carrel policy check --json locked connect example.com:443
    [ "$(jq -r .verdict <<<"$output")" = deny ]
    answers 2 carrel policy check locked nonsense
    [[ $output == *"the request: "*"hint: for example: "* ]]
}

@test "narrower is proved, or disproved by a request that check replays" {
    answers 0 carrel policy narrower locked locked
    [[ $output == "within: "* ]]
    answers 1 carrel policy narrower python locked
    request=$(sed -n 2p <<<"$output")
    # shellcheck disable=SC2086 # a request is words
    answers 0 carrel policy check python $request
    # shellcheck disable=SC2086
    answers 1 carrel policy check locked $request
    answers 1 carrel policy diff locked python
    answers 0 carrel policy diff python python
}

@test "P02: mistakes are named with their place and the word that was meant" {
    printf 'carrel: 1\nname: x\nnetwrok: {}\n' >bad.yaml
    answers 1 carrel policy lint ./bad.yaml
    [ "$output" = './bad.yaml:3:1: error: unknown key "netwrok" in policy (did you mean "network"?)' ]
    answers 1 carrel policy check bad.yaml connect example.com:443
    printf 'carrel: 1\nname: x\ncpu: {vcpus: 0777}\n' >bad.yaml
    answers 1 carrel policy lint bad.yaml
    [[ $output == bad.yaml:3:14:* ]]
}

@test "P06: parents are found beside the document and in the library, and nowhere else" {
    printf 'carrel: 1\nname: x\nextends: ["../secret"]\n' >child.yaml
    answers 1 carrel policy lint child.yaml
    printf 'carrel: 1\nname: x\nextends: [nosuch]\n' >child.yaml
    answers 1 carrel policy lint child.yaml
}

@test "what is not there is said" {
    answers 1 carrel policy lint nosuch
    [ "$output" = 'carrel: no policy "nosuch" in the library
hint: carrel policy ls' ]
    answers 1 carrel policy lint balancd
    [ "$output" = 'carrel: no policy "balancd" in the library
hint: did you mean "balanced"? `carrel policy ls` lists all' ]
    answers 1 carrel policy lint ./nosuch.yaml
    answers 1 carrel policy schema no.such.key
}

@test "the schema is JSON, the canonical form reads back as itself" {
    carrel policy schema | jq -e '.properties.network' >/dev/null
    carrel policy show --json python >canon.yaml
    carrel policy show --json ./canon.yaml | cmp - canon.yaml
}
