# cli_gc.bats - what crashes leave behind, made by hand; nothing here needs a machine.

setup() {
    cd "$WORK" || return
    rm -rf "$CARREL_STATE" "$CARREL_DATA"
    carrel ls >/dev/null # makes the directories
    boxes=$CARREL_STATE/sandboxes
    gone=$(sh -c 'echo $$') # a pid that has ended
}

# box ID PHASE EPHEMERAL: a sandbox as its files tell.
box() {
    mkdir -m 700 "$boxes/$1"
    cat >"$boxes/$1/config.json" <<END
{"id": "$1", "name": "box-$1", "ephemeral": $3, "image": "mini", "kernel": null, "engine": null,
 "policy": null, "policy_hash": "", "mem_bytes": 67108864, "vcpus": 1, "disk_bytes": 0, "argv": null,
 "env": null, "cwd": null, "user": null, "tty": false, "stdin_open": false, "timeout_ms": 0,
 "stop_grace_ms": 0, "wall_ms": 0, "idle_ms": 0, "labels": {}, "created_ns": 1}
END
    cat >"$boxes/$1/state.json" <<END
{"phase": "$2", "engine": "qemu", "keeper_pid": $gone, "keeper_start": 1, "vmm_pid": $gone,
 "vmm_start": 1, "started_ns": 1, "ready_ns": 0, "ended_ns": 0, "exit_code": null, "exit_code_by": null, "reason": "",
 "text": ""}
END
    ln -s "$1" "$CARREL_STATE/names/box-$1"
}

@test "nothing to do, and so says each form" {
    run carrel gc
    [ "$status" -eq 0 ]
    [ "$output" = "carrel: nothing to do" ] || [ "$output" = "nothing to do" ]
    [ "$(carrel gc --json)" = "[]" ]
    [ -z "$(carrel gc -q)" ]
    run carrel gc now
    [ "$status" -eq 2 ]
}

@test "each kind is found, told and removed; a second time there is nothing" {
    mkdir -m 700 "$boxes/.0123456789ab" "$CARREL_STATE/uids"
    touch "$boxes/.0123456789ab/disk.img" "$CARREL_STATE/uids/1879048193"
    ln -s ffffffffffff "$CARREL_STATE/names/lost"
    mkdir -p "$CARREL_DATA/cache/tmp.abcdef/deep"
    mkdir -p "$CARREL_DATA/images" "$CARREL_STATE/trust"
    touch "$CARREL_DATA/images/mini.json.$gone.tmp" "$CARREL_STATE/trust/seen.$gone.tmp"
    all="cache tmp.abcdef
file images/mini.json.$gone.tmp
file trust/seen.$gone.tmp
half .0123456789ab
name lost
uid uids/1879048193"

    [ "$(carrel gc --dry-run --json | jq -r '.[] | "\(.kind) \(.what)"' | sort)" = "$all" ]
    [ -e "$boxes/.0123456789ab/disk.img" ]
    [ "$(carrel gc --dry-run | sed 's/^would be removed //' | sort)" = "$all" ]
    [ "$(carrel gc | sed 's/^removed //' | sort)" = "$all" ]
    [ "$(carrel gc --json)" = "[]" ]
    [ ! -e "$boxes/.0123456789ab" ]
    [ -z "$(ls -A "$CARREL_STATE/names" "$CARREL_STATE/uids" "$CARREL_DATA/cache" | grep -v :)" ]
}

@test "h12: after a reboot: states of processes that are gone" {
    box 000000000001 running false
    box 000000000002 booting true
    [ "$(carrel gc --dry-run --json | jq length)" -eq 2 ]
    [ "$(carrel inspect --json box-000000000001 2>/dev/null | jq -r '.phase // .state.phase' | head -1)" != running ]
    carrel gc
    [ ! -e "$boxes/000000000002" ]
    grep -q '"keeper-lost"' "$boxes/000000000001/state.json"
    [ "$(carrel gc --json)" = "[]" ]
}

@test "what somebody holds is not touched" {
    box 000000000001 running false
    mkdir -m 700 "$CARREL_STATE/uids"
    touch "$boxes/000000000001/lock" "$boxes/000000000001/state.json.$gone.tmp"
    touch "$CARREL_STATE/uids/1879048193" "$boxes/000000000001/config.json.$$.tmp"
    mkdir -p "$CARREL_DATA/cache/tmp.abcdef"
    exec 7<"$boxes/000000000001/lock" 8<"$CARREL_STATE/uids/1879048193" 9<"$CARREL_DATA/cache/tmp.abcdef"
    flock 7
    flock 8
    flock 9
    [ "$(carrel gc --json)" = "[]" ]
    exec 7<&- 8<&- 9<&-
    # The living one's file stays.
    [ "$(carrel gc --json | jq length)" -ge 3 ]
    carrel gc
    [ -e "$boxes/000000000001/config.json.$$.tmp" ]
    [ ! -e "$boxes/000000000001/state.json.$gone.tmp" ]
}

@test "h13: what is damaged is named and kept, and goes by rm -f" {
    box 000000000001 created false
    printf '{"phase": "runn' >"$boxes/000000000001/state.json"
    box 000000000002 created false
    : >"$boxes/000000000002/config.json"
    run carrel gc --json
    [ "$status" -eq 1 ]
    [ "$(jq -r '.[] | "\(.what) \(.did)"' <<<"${lines[0]}" | sort)" = "000000000001 kept
000000000002 kept" ]
    carrel rm -f 000000000002
    carrel rm -f 000000000001
    [ "$(carrel gc --json)" = "[]" ]
}

# volume ID: with two versions
volume() {
    mkdir -p -m 700 "$CARREL_STATE/volumes/$1"
    touch "$CARREL_STATE/volumes/$1/lock"
    for n in 1 2; do
        echo image >"$CARREL_STATE/volumes/$1/$n.img"
        printf 00000000000a >"$CARREL_STATE/volumes/$1/$n.from"
    done
}

@test "memory volumes: half versions and notes of the dead go, versions and notes of the living stay" {
    v=$CARREL_STATE/volumes
    volume one
    volume two
    box 000000000001 ended false
    echo half >"$v/one/new.img"
    printf 00000000000b >"$v/one/3.from"
    touch "$v/one/pending.$gone.tmp" "$v/one/3.from.$gone.tmp"
    printf ffffffffffff >"$v/one/pending"
    printf 000000000001 >"$v/two/pending" # it can still hand in what it has
    touch "$v/two/3.from.$$.tmp"
    mkdir -m 700 "$v/fresh"
    before=$(cd "$v" && sha256sum one/[12].* two/* | sort)
    all="file volumes/one/3.from
file volumes/one/3.from.$gone.tmp
file volumes/one/new.img
file volumes/one/pending.$gone.tmp
note volumes/one/pending"

    [ "$(carrel gc --dry-run --json | jq -r '.[] | "\(.kind) \(.what)"' | sort)" = "$all" ]
    [ -e "$v/one/new.img" ]
    exec 7<"$v/one/lock" # somebody makes a version
    flock 7
    [ "$(carrel gc --json)" = "[]" ]
    exec 7<&-
    [ "$(carrel gc | sed 's/^removed //' | sort)" = "$all" ]
    [ "$(carrel gc --json)" = "[]" ]
    [ "$(cd "$v" && sha256sum one/[12].* two/* | sort)" = "$before" ]
    [ "$(ls "$v/one" | tr '\n' ' ')" = "1.from 1.img 2.from 2.img lock " ]
    [ -d "$v/fresh" ]
    carrel rm box-000000000001
    [ "$(carrel gc)" = "removed note volumes/two/pending" ]
}

@test "a kernel's half-made initrd goes" {
    mkdir -p "$CARREL_DATA/kernels/one"
    touch "$CARREL_DATA/kernels/one/initrd-0.img.$gone.tmp" "$CARREL_DATA/kernels/one/initrd-0.img"
    [ "$(carrel gc)" = "removed file kernels/one/initrd-0.img.$gone.tmp" ]
    [ -e "$CARREL_DATA/kernels/one/initrd-0.img" ]
}

@test "h12: after a reboot: pids are somebody else's now, and nobody is hurt" {
    sleep 1000 3>&- & # has the pid of a keeper and a machine, and of who wrote a file
    other=$!
    box 000000000001 running false
    sed -i "s/: $gone,/: $other,/g" "$boxes/000000000001/state.json"
    grep -q "\"vmm_pid\": $other" "$boxes/000000000001/state.json"
    printf '%d 1\n' $other >"$boxes/000000000001/lock"
    touch "$boxes/000000000001/config.json.$other.tmp"
    mkdir -p "$CARREL_STATE/trust"
    touch "$CARREL_STATE/trust/seen.$other.tmp"
    carrel gc
    kill -0 $other
    [ "$(carrel inspect box-000000000001 | jq -r .state.reason)" = keeper-lost ]
    [ -e "$CARREL_STATE/trust/seen.$other.tmp" ] # perhaps it is being written
    touch -d '11 minutes ago' "$CARREL_STATE/trust/seen.$other.tmp" \
        "$boxes/000000000001/config.json.$other.tmp"
    carrel gc
    [ ! -e "$CARREL_STATE/trust/seen.$other.tmp" ]
    [ ! -e "$boxes/000000000001/config.json.$other.tmp" ]
    carrel rm -f box-000000000001
    kill $other
}

@test "h10: what cannot be removed is told, kept, and tried again" {
    mkdir -m 700 "$boxes/.0123456789ab" "$boxes/.0123456789ab/not-ours"
    touch "$boxes/.0123456789ab/disk.img"
    run carrel gc
    [ "$status" -eq 1 ]
    [[ $output == *"kept half .0123456789ab"* ]]
    run carrel gc
    [ "$status" -eq 1 ]
    rmdir "$boxes/.0123456789ab/not-ours"
    [ "$(carrel gc)" = "removed half .0123456789ab" ]
    [ "$(carrel gc --json)" = "[]" ]
}

@test "completion and help know it" {
    carrel completion bash | grep -q gc
    carrel gc --help | grep -q -- --dry-run
}
