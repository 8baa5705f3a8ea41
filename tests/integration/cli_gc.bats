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

@test "completion and help know it" {
    carrel completion bash | grep -q gc
    carrel gc --help | grep -q -- --dry-run
}
