# cli_memory.bats - what agents remember across sandboxes, with a real machine.

load answers

policy() { # FILE ACCESS [MORE]
    {
        printf 'carrel: 1\nname: test\n'
        printf 'tools: {commands: [{id: all, exec: {path: "/**", shell: true}, argv: [{allow: [{any: {count: 0..99}}]}], env: {allow: ["*"]}, paths: {ro: [/], rw: [/]}}]}\n'
        printf 'storage:\n  root: {mode: overlay, quota: {bytes: 512MiB, inodes: 50k}}\n'
        printf '  memory: [{id: notes, target: /memory, access: %s, quota: 32MiB%s}]\n' "$2" "${3:-}"
    } >"$WORK/$1"
}

run() { # POLICY SCRIPT
    carrel run -p "$WORK/$1" mini -- sh -c "$2" </dev/null
}

until_() { # COMMAND...: within 60 s
    for _ in $(seq 300); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.2
    done
    false
}

setup() {
    policy none.yaml none
    policy read.yaml read
    policy append.yaml append
    policy write.yaml write
}

teardown() {
    for n in $(carrel ls -q); do carrel rm -f "$n"; done
    for n in $(carrel memory ls -q); do carrel memory rm "$n"; done
}

@test "what one run writes the next one reads, version by version" {
    run write.yaml 'echo one >/memory/a'
    run write.yaml 'cat /memory/a >/memory/b; echo two >/memory/a'
    [ "$(run read.yaml 'cat /memory/a /memory/b; echo x >/memory/c || echo read-only' 2>"$WORK/err")" = $'two\none\nread-only' ]
    [ -z "$(carrel ls -q)" ]
    [ "$(carrel memory ls -q)" = notes ]
    [ "$(carrel memory show notes --json | jq -c 'map(.version)')" = '[1,2]' ]
    [ "$(carrel memory diff notes)" = $'M  a  4 bytes\nA  b  4 bytes' ]
    [ "$(carrel memory show notes 1)" = "A  a  4 bytes" ]
    # A run that changes nothing makes no version.
    run write.yaml 'cat /memory/a'
    [ "$(carrel memory show notes --json | jq length)" = 2 ]
    carrel memory rollback -q notes 1
    [ "$(run read.yaml 'ls /memory; cat /memory/a')" = $'a\none' ]
    carrel memory export -q notes "$WORK/out" 2
    [ "$(cat "$WORK/out/a" "$WORK/out/b")" = $'two\none' ]
    # None of it, without the policy's word.
    [ "$(run none.yaml 'ls /memory 2>/dev/null || echo nothing')" = nothing ]
}

@test "append adds, and whoever takes away is not adopted" {
    run append.yaml 'echo one >/memory/log'
    run append.yaml 'echo two >>/memory/log; mkdir /memory/d; echo new >/memory/d/new'
    [ "$(carrel memory show notes --json | jq length)" = 2 ]
    for what in 'echo x >/memory/log' 'rm /memory/log' 'rm -r /memory/d' 'chmod 755 /memory/log' \
        'mv /memory/log /memory/other' 'truncate -s 3 /memory/log' 'echo t >>/memory/log; rm /memory/d/new'; do
        run append.yaml "$what" 2>"$WORK/err"
        grep -q 'memory notes: not adopted: .* not allowed (access: append)' "$WORK/err"
        [ "$(carrel memory show notes --json | jq length)" = 2 ]
    done
    [ "$(run read.yaml 'cat /memory/log /memory/d/new')" = $'one\ntwo\nnew' ]
    log=$(ls -td "$CARREL_STATE"/audit/*/ | sed -n 2p)
    grep '"decision":"deny"' "$log/log" | grep '"kind":"memory"' | grep -q 'memory notes: delete d/new'
}

@test "two runs at once: one writes, readers read" {
    run write.yaml 'echo one >/memory/a'
    carrel run -q -d --name first -p "$WORK/write.yaml" mini -- sh -c 'echo first >/memory/a; sync; sleep 100' </dev/null
    until_ carrel exec first -- grep first /memory/a
    fails 125 carrel run -q -p "$WORK/write.yaml" mini -- true
    [[ $err == *"memory volume notes is in use"* ]]
    [ "$(run read.yaml 'cat /memory/a')" = one ]
    fails 1 carrel memory rm notes
    carrel stop first
    # Nobody looked when it ended: the next one does.
    [ "$(run write.yaml 'cat /memory/a')" = first ]
    [ "$(carrel memory show notes --json | jq length)" = 2 ]
}

@test "h02 h03 a killed machine forgets nothing that it had synced" {
    for victim in keeper vmm; do
        carrel run -q -d --name k -p "$WORK/append.yaml" mini -- \
            sh -c "echo $victim >/memory/$victim; sync; sleep 100" </dev/null
        until_ carrel exec k -- sh -c "test -s /memory/$victim && sync"
        pid=$(jq ".${victim}_pid" "$CARREL_STATE/sandboxes/$(readlink "$CARREL_STATE/names/k")/state.json")
        # A keeper alone would be followed: whoever holds both.
        [ $victim = vmm ] || pid=$(ps -o ppid= -p "$pid")
        kill -9 $pid
        until_ sh -c 'carrel ls --json | grep -q ended'
        carrel rm -f k
    done
    [ "$(run read.yaml 'cat /memory/keeper /memory/vmm')" = $'keeper\nvmm' ]
}

@test "old versions go as the policy says, and a full one is ENOSPC" {
    policy two.yaml write ", keep: 2 versions"
    for i in 1 2 3 4; do run two.yaml "echo $i >/memory/a"; done
    [ "$(carrel memory show notes --json | jq -c 'map(.version)')" = '[3,4]' ]
    run two.yaml 'dd if=/dev/zero of=/memory/big bs=64k count=1000 2>&1; rm /memory/big' | grep -q 'No space left'
}

@test "names of memory volumes are not paths" {
    fails 1 carrel memory show ../audit
    fails 1 carrel memory rm nobody
    [[ $err == *"no such memory volume: nobody"* ]]
}
