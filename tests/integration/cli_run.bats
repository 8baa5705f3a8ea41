# cli_run.bats - commands in real machines: output, input, exit statuses, lives and deaths.

bats_require_minimum_version 1.5.0

setup() {
    cd "$WORK" || return
}

run_mini() {
    carrel run -q mini -- "$@"
}

# Waits until the sandbox is in this state, at most 20 s.
await() { # NAME STATE
    for _ in $(seq 200); do
        [ "$(carrel inspect "$1" | jq -r .state.phase)" != "$2" ] || return 0
        sleep 0.1
    done
    return 1
}

@test "output goes where it belongs, the exit status is the command's" {
    status=0
    run_mini sh -c 'echo out; echo err >&2; exit 3' >out 2>err </dev/null || status=$?
    [ $status -eq 3 ]
    [ "$(cat out)" = out ]
    [ "$(cat err)" = err ]
    [ -z "$(carrel ls -q)" ]
    [ -z "$(ls "$CARREL_STATE/sandboxes" "$CARREL_STATE/names" | grep -v :)" ]
}

@test "a machine whose initrd has to be made first" {
    data=${CARREL_DATA:-/var/lib/carrel}
    [ -r "$data/kernels/default/kernel.json" ] || skip "data are elsewhere"
    mkdir -p copy
    cp -rL "$data/kernels/default" copy/kernel
    rm -f copy/kernel/initrd-*
    mkdir -p copy/data/kernels copy/data/images
    mv copy/kernel copy/data/kernels/one
    ln -s one copy/data/kernels/default
    cp -r "$data/images/." copy/data/images/
    export CARREL_DATA=$PWD/copy/data
    [ "$(run_mini echo once)" = once ]
    [ "$(ls copy/data/kernels/one/initrd-*.img | wc -l)" -eq 1 ]
    # now all is known: without the program that makes it, too
    strace -f -o trace -e trace=execve carrel run -q mini -- echo twice >out || [ ! -s trace ]
    [ ! -s trace ] || { [ "$(cat out)" = twice ] && ! grep carrel-job trace; }
}

@test "exit statuses: 126, 127, 128+N, 124" {
    run -127 run_mini nosuch
    run run_mini /etc/passwd
    [ "$status" -eq 126 ]
    run run_mini sh -c 'kill -9 $$'
    [ "$status" -eq 137 ]
    run carrel run --timeout 500ms mini -- sleep 60
    [ "$status" -eq 124 ]
}

@test "standard input: piped, ended, idle, absent" {
    [ "$(echo data | run_mini cat)" = data ]
    [ "$(head -c 300000 /dev/zero | run_mini wc -c)" -eq 300000 ]
    [ "$(run_mini cat </dev/null | wc -c)" -eq 0 ]
    mkfifo idle
    exec 9<>idle # a pipe that says nothing and does not end
    timeout 20 carrel run -q mini -- echo done <&9 >out
    exec 9>&-
    [ "$(cat out)" = done ]
    # who reads nothing does not hold up who writes much
    [ "$(yes | head -c 2000000 | run_mini echo done)" = done ]
}

@test "a reader who has enough ends the command, as in any pipeline" {
    status=0
    { timeout 30 carrel run -q mini -- yes || status=$?; echo $status >st; } | head -1 >out
    [ "$(cat out)" = y ]
    [ "$(cat st)" -eq 141 ]
}

@test "environment, directory, user, arguments as they are" {
    export PASSED=on
    printf '# comment\nFILE=f\nPASSED\n' >envs
    out=$(carrel run -q -e A=1 -e A=2 --env-file envs -w /tmp mini -- \
        sh -c 'echo "$A $FILE $PASSED $PWD $1 $2"' - 'a  b' '$x' </dev/null)
    [ "$out" = '2 f on /tmp a  b $x' ]
    out=$(carrel run -q mini -- sh -c 'for a; do printf "%s|" "$a"; done' - -- --json '' -q </dev/null)
    [ "$out" = '--|--json||-q|' ]
}

@test "--json is a stream of objects" {
    carrel run --json mini -- sh -c 'printf "gr\303\274\303\237e\n"; printf "\377"; exit 5' \
        </dev/null >out || [ $? -eq 5 ]
    [ "$(jq -s -r '.[0].t' out)" = started ]
    [ "$(jq -s -r 'map(select(.t == "out" and .d) | .d) | add' out)" = $'gr\xc3\xbc\xc3\x9fe' ]
    [ "$(jq -s -r 'map(select(.b) | .b) | add' out)" = "/w==" ]
    [ "$(jq -s -c '.[-1]' out)" = '{"t":"exit","code":5,"reason":"exited"}' ]
}

@test "signals are passed on; interrupts escalate" {
    cat >sig.py <<'END'
import signal, subprocess, sys
# carrel itself, the first line the command prints, then the signals, each after a line of its own.
p = subprocess.Popen(["carrel", "run", "-q", "--stop-timeout", "500ms", "mini", "--", "sh", "-c", sys.argv[1]],
                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
for name in sys.argv[2].split(","):
    p.stdout.readline()
    p.send_signal(getattr(signal, name))
rest = p.stdout.read()
print(p.wait(), rest.strip())
END
    [ "$(python3 sig.py 'trap "exit 9" USR1; echo up; while :; do sleep 0.1; done' SIGUSR1)" = "9 " ]
    [ "$(python3 sig.py 'echo up; exec sleep 60' SIGTERM)" = "143 " ]
    [ "$(python3 sig.py 'trap "echo one" INT; trap "" TERM; echo up; while :; do sleep 0.1; done' SIGINT,SIGINT)" = "137 " ]
    [ -z "$(carrel ls -q)" ]
}

@test "an interrupt at any moment leaves nothing behind" {
    for ms in 000 002 005 010 020 050 100 300 600 900; do
        carrel run -q mini -- sleep 60 </dev/null &
        pid=$!
        sleep 0.$ms
        kill -TERM $pid
        wait $pid && return 1
        [ $? -eq 143 ]
        [ -z "$(carrel ls -q)" ]
    done
}

@test "two at once" {
    run_mini sh -c 'sleep 1; echo a' </dev/null >a &
    run_mini sh -c 'sleep 1; echo b' </dev/null >b &
    wait
    [ "$(cat a b)" = $'a\nb' ]
}

@test "kill -9: of carrel, of the keeper, of the machine" {
    carrel run -q mini -- sleep 60 </dev/null &
    pid=$!
    sleep 1.5
    kill -9 $pid
    for _ in $(seq 100); do
        [ -n "$(carrel ls -q)" ] || break
        sleep 0.1
    done
    [ -z "$(carrel ls -q)" ]

    carrel run -q --name victim mini -- sleep 60 </dev/null 2>err &
    pid=$!
    await victim running
    kill -9 "$(carrel inspect victim | jq .state.vmm_pid)"
    wait $pid && return 1
    [ $? -eq 125 ]
    grep -q victim err
    await victim ended
    [ "$(carrel inspect victim | jq .state.vmm_pid)" -eq 0 ]
    carrel rm victim

    # h03: another keeper goes on with the machine; the client is told how to join it.
    carrel run -q --name victim mini -- sleep 60 </dev/null 2>err &
    pid=$!
    await victim running
    kill -9 "$(carrel inspect victim | jq .state.keeper_pid)"
    wait $pid && return 1
    [ $? -eq 125 ]
    grep -q "carrel attach victim" err
    [ "$(carrel exec victim -- echo back)" = back ]
    carrel rm -f victim
}

@test "a life: run -d, ps, exec, logs, stop, wait, start, rm" {
    [ "$(carrel run -q -d --name life -l team=red mini -- sh -c 'echo hello; exec sleep 600' </dev/null)" = life ]
    await life running
    [ "$(carrel ps -q)" = life ]
    [ "$(carrel ls -q -l team=red)" = life ]
    [ "$(carrel ls -q -l team=blue)" = "" ]
    carrel ps --format name,image,state | grep -Eq '^life +mini +running$'
    id=$(carrel inspect life | jq -r .id)
    [ "$(carrel exec "${id:0:5}" -- echo again)" = again ]
    [ "$(echo piped | carrel exec life cat)" = piped ]
    run carrel exec life -- sh -c 'exit 4'
    [ "$status" -eq 4 ]
    run -127 carrel exec life nosuch
    carrel exec -d life -- sh -c 'sleep 1; touch /tmp/later' </dev/null
    [ "$(carrel logs life)" = hello ]
    run carrel start life
    [ "$status" -eq 125 ]
    run carrel rm life
    [ "$status" -eq 1 ]
    [[ $output == *"carrel rm -f life"* ]]
    run carrel run --name life mini -- true
    [ "$status" -eq 125 ]
    [[ $output == *'is taken'* ]]
    for _ in $(seq 50); do ! carrel exec life -- test -e /tmp/later || break; sleep 0.1; done
    carrel exec life -- test -e /tmp/later
    carrel wait life >code &
    carrel stop -t 5s life
    wait
    [ "$(cat code)" -eq 143 ]
    [ "$(carrel inspect life | jq -r .state.reason)" = stopped ]
    [ "$(carrel wait --json life | jq -r .reason)" = stopped ]
    run carrel exec life true
    [ "$status" -eq 125 ]
    [[ $output == *"carrel start life"* ]]
    [ "$(carrel start life)" = life ]
    await life running
    [ "$(carrel kill -s TERM life)" = life ]
    await life ended
    [ "$(carrel rm life)" = life ]
    [ -z "$(carrel ls -q)" ]
}

@test "create, then start; logs -f ends with the sandbox" {
    carrel create --name made mini -- sh -c 'echo 1; sleep 1; echo 2' >/dev/null
    [ "$(carrel inspect made | jq -r .state.phase)" = created ]
    carrel start made
    timeout 30 carrel logs -f made >out
    [ "$(cat out)" = $'1\n2' ]
    [ "$(carrel logs --tail 1 made)" = 2 ]
    [ "$(carrel logs --tail 0 made)" = "" ]
    [ "$(carrel logs --json made | jq -s -r 'map(.d) | add')" = $'1\n2' ]
    carrel rm made
}

@test "without a command, in the background, a sandbox idles" {
    carrel run -q -d --name idle mini </dev/null
    await idle running
    [ "$(carrel exec idle -- echo yes)" = yes ]
    carrel rm -f idle
}

@test "c01: what the guest prints cannot drive the terminal that reads its log" {
    carrel run -q --name loud mini -- printf '\033]0;owned\007\033[31mx\n' </dev/null >raw
    grep -q $'\e\\[31m' raw
    script -qec 'carrel logs loud' /dev/null </dev/null >shown
    [ "$(grep -c $'\e' shown)" -eq 0 ]
    grep -q '\^\[\[31mx' shown
    script -qec 'carrel logs --raw loud' /dev/null </dev/null >shown
    grep -q $'\e\\[31m' shown
    [ "$(carrel logs loud | od -c | head -1)" = "$(od -c raw | head -1)" ]
    carrel rm loud
}

@test "kernels that are none, and none at all" {
    run carrel run --kernel nosuch mini -- true
    [ "$status" -eq 125 ]
    [[ $output == *nosuch* ]]
    [ -z "$(carrel ls -q)" ]
}

@test "a full state directory" {
    [ "$(id -u)" -eq 0 ] || skip "needs root to mount a small file system"
    mkdir small
    mount -t tmpfs -o size=32k tmpfs small || skip "tmpfs cannot be mounted"
    dd if=/dev/zero of=small/fill bs=1k 2>/dev/null || :
    CARREL_STATE=$WORK/small run carrel run mini -- true
    left=$(find small -type f ! -name fill)
    umount small
    [ "$status" -eq 125 ]
    [[ $output == *"No space left"*hint:* ]]
    [ -z "$left" ]
}
