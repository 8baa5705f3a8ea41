# cli_guard.bats - a real machine under a policy: what it denies does not happen, and is on record.

load answers

policy() { # FILE, the document's rest on standard input
    { printf 'carrel: 1\nname: test\nstorage: {root: {mode: overlay, quota: {bytes: 512MiB, inodes: 50k}}}\n'; cat; } >"$WORK/$1"
}

logs() { # the records of the sandbox that ended last
    local dir
    dir=$(ls -td "$CARREL_STATE"/audit/*/ | head -1)
    cat "$dir/log"
}

setup_file() {
    policy few.yaml <<'Y'
tools:
  commands:
    - {id: echo, exec: {path: /bin/echo}, user: 0, argv: [{allow: [hello]}], env: {allow: [PATH, HOME, "A*"]}, paths: {ro: [/]}}
    - {id: sleep, exec: {path: /bin/sleep}, user: 0, argv: [{allow: [{any: {count: 1}}]}], env: {allow: ["*"]}, paths: {ro: [/]}}
    - {id: sh, exec: {path: /bin/sh}, user: 0, argv: [{allow: [-c, {any: {count: 1}}]}], env: {allow: ["*"], set: {FROM: policy}}, paths: {ro: [/], rw: [/tmp]}, rlimits: {fsize: 1MiB}, spawn: [sh]}
Y
}

@test "a command that the policy names runs, and only it" {
    [ "$(carrel run -q -p "$WORK/few.yaml" mini -- echo hello </dev/null)" = hello ]
    fails 126 carrel run -q -p "$WORK/few.yaml" mini -- echo bye
    [[ $err == *"denied by tools/commands/echo"*"few.yaml:6"* ]]
    logs | grep '"decision":"deny"' | grep '"rule":"tools/commands/echo"' | grep -q 'exec --path /bin/echo .* -- bye'
    fails 126 carrel run -q -e APIKEY=hunter2 -p "$WORK/few.yaml" mini -- echo bye
    if logs | grep -q hunter2; then false; fi
    logs | grep -q 'APIKEY= '
    fails 126 carrel run -q -p "$WORK/few.yaml" mini -- cat /etc/passwd
    [[ $err == *"denied by"* ]]
    # Nothing is left of it.
    [ -z "$(carrel ls -q)" ]
}

@test "a denial has one shape for programs" {
    fails 126 carrel run -q --json -p "$WORK/few.yaml" mini -- ls
    [ "$(jq -r .error.code <<<"$output")" = policy.denied ]
    [[ $(jq -r .error.message <<<"$output") == *"denied by"* ]]
    [ -n "$(jq -r .error.hint <<<"$output")" ]
}

@test "c07: environment, user and profile are the rule's" {
    [ "$(carrel run -q -e A1=x -p "$WORK/few.yaml" mini -- sh -c 'echo $FROM; ulimit -f' </dev/null)" = $'policy\n1024' ] ||
        [ "$(carrel run -q -e A1=x -p "$WORK/few.yaml" mini -- sh -c 'echo $FROM; ulimit -f' </dev/null)" = $'policy\n2048' ]
    for name in LD_PRELOAD GIT_SSH_COMMAND PAGER BASH_ENV PYTHONSTARTUP; do
        fails 126 carrel run -q -e $name=/x -p "$WORK/few.yaml" mini -- echo hello
        [[ $err == *"$name"* ]]
        [ -z "$(env $name=/x carrel run -q -p "$WORK/few.yaml" mini -- sh -c "echo \$$name" </dev/null)" ]
    done
    fails 126 carrel run -q -u 1000 -p "$WORK/few.yaml" mini -- echo hello
    [[ $err == *"user 1000"* ]]
    out=$(carrel run -q -p "$WORK/few.yaml" mini -- sh -c 'grep -E "CapEff|CapBnd|NoNewPrivs|Seccomp:" /proc/self/status' </dev/null)
    [[ $out == *"CapEff:"*0000000000000000* ]]
    [[ $out == *"NoNewPrivs:"*1* ]]
    [[ $out == *"Seccomp:"*2* ]]
    [ "$(carrel run -q -p "$WORK/few.yaml" mini -- sh -c 'echo x >/tmp/a && cat /tmp/a; echo x >/etc/a || echo no' 2>/dev/null </dev/null)" = $'x\nno' ]
    out=$(carrel run -q -p "$WORK/few.yaml" mini -- sh -c 'head -c 2000000 /dev/zero >/tmp/big; wc -c </tmp/big' 2>/dev/null </dev/null) || true
    [ "$out" -le 1048576 ]
}

@test "exec into a running sandbox is decided as well; budgets are counted" {
    policy two.yaml <<'Y'
budget: {tool_calls: 3}
tools:
  commands:
    - {id: all, exec: {path: "/**"}, user: 0, argv: [{allow: [{any: {count: 0..9}}]}], env: {allow: ["*"]}, paths: {ro: [/], rw: [/]}}
Y
    carrel run -q -d --name g -p "$WORK/two.yaml" mini -- sleep 100 </dev/null
    carrel exec g -- true
    carrel exec g -- true
    fails 126 carrel exec g -- true
    [[ $err == *budget*tool_calls* ]]
    [ "$(carrel inspect g | jq -r .config.policy)" = test ]
    carrel rm -f g
}

@test "copies are decided: a root that is read-only takes none" {
    printf 'carrel: 1\nname: ro\ntools: {commands: [{id: all, exec: {path: "/**"}, user: 0, argv: [{allow: [{any: {count: 0..9}}]}], env: {allow: ["*"]}, paths: {ro: [/]}}]}\n' >"$WORK/ro.yaml"
    carrel run -q -d --name r -p "$WORK/ro.yaml" mini -- sleep 100 </dev/null
    echo x >"$WORK/x"
    fails 1 carrel cp "$WORK/x" r:/tmp/x
    [[ $err == *"denied by storage/root"* ]]
    carrel cp r:/etc/passwd "$WORK/passwd"
    [ -s "$WORK/passwd" ]
    fails 1 carrel exec r -- sh -c 'echo x >/etc/x'
    carrel rm -f r
}

@test "time: wall, idle and processor time end a sandbox, and say so" {
    policy brief.yaml <<'Y'
limits: {wall: 3s, idle: 1h}
tools: {commands: [{id: all, exec: {path: "/**"}, user: 0, argv: [{allow: [{any: {count: 0..9}}]}], env: {allow: ["*"]}, paths: {ro: [/], rw: [/]}}]}
Y
    status=0
    timeout 60 carrel run -q -p "$WORK/brief.yaml" mini -- sleep 100 </dev/null || status=$?
    [ $status != 0 ]
    logs | grep -q '"kind":"limit"'
    logs | grep '"kind":"sandbox.end"' | grep -q limit
    policy idle.yaml <<'Y'
limits: {wall: 1h, idle: 2s}
tools: {commands: [{id: all, exec: {path: "/**"}, user: 0, argv: [{allow: [{any: {count: 0..9}}]}], env: {allow: ["*"]}, paths: {ro: [/], rw: [/]}}]}
Y
    carrel run -q -d --name i -p "$WORK/idle.yaml" mini </dev/null
    timeout 60 carrel wait i
    [ "$(carrel inspect i | jq -r .state.reason)" = limit ]
    [[ $(carrel inspect i | jq -r .state.text) == *limits.idle* ]]
    carrel rm i
    policy cpu.yaml <<'Y'
budget: {cpu: 3s}
tools: {commands: [{id: all, exec: {path: "/**"}, user: 0, argv: [{allow: [{any: {count: 0..9}}]}], env: {allow: ["*"]}, paths: {ro: [/], rw: [/]}}]}
Y
    status=0
    timeout 100 carrel run -q -p "$WORK/cpu.yaml" mini -- sh -c 'while :; do :; done' </dev/null || status=$?
    [ $status != 0 ]
    logs | grep '"kind":"limit"' | grep -q budget.cpu
}

@test "what cannot be enforced refuses to start, by name" {
    fails 125 carrel run -q -p balanced mini -- true
    [[ $err == *network*"cannot enforce"* ]]
    fails 125 carrel run -q --allow example.com mini -- true
    [[ $err == *network* ]]
    fails 125 carrel run -q -m 1G -p "$WORK/few.yaml" mini -- echo hello
    [[ $err == *memory.max*512MiB* ]]
    [ -z "$(carrel ls -q)" ]
}

@test "a share of a processor is the control group's to hold, or nothing starts" {
    { printf 'cpu: {quota: 40%%}\n'; broad share; } | sed '1{h;d};2{p;x}' >"$WORK/share.yaml"
    if ! carrel run -q -d --name s -p "$WORK/share.yaml" mini -- sleep 100 </dev/null 2>"$WORK/err"; then
        grep -q 'cpu quota' "$WORK/err"
        skip "no control group here"
    fi
    dir=$(carrel inspect s | jq -r ".jail.cgroups[]")
    found=
    for d in $dir; do
        [ ! -e "$d/cpu.cfs_quota_us" ] || { [ "$(cat "$d/cpu.cfs_quota_us")" = 40000 ] && found=1; }
        [ ! -e "$d/cpu.max" ] || { [ "$(cat "$d/cpu.max")" = "40000 100000" ] && found=1; }
    done
    carrel rm -f s
    [ "$found" ]
}

@test "a dry run shows the plan and starts nothing" {
    fails 0 carrel run --dry-run -m 1G -c 2 mini
    [[ $output == *"memory.max"*1GiB* && $output == *"cpu.vcpus"*2* ]]
    fails 0 carrel run --dry-run --json mini
    [ "$(jq -r '."memory.max"' <<<"$output")" = 536870912 ]
    [ -z "$(carrel ls -q)" ]
}

@test "a policy that was changed behind the keeper's back does not start" {
    carrel create --name c -p "$WORK/few.yaml" mini -- echo hello >/dev/null
    file=$(ls -d "$CARREL_STATE"/sandboxes/*/policy.json)
    sed -i 's/hello/bye/' "$file"
    fails 125 carrel start c
    [[ $err == *"another hash"* ]]
    rm "$file"
    fails 125 carrel start c
    carrel rm c
}

@test "every log verifies" {
    carrel audit verify
}

broad() { # the rest of a rule's list
    printf 'carrel: 1\nname: %s\nlimits: {wall: 1h, idle: 1h}\nstorage: {root: {mode: overlay, quota: {bytes: 512MiB, inodes: 50k}}}\ntools:\n  commands:\n' "$1"
    printf '    - {id: sleep, exec: {path: /bin/sleep}, user: 0, argv: [{allow: [{any: {count: 1}}]}], env: {allow: ["*"]}, paths: {ro: [/]}}\n'
}

@test "p10: a narrower policy takes hold at once, also of what runs" {
    { broad wide; printf '    - {id: sh, exec: {path: /bin/sh}, user: 0, argv: [{allow: [{any: {count: 0..9}}]}], env: {allow: ["*"]}, paths: {ro: [/], rw: [/]}, spawn: [sh]}\n'; } >"$WORK/wide.yaml"
    broad narrow >"$WORK/narrow.yaml"
    carrel run -q -d --name n -p "$WORK/wide.yaml" mini -- sleep 100 </dev/null
    pids=()
    for i in 1 2 3 4 5 6 7 8 9 10; do
        carrel exec n -- sh -c 'sleep 100; :' </dev/null >/dev/null 2>&1 &
        pids+=($!)
    done
    carrel exec n -- sh -c 'until [ $(ps | grep -c "[s]leep 100; :") = 10 ]; do sleep 0.1; done' </dev/null
    begin=$(date +%s%N)
    carrel policy apply n "$WORK/narrow.yaml"
    for p in "${pids[@]}"; do wait "$p" || true; done
    took=$((($(date +%s%N) - begin) / 1000000))
    [ $took -lt 1000 ] || { echo "$took ms"; false; }
    fails 126 carrel exec n -- sh -c true
    carrel exec n -- sleep 0
    [ "$(carrel inspect n | jq -r .state.phase)" = running ]
    # wider again: refused, the narrow one stays
    fails 1 carrel policy apply n "$WORK/wide.yaml"
    [[ $err == *"wider"* ]]
    carrel exec n -- sleep 0
    carrel rm -f n
    logs | grep -q '"kind":"policy.change"'
    logs | grep -q '"kind":"policy.refused"'
}

@test "p10: what a command left behind goes with its rule, and what has too much goes too" {
    { broad wide; printf '    - {id: sh, exec: {path: /bin/sh}, user: 0, argv: [{allow: [{any: {count: 0..9}}]}], env: {allow: ["*"]}, paths: {ro: [/], rw: [/]}, spawn: [sh]}\n    - {id: ps, exec: {path: /bin/ps}, user: 0, env: {allow: ["*"]}, paths: {ro: [/]}}\n    - {id: cat, exec: {path: /bin/cat}, user: 0, env: {allow: ["*"]}, paths: {ro: [/], rw: [/tmp]}}\n'; } >"$WORK/wide.yaml"
    # cat may write less, sh is not there any more
    sed '/id: sh/d; s|, rw: \[/tmp\]||' "$WORK/wide.yaml" >"$WORK/narrow.yaml"
    carrel run -q -d --name d -p "$WORK/wide.yaml" mini -- sleep 100 </dev/null
    carrel exec d -- sh -c '(setsid sh -c "sleep 717 & exit 0" &) >/dev/null 2>&1' </dev/null
    mkfifo "$WORK/input"
    exec 9<>"$WORK/input"
    carrel exec -i d -- cat <&9 >/dev/null 2>&1 3>&- 9>&- &
    cat=$!
    for _ in $(seq 100); do carrel exec d -- ps | grep -q '[ /]cat' && break; sleep 0.1; done
    carrel exec d -- ps | grep -q 'sleep 717'
    begin=$(date +%s%N)
    carrel policy apply d "$WORK/narrow.yaml"
    out=$(carrel exec d -- ps)
    took=$((($(date +%s%N) - begin) / 1000000))
    [[ $out != *"sleep 717"* && $out != *[/\ ]cat* && $out == *"sleep 100"* ]]
    [ $took -lt 1000 ] || { echo "$took ms"; false; }
    wait $cat || [ $? = 137 ]
    exec 9>&-
    carrel rm -f d
    logs | grep '"kind":"exec.end"' | grep -q 'left behind: denied'
    logs | grep '"kind":"exec.end"' | grep -q 'rw is not in'
    logs | grep '"decision":"deny"' | grep -q 'exec --path /bin/cat .*--rw /tmp'
}

@test "c06: a command starts what its rule names, and itself only where it says so" {
    policy spawn.yaml <<'Y'
tools:
  commands:
    - {id: alone, exec: {path: /bin/ash}, user: 0, argv: [{allow: [-c, {any: {count: 1}}]}], env: {allow: ["*"]}, paths: {ro: [/], rw: [/tmp]}}
    - {id: sh, exec: {path: /bin/sh}, user: 0, argv: [{allow: [-c, {any: {count: 1}}]}], env: {allow: ["*"]}, paths: {ro: [/], rw: [/tmp]}, spawn: [sh]}
Y
    carrel run -q -d --name c -p "$WORK/spawn.yaml" mini -- sh -c 'sleep 100' </dev/null
    # cp and chmod are busybox too; a script of its own is not
    [ "$(carrel exec c -- sh -c 'cp /bin/busybox /tmp/x; echo "#!/bin/sh" >/tmp/s; chmod 755 /tmp/x /tmp/s; ls -d /tmp; /tmp/x true || echo no; /tmp/s || echo no' 2>/dev/null </dev/null)" = $'/tmp\nno\nno' ]
    for what in /bin/ls /bin/ash /proc/self/root/bin/ls /proc/self/exe /tmp/x /tmp/s; do
        [ "$(carrel exec c -- ash -c "$what 2>/dev/null || echo no" </dev/null)" = no ]
    done
    carrel rm -f c
}

@test "c06: a program is the image's, with the content that is pinned, also where it may start anything" {
    local rest='user: 0, argv: [{allow: [{any: {count: 0..4}}]}], env: {allow: ["*"]}, paths: {ro: [/], rw: [/]}'
    printf 'tools:\n  commands:\n    - {id: sum, exec: {path: "/**"}, %s}\n' "$rest" | policy sum.yaml
    sum=$(carrel run -q -p "$WORK/sum.yaml" mini -- sha256sum /bin/busybox </dev/null | cut -d' ' -f1)
    other=$(printf other | sha256sum | cut -d' ' -f1)
    policy pin.yaml <<Y
tools:
  commands:
    - {id: anything, exec: {path: "/**"}, user: 1234}
    - {id: sleep, exec: {path: /bin/sleep}, $rest}
    - {id: ln, exec: {path: /bin/ln}, $rest}
    - {id: echo, exec: {path: /bin/echo, sha256: "$sum"}, $rest, spawn: [anything]}
    - {id: "true", exec: {path: /bin/true, sha256: "$other"}, $rest}
    - {id: ls, exec: {path: /bin/ls}, $rest, spawn: [anything]}
Y
    carrel run -q -d --name p -p "$WORK/pin.yaml" mini -- sleep 100 </dev/null
    [ "$(carrel exec p -- echo hello </dev/null)" = hello ]
    logs | grep -q "exec --path /bin/echo .*--sha256 $sum -- hello"
    fails 126 carrel exec p -- true
    [[ $err == *"is not what the policy pins: its sha256 is $sum"* ]]
    [ "$(carrel exec p -- ls -d /bin </dev/null)" = /bin ]
    carrel exec p -- ln -sf /etc/passwd /bin/ls </dev/null
    carrel exec p -- ln -sf /etc/passwd /bin/echo </dev/null
    fails 126 carrel exec p -- ls /etc/passwd
    [[ $err == *"is not the image's"* ]]
    fails 126 carrel exec p -- echo hello
    [[ $err == *"is not the image's"* ]]
    carrel rm -f p
}

@test "p11: a broken policy leaves nothing allowed, until a sound one comes" {
    broad wide >"$WORK/wide.yaml"
    carrel run -q -d --name q -p "$WORK/wide.yaml" mini -- sleep 100 </dev/null
    echo 'carrel: 1' >"$WORK/broken.yaml"
    echo 'nonsense: [' >>"$WORK/broken.yaml"
    fails 1 carrel policy apply q "$WORK/broken.yaml"
    [[ $err == *"everything is denied"* ]]
    fails 126 carrel exec q -- sleep 0
    logs | grep -q '"kind":"policy.quarantine"'
    # neither narrower nor wider
    { broad other | sed 's,/bin/sleep,/bin/true,; s,id: sleep,id: other,'; } >"$WORK/other.yaml"
    fails 1 carrel policy apply q "$WORK/other.yaml"
    fails 126 carrel exec q -- true
    carrel policy apply q "$WORK/wide.yaml"
    carrel exec q -- sleep 0
    carrel rm -f q
}

@test "p08: a sandbox on behalf of another is within it, and spends its budget" {
    { printf 'budget: {tool_calls: 4}\n'; broad wide; } | sed '1{h;d};2{p;x}' >"$WORK/parent.yaml"
    broad wide >"$WORK/child.yaml"
    carrel run -q -d --name parent -p "$WORK/parent.yaml" mini -- sleep 100 </dev/null
    # wider in one number, with the request that shows it
    fails 125 carrel run -q --parent parent -p "$WORK/child.yaml" mini -- sleep 0
    [[ $err == *tool_calls* ]]
    # its own policy: the second and third call of the family
    carrel run -q --parent parent mini -- sleep 0 </dev/null
    carrel run -q -d --name child --parent parent mini -- sleep 100 </dev/null
    carrel exec parent -- sleep 0
    fails 126 carrel exec child -- sleep 0
    [[ $err == *"used up"* || $err == *budget* ]]
    fails 126 carrel exec parent -- sleep 0
    fails 1 carrel run -q --parent nosuch mini -- sleep 0 || fails 125 carrel run -q --parent nosuch mini -- sleep 0
    # the parent is narrowed: what the child has is more than that
    { printf 'budget: {tool_calls: 0}\n'; broad wide; } | sed '1{h;d};2{p;x}' >"$WORK/less.yaml"
    carrel policy apply parent "$WORK/less.yaml"
    # ends, with what it runs, within a second
    id=$(carrel inspect child | jq -r .config.id)
    for _ in $(seq 50); do
        [ "$(carrel inspect child | jq -r .state.phase)" = ended ] && break
        sleep 0.1
    done
    [ "$(carrel inspect child | jq -r .state.phase)" = ended ]
    grep -q '"kind":"policy.quarantine"' "$CARREL_STATE/audit/$id/log"
    carrel rm -f child parent
}
