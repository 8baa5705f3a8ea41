# cli_volumes.bats - directories that a policy mounts, with a real machine: in, changed, out again.

load answers

policy() { # FILE MOUNT...: one mount a line
    local file=$1
    shift
    {
        printf 'carrel: 1\nname: test\n'
        printf 'tools: {commands: [{id: all, exec: {path: "/**", shell: true}, argv: [{allow: [{any: {count: 0..99}}]}], env: {allow: ["*"]}, paths: {ro: [/], rw: [/]}}]}\n'
        printf 'storage:\n  root: {mode: overlay, quota: {bytes: 512MiB, inodes: 50k}}\n  mounts:\n'
        printf '    - %s\n' "$@"
    } >"$WORK/$file"
}

box() { # the directory of a sandbox
    echo "$CARREL_STATE/sandboxes/$(readlink "$CARREL_STATE/names/$1")"
}

until_() { # COMMAND...: within 60 s
    for _ in $(seq 300); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.2
    done
    false
}

setup() {
    rm -rf "$WORK/ws"
    mkdir "$WORK/ws"
    cd "$WORK/ws"
}

teardown() {
    for n in $(carrel ls -q); do carrel rm -f "$n"; done
}

@test "what a run leaves in its workspace comes back by export, and nothing stays" {
    echo one >a
    carrel run -p workspace-write mini -- sh -c 'cat a; pwd; id -u; echo hi >hello.txt' </dev/null >"$WORK/out" 2>"$WORK/err"
    [ "$(cat "$WORK/out")" = $'one\n/workspace\n1000' ]
    [ ! -e hello.txt ]
    name=$(carrel ls -q)
    grep -q "1 changes to its workspace: carrel export $name" "$WORK/err"
    fails 1 carrel export "$name"
    [[ $output == "A  hello.txt"* && ! -e hello.txt ]]
    carrel export --yes "$name"
    [ "$(cat hello.txt)" = hi ]
    [ "$(carrel export "$name" 2>&1)" = "carrel: work: nothing has changed" ]
    carrel audit verify "$name"
    carrel audit query "$name" | grep -q 'allow *export *storage/work *work: added hello.txt'
    carrel rm "$name"
    # Nothing changed: nothing is kept.
    carrel run -q -p workspace-write mini -- true </dev/null
    [ -z "$(carrel ls -q)" ]
}

@test "f04 f06 what may not be read is not there, what may not be written does not come back" {
    echo SECRET >.env
    mkdir .git
    echo config >.git/config
    ln -s /etc/passwd out
    carrel run -q --name f -p workspace-write mini -- sh -c '
        ls -A >seen; echo evil >.git/config; mkdir -p .git/hooks; echo evil >.git/hooks/x
        rm -rf sub; mkdir sub; echo x >sub/x; chmod +x sub/x; ln -s .. up' </dev/null
    ! grep -q SECRET "$(box f)/mount-work.img"
    fails 1 carrel export --yes f
    [ "$(cat seen)" = $'.git\nseen' ]
    [ "$(cat .git/config)" = config ]
    [ ! -e .git/hooks/x ] && [ ! -L up ] && [ "$(cat .env)" = SECRET ]
    [ -x sub/x ]
    [[ $output == *"sub/x  2 bytes  [ executable ]"* ]]
    carrel audit query f | grep -q 'deny *export *storage/work/deny_write *work: .*\.git/hooks/x'
    carrel audit query f | grep -q 'deny *file *storage/work/deny_read *work: .env'
}

@test "f07 a full volume is ENOSPC in the guest, and no more on the host" {
    policy q.yaml "{id: w, source: ./, target: /w, access: rw, quota: {bytes: 16MiB, inodes: 200}}"
    carrel run -q --name q -p "$WORK/q.yaml" mini -- sh -c '
        dd if=/dev/zero of=big bs=64k count=1000 2>&1; rm big
        i=0; while touch f$i; do i=$((i + 1)); done 2>&1; rm -f f*; echo ok >ok' </dev/null >"$WORK/out" 2>&1
    [ "$(grep -c 'No space left' "$WORK/out")" -ge 2 ]
    [ "$(stat -c %s "$(box q)/mount-w.img")" = $((16 << 20)) ]
    [ "$(du -m "$(box q)/mount-w.img" | cut -f1)" -le 17 ]
    carrel export -y q
    [ "$(ls)" = ok ]
}

@test "a directory that does not fit is refused before the machine starts" {
    policy q.yaml "{id: w, source: ./, target: /w, access: rw, quota: {bytes: 16MiB, inodes: 200}}"
    head -c 20M /dev/urandom >big
    fails 125 carrel run -q -p "$WORK/q.yaml" mini -- true
    [[ $err == *"storage/w: "*"does not fit into its quota of 16777216 bytes"* ]]
    [ -z "$(carrel ls -q)" ]
}

@test "h07 a disk that is full while a volume is made leaves nothing" {
    [ "$(id -u)" = 0 ] || skip "only root can mount a small disk"
    mkdir -p "$WORK/small"
    mount -t tmpfs -o size=8m none "$WORK/small" || skip "no mounts here"
    head -c 12M /dev/urandom >big
    status=0
    CARREL_STATE=$WORK/small fails 125 carrel run -q -p workspace-write mini -- true || status=1
    left=$(find "$WORK/small" -name 'mount-*' | wc -l)
    umount "$WORK/small"
    [ $status = 0 ] && [ "$left" = 0 ]
    [[ $err == *"No space left"* ]]
}

@test "a read-only mount cannot be written, nor exported" {
    echo one >a
    policy r.yaml "{id: r, source: ./, target: /deep/er/r, access: ro, quota: {bytes: 16MiB, inodes: 200}}"
    carrel run -q --name r -p "$WORK/r.yaml" mini -- sh -c 'cat a; ! echo x >a' </dev/null >"$WORK/out" 2>&1
    grep -q one "$WORK/out"
    grep -q 'Read-only file system' "$WORK/out"
    fails 1 carrel export r r
    [[ $err == *"denied: storage/r may not be exported"* ]]
}

@test "several mounts, one in another's place, with a space in it" {
    mkdir x y
    echo x >x/f
    echo y >y/f
    policy m.yaml "{id: x, source: ./x, target: /m/x, access: rw, quota: {bytes: 16MiB, inodes: 200}}" \
        "{id: y, source: ./y, target: \"/m/y y\", access: ro, quota: {bytes: 16MiB, inodes: 200}}"
    [ "$(carrel run -q --name m -p "$WORK/m.yaml" mini -- sh -c 'cat /m/x/f "/m/y y/f"; pwd; echo n >n' </dev/null)" = $'x\ny\n/m/x' ]
    carrel export -y m
    [ -e x/n ]
}

@test "h02 h03 whoever is killed, the volume is whole and comes back" {
    for victim in keeper vmm; do
        rm -f done
        carrel run -q -d --name k -p workspace-write mini -- \
            sh -c 'for i in 1 2 3 4 5 6 7 8; do echo $i >f$i; done; sync; echo x >done; sync; while :; do echo y >>grows; done' </dev/null
        until_ carrel exec k -- test -e /workspace/done
        pid=$(jq ".${victim}_pid" "$(box k)/state.json")
        # A keeper alone would be followed: whoever holds both.
        [ $victim = vmm ] || pid=$(ps -o ppid= -p "$pid")
        kill -9 $pid
        until_ sh -c 'carrel ls --json | jq -e ".[0].state == \"ended\" or .state == \"ended\""' || carrel ls
        before=$(ls)
        carrel export k >"$WORK/out" 2>&1 </dev/null || :
        [ "$(ls)" = "$before" ]
        carrel export -q --yes k
        for i in 1 2 3 4 5 6 7 8; do [ "$(cat f$i)" = $i ]; done
        [ "$(cat done)" = x ]
        /sbin/e2fsck -fn "$(box k)/mount-work.img"
        carrel rm k
        rm -f f? done grows
    done
}

@test "a workspace lives as long as its sandbox" {
    carrel run -q --name l -p workspace-write mini -- sh -c 'echo one >a' </dev/null
    echo host >b
    carrel start l
    carrel wait l || :
    fails 1 carrel export l
    [[ $output == "A  a  4 bytes" ]]
    [ "$(ls)" = b ]
}

@test "an export of a sandbox that runs, or of none, says what to do" {
    fails 1 carrel export nobody
    carrel run -q -d --name e -p workspace-write mini -- sleep 100 </dev/null
    fails 1 carrel export e
    [[ $err == *"its workspace is in use"*"carrel stop e"* ]]
    carrel run -q --name n mini -- true </dev/null
    fails 1 carrel export n
    [[ $err == *"has no workspace"* ]]
}

@test "all there is goes to another directory" {
    echo one >a
    carrel run -q --name t -p workspace-write mini -- sh -c 'echo two >b' </dev/null
    carrel export -q --yes --to "$WORK/ws/to" t
    [ "$(cat to/a to/b)" = $'one\ntwo' ]
}

@test "f04: a tree is not copied where a denial may lie below" {
    policy deny.yaml '{id: work, source: ./, target: /workspace, access: rw, deny_read: ["**/.env"], deny_write: ["**/.git/hooks/**"], export: {mode: none}}'
    mkdir -p "$WORK/evil/.git/hooks" && echo x >"$WORK/evil/.git/hooks/post-checkout"
    carrel run -q -d --name c -p "$WORK/deny.yaml" mini -- sleep 100 </dev/null
    fails 1 carrel cp "$WORK/evil" c:/workspace
    [[ $err == *"denied by storage/work/deny_"* ]]
    carrel exec c -- sh -c 'echo SECRET >/workspace/.env; test ! -e /workspace/evil'
    fails 1 carrel cp c:/workspace out
    [[ $err == *"denied by storage/work/deny_read"* ]]
    [ ! -e out/.env ]
    carrel cp "$WORK/evil" c:/tmp
    carrel rm -f c
}

@test "f07 there are as many files as the quota says, and the next one finds no room" {
    local fill='cd "$0"; i=0; while [ $i -lt 2000 ] && touch q$i 2>/dev/null; do i=$((i + 1)); done; echo $i; touch q$i'
    policy quota.yaml '{id: w, source: "${cwd}", target: /workspace, access: rw, quota: {bytes: 16MiB, inodes: 300}}'
    sed -i 's/inodes: 50k/inodes: 300/' "$WORK/quota.yaml"
    fails 1 carrel run -q -p "$WORK/quota.yaml" mini -- sh -c "$fill" /workspace
    [ "$output" = 300 ]
    [[ $err == *"No space left on device"* ]]
    # Of a layer's 300 four are there before: /tmp, /etc, hosts and hostname. The format's and the
    # overlay's own directories are besides.
    fails 1 carrel run -q --disk 64M -p "$WORK/quota.yaml" mini -- sh -c "$fill" /tmp
    [ "$output" = 296 ]
    [[ $err == *"No space left on device"* ]]
    # In memory extended attributes count too, since Linux 6.6: the overlay's are less than a KiB.
    fails 1 carrel run -q -p "$WORK/quota.yaml" mini -- sh -c "$fill" /tmp
    [ "$output" = 296 ] || [ "$output" = 295 ]
    [[ $err == *"No space left on device"* ]]
}
