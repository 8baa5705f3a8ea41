# cli_errors.bats - what carrel says and how it exits, as far as no machine is needed. The data
# directory is empty.

load answers

setup() {
    cd "$WORK" || return
}

@test "a missing image is named, with what to do" {
    fails 125 carrel run mini -- true
    [ "$err" = 'carrel: image "mini" not found
hint: carrel image build mini' ]
    [ -z "$output" ]
    fails 125 carrel run nosuch -- true
    [[ $err == *'image "nosuch" not found'*'carrel image import nosuch DIR|TAR'* ]]
    fails 125 carrel create base
}

@test "errors are JSON too, on standard output" {
    fails 125 carrel run --json mini -- true
    [ "$(jq -r .error.code <<<"$output")" = image.not-found ]
    [ "$(jq -r .error.hint <<<"$output")" = "carrel image build mini" ]
    [ "$(jq -r .error.docs <<<"$output")" = "carrel-run(1)" ]
    [[ $err == carrel:* ]]
    fails 125 carrel run --bad --json mini
    [ "$(jq -r .error.code <<<"$output")" = usage ]
    fails 1 carrel inspect --json nosuch
    [ "$(jq -r .error.code <<<"$output")" = sandbox.not-found ]
    fails 1 carrel kernel rm --json nosuch
    [ "$(jq -r .error.code <<<"$output")" = kernel.not-found ]
}

@test "mistakes in the command line: 125 where a command's status would be, else 2" {
    fails 125 carrel run --nmae x mini
    [[ $err == *"did you mean --name?"* ]]
    fails 125 carrel run -v /a:/b mini
    [[ $err == *"carrel cp"* ]]
    fails 125 carrel exec box
    fails 2 carrel ls --bad
    fails 2 carrel rnu
    [[ $err == *'did you mean `carrel run`?'* ]]
    fails 2 carrel
    fails 2 carrel image
    fails 2 carrel completion tcsh
    fails 2 carrel help nosuch
    fails 2 carrel stop -t soon box
    fails 2 carrel kill -s NOPE box
    fails 2 carrel ls --format nmae
    [[ $err == *'did you mean "name"?'* ]]
    fails 2 carrel ls --format '{{.ID}}'
    [[ $err == *jq* ]]
    fails 2 carrel cp a b
    fails 2 carrel cp x:a y:b
    [[ $err == *"carrel cp x:a - | carrel cp - y:b"* ]]
}

@test "values that make no sense are refused before anything is made" {
    fails 125 carrel run -m 512 mini
    [[ $err == *"did you mean --memory 512M?"* ]]
    fails 125 carrel run -m 512.3M mini
    fails 125 carrel run -m 63M mini
    fails 125 carrel run -m x mini
    fails 125 carrel run -c 0 mini
    fails 125 carrel run -c 33 mini
    fails 125 carrel run --timeout soon mini
    fails 125 carrel run -w relative mini
    fails 125 carrel run -e =x mini
    fails 125 carrel run --env-file nosuch mini
    fails 125 carrel run --rm --keep mini
    fails 125 carrel run -t -T mini
    fails 125 carrel run -l =v mini
    fails 125 carrel run --engine xen mini
    fails 125 carrel run --detach-keys ctrl- mini
    fails 125 carrel run ./nosuch.squashfs
    printf 'A=1\nbad line here\n=x\n' >envs
    fails 125 carrel run --env-file envs mini
    [[ $err == *"envs:3: environment"* ]]
    [ ! -e "$CARREL_STATE" ] || [ -z "$(ls "$CARREL_STATE/sandboxes")" ]
}

@test "sandboxes that are not there" {
    for verb in start stop kill wait inspect logs; do
        fails $([ $verb = start ] && echo 125 || echo 1) carrel $verb nosuch
        [[ $err == *"no such sandbox: nosuch"* ]]
    done
    fails 125 carrel exec nosuch true
    fails 125 carrel shell nosuch
    fails 125 carrel attach nosuch
    fails 1 carrel rm nosuch
    fails 0 carrel rm -f nosuch
    fails 1 carrel cp nosuch:/x .
}

@test "empty lists are empty, in every form" {
    fails 0 carrel ls -q
    [ -z "$output" ]
    fails 0 carrel ls --json
    [ "$output" = "[]" ]
    fails 0 carrel ps --json
    [ "$output" = "[]" ]
    fails 0 carrel image ls --json
    [ "$output" = "[]" ]
    fails 0 carrel kernel ls --json
    [ "$output" = "[]" ]
    fails 0 carrel ls
    [[ $output == NAME* ]]
}

@test "the doctor says what is missing and exits 1" {
    fails 1 carrel doctor
    [[ $output == *"carrel kernel fetch"* ]]
    [[ $output == *"carrel image build mini"* ]]
    fails 1 carrel doctor --json
    [ "$(jq .ok <<<"$output")" = false ]
    [ "$(jq -r '.checks[] | select(.name == "kernel").verdict' <<<"$output")" = missing ]
    [ "$(jq -r '[.checks[] | select(.verdict != "ok" and .remedy == "")] | length' <<<"$output")" = 0 ]
}

@test "places that cannot be written" {
    fails 1 env CARREL_STATE=/proc/nosuch carrel ls
    [[ $err == *"/proc/nosuch"* ]]
    fails 1 env CARREL_STATE=relative carrel ls
    [[ $err == *"must be an absolute path"* ]]
    fails 1 env CARREL_DATA=relative carrel image ls
}

@test "colour only when asked for or on a terminal" {
    fails 2 carrel --color always nosuch
    [[ $err == $'\e['* ]]
    fails 2 carrel nosuch
    [[ $err == carrel:* ]]
    fails 1 carrel doctor --color=always
    [[ $output == *$'\e[31m'* ]]
    run script -qec 'NO_COLOR=1 TERM=xterm carrel nosuch' /dev/null
    [[ $output == carrel:* ]]
    run script -qec 'TERM=dumb carrel nosuch' /dev/null
    [[ $output == carrel:* ]]
    run script -qec 'TERM=xterm carrel nosuch' /dev/null
    [[ $output == $'\e['* ]]
}

@test "text of others is spelled out in errors" {
    fails 1 carrel inspect $'\e]0;owned\a'
    [[ $err != *$'\e'* ]]
    [[ $err == *'^[]0;owned^G'* ]]
}

@test "a full or closed output is told, a reader who has enough is not" {
    fails 1 sh -c 'carrel ls >/dev/full'
    [[ $err == *"No space left"* ]]
    fails 0 sh -c 'carrel --help | head -1 >/dev/null'
    [ -z "$err" ]
    fails 0 sh -c 'carrel version <&- >/dev/null'
    fails 2 sh -c 'carrel nosuch >&- 2>&- <&-'
}

@test "version and help" {
    fails 0 carrel --version
    [[ $output == "carrel "[0-9]* ]]
    fails 0 carrel version --json
    jq -e .version <<<"$output"
    fails 0 carrel help run
    [[ $output == *"--memory SIZE"* ]]
    [ "$output" = "$(carrel run --help)" ]
    for verb in $(carrel --help | awk '/^Verbs:/{on=1; next} /^$/{on=0} on{print $1}'); do
        fails 0 carrel "$verb" --help
        [[ $output == *"Usage: carrel $verb"* ]]
    done
}

@test "completion: bash" {
    carrel completion bash >complete.bash
    bash -n complete.bash
    try() { # WORDS...: the candidates for the last one
        bash -c 'source complete.bash; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _carrel
                 printf "%s\n" "${COMPREPLY[@]}"' - x "$@"
    }
    [[ $(try carrel ru) == run ]]
    [[ $(try carrel image im) == import ]]
    [[ $(try carrel run --mem) == --memory ]]
    [[ $(try carrel run --engine q) == qemu ]]
    [[ $(try carrel run -d --name x mi) == mini ]]
    [[ $(try carrel completion f) == fish ]]
    [[ $(try carrel kill -s TE) == TERM ]]
    [[ -z $(try carrel ls --memo) ]]
}

@test "completion: zsh and fish" {
    carrel completion zsh >_carrel
    carrel completion fish >carrel.fish
    if command -v zsh; then zsh -n _carrel; fi
    command -v fish || skip "fish is not installed"
    fish -n carrel.fish
    export HOME=$WORK
    [[ $(fish -c 'source carrel.fish; complete -C "carrel ru"') == run* ]]
    [[ $(fish -c 'source carrel.fish; complete -C "carrel run --mem"') == --memory* ]]
    [[ $(fish -c 'source carrel.fish; complete -C "carrel image "') == *import* ]]
}

@test "manual pages: one for every verb, well-formed, as the parser has it" {
    command -v mandoc || skip "mandoc is not installed"
    pages=$(dirname "$(command -v carrel)")/../man
    for verb in $(carrel --help | awk '/^Verbs:/{on=1; next} /^$/{on=0} on{print $1}'); do
        [ -s "$pages/carrel-$verb.1" ]
    done
    mandoc -T lint -W warning "$pages"/*.1
    mandoc -T utf8 "$pages/carrel-run.1" | col -b | grep -q -- '-m, --memory SIZE'
}
