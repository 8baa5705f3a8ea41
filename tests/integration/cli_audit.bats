# cli_audit.bats - audit logs as a person asks for them, and as somebody changes them.

load answers

ID=0123456789ab
OTHER=fedcba987654

setup() {
    export CARREL_STATE="$BATS_TEST_TMPDIR/state"
    cd "$BATS_TEST_TMPDIR" || return
    log=$CARREL_STATE/audit/$ID
}

teardown() {
    [ -z "${writer:-}" ] || kill "$writer" 2>/dev/null || :
}

maker() {
    audit_maker "$CARREL_STATE" "$@"
}

# writes ID NAME N: a log that stays open, fed through fd 7, answering on fd 8.
writes() {
    mkfifo in out
    audit_maker "$CARREL_STATE" live "$@" <in >out 3>&- &
    writer=$!
    exec 7>in 8<out
    read -r answer <&8
    [ "$answer" = ready ]
}

line() {
    echo "$1" >&7
    read -r answer <&8
}

# flip FILE OFFSET: changes one bit.
flip() {
    local byte
    byte=$(dd if="$1" bs=1 skip="$2" count=1 status=none | od -An -tu1)
    # shellcheck disable=SC2059 # the format is the byte
    printf "\\$(printf %o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

@test "nothing was recorded yet" {
    answers 0 carrel audit ls
    answers 0 carrel audit verify
    says "there are no audit logs"
    answers 1 carrel audit query nobody
    says 'no audit log of "nobody"'
    [ ! -e "$CARREL_STATE/audit" ]
}

@test "a closed log: ls, verify, names, ids and paths" {
    maker make $ID quiet-otter 2500
    maker make $OTHER brave-crow 30
    answers 0 carrel audit ls
    says "quiet-otter  $ID  closed  2500"
    [ "$(carrel audit ls --json | jq -r 'map(.name) | join(" ")')" = "quiet-otter brave-crow" ]
    [ "$(carrel audit ls -q)" = "$ID
$OTHER" ]
    answers 0 carrel audit verify
    says "quiet-otter ($ID): sound: 2500 records, closed, signed to the end"
    for name in quiet-otter $ID 0123 "$log"; do
        answers 0 carrel audit verify "$name"
        says "sound: 2500 records"
    done
    [ "$(carrel audit verify --json quiet-otter | jq -r '.[0] | "\(.verdict) \(.signed) \(.checkpoints)"')" = "sound 2500 3" ]
    answers 1 carrel audit verify brave quiet-otter
    says 'no audit log of "brave"'
    says "sound: 2500 records"
}

@test "one name, several sandboxes: the latest, and it is said" {
    maker make $ID quiet-otter 5
    maker make $OTHER quiet-otter 7
    answers 0 carrel audit verify quiet-otter
    says "($OTHER): sound: 7 records"
    says "2 logs are of sandboxes called quiet-otter"
}

@test "every bit that is flipped in the log is found, with its record" {
    maker make $ID quiet-otter 40
    cp "$log/log" whole
    size=$(stat -c %s whole)
    for i in $(seq 0 24); do
        at=$((i * (size - 2) / 24))
        cp whole "$log/log"
        flip "$log/log" $at
        record=$(head -c $at whole | wc -l)
        answers 1 carrel audit verify $ID
        # The last byte of a line makes two lines one.
        [[ $output == *"TAMPERED at record $record:"* || $output == *"TAMPERED at record $((record + 1)):"* ]]
    done
    cp whole "$log/log"
    answers 0 carrel audit verify $ID
}

@test "records dropped, swapped, repeated and inserted" {
    maker make $ID quiet-otter 40
    cp "$log/log" whole
    sed 11d whole >"$log/log"
    answers 1 carrel audit verify $ID
    says "TAMPERED at record 10: the number is not the next one"
    sed -n -e '11{h;n;p;x}' -e p whole >"$log/log"
    answers 1 carrel audit verify $ID
    says "TAMPERED at record 10: the number"
    sed 11p whole >"$log/log"
    answers 1 carrel audit verify $ID
    says "TAMPERED at record 11: the number"
    sed '11a not a record' whole >"$log/log"
    answers 1 carrel audit verify $ID
    says "TAMPERED at record 11: not a record"
    # Its last record, moved to the end of another log.
    maker make $OTHER brave-crow 40
    { head -39 whole && tail -1 "$CARREL_STATE/audit/$OTHER/log"; } >"$log/log"
    answers 1 carrel audit verify $ID
    says "TAMPERED at record 39: it does not follow the record before it"
}

@test "who knows the format but not the key makes every hash anew: the signatures show it" {
    maker make $ID quiet-otter 1500
    maker forge $ID 700 "file --path /harmless"
    answers 1 carrel audit verify $ID
    says "TAMPERED at record 1000: what is before it is not what was signed"
    # And nothing of it is shown, not even what is before the change.
    answers 1 carrel audit query $ID
    says "TAMPERED"
    [[ $output != *harmless* ]]
    [[ $output != *"/workspace"* ]]
    # A change after a checkpoint leaves what that one signed for.
    rm -r "$log"
    maker make $ID quiet-otter 1500
    maker forge $ID 1200 "file --path /harmless"
    answers 1 carrel audit query $ID --json
    [[ $output != *harmless* ]]
    [ "$(grep -c '"seq"' <<<"$output")" -eq 1000 ]
    answers 1 carrel audit export $ID --format jsonl
    [ "$(grep -c '"seq"' <<<"$output")" -eq 1000 ]
    answers 1 carrel audit report $ID -o page.html
    grep -q "does not verify" page.html
}

@test "the end cut off, at a record, in a line, with its checkpoint" {
    maker make $ID quiet-otter 1500
    cp "$log/log" whole
    cp "$log/checkpoints" notes
    head -1499 whole >"$log/log"
    answers 1 carrel audit verify $ID
    says "CUT SHORT: it was signed with 1500 records and has 1499: the end is missing"
    [[ $(carrel audit ls) == *"cut"* ]]
    head -c -100 whole >"$log/log"
    answers 1 carrel audit verify $ID
    says "CUT SHORT"
    # With the closing checkpoint gone too, the log that is left was never closed.
    head -1200 whole >"$log/log"
    awk '{print} /^$/ && ++n == 2 {exit}' notes >"$log/checkpoints"
    answers 1 carrel audit verify $ID
    says "CUT SHORT: it was never closed"
    says "(1200 records verify, 1000 of them are signed)"
    [ "$(carrel audit verify --json $ID | jq -r '.[0].verdict')" = cut-short ]
    # All checkpoints gone.
    cp whole "$log/log"
    rm "$log/checkpoints"
    answers 1 carrel audit verify $ID
    says "0 of them are signed"
    # Emptied.
    : >"$log/log"
    cp notes "$log/checkpoints"
    answers 1 carrel audit verify $ID
    says "CUT SHORT: it was signed with 1000 records and has 0"
}

@test "checkpoints: flipped, swapped, of another log" {
    maker make $ID quiet-otter 2500
    maker make $OTHER brave-crow 2500
    cp "$log/checkpoints" notes
    size=$(stat -c %s notes)
    for i in $(seq 0 15); do
        at=$((i * (size - 3) / 15))
        cp notes "$log/checkpoints"
        flip "$log/checkpoints" $at
        answers 1 carrel audit verify $ID
        [[ $output == *TAMPERED* || $output == *"CUT SHORT"* ]]
    done
    csplit -s -z -f part notes '/^carrel-audit/' '{*}'
    cat part01 part00 part02 >"$log/checkpoints"
    answers 1 carrel audit verify $ID
    says "a checkpoint is out of order"
    cp "$CARREL_STATE/audit/$OTHER/checkpoints" "$log/checkpoints"
    answers 1 carrel audit verify $ID
    says "of another sandbox"
}

@test "two whole logs exchanged: each says whose it is" {
    maker make $ID quiet-otter 20
    maker make $OTHER brave-crow 20
    mv "$log" tmp
    mv "$CARREL_STATE/audit/$OTHER" "$log"
    mv tmp "$CARREL_STATE/audit/$OTHER"
    answers 1 carrel audit verify
    says "$ID): TAMPERED at record 0: it is the log of $OTHER"
    answers 0 carrel audit ls
    says "it is the log of another sandbox"
}

@test "another key, no key" {
    maker make $ID quiet-otter 20
    cp "$CARREL_STATE/audit/key.pub" ours.pub
    audit_maker "$PWD/elsewhere" make $OTHER x 1
    answers 1 carrel audit verify --key elsewhere/audit/key.pub $ID
    says "a checkpoint is not signed with this key"
    echo nothing >no.pub
    answers 1 carrel audit verify --key no.pub $ID
    says "not an Ed25519 key"
    # The logs copied to an auditor, who has the key.
    cp -r "$log" copy
    export CARREL_STATE=$PWD/nothing
    answers 1 carrel audit verify ./copy
    says "there is no key to check it with"
    answers 0 carrel audit verify --key ours.pub ./copy
    says "./copy: sound: 20 records"
    answers 0 carrel audit query --key ours.pub ./copy -n 1
    # Signed anew with a key of one's own: the kept key says no.
    audit_maker "$PWD/elsewhere" make $ID quiet-otter 20
    answers 0 carrel audit verify --key elsewhere/audit/key.pub ./elsewhere/audit/$ID
    answers 1 carrel audit verify --key ours.pub ./elsewhere/audit/$ID
}

@test "a kept checkpoint proves that nothing before it changed, and that nothing was cut" {
    maker make $ID quiet-otter 1500
    csplit -s -z -f note "$log/checkpoints" '/^carrel-audit/' '{*}'
    for kept in note00 note01 "$log/checkpoints"; do
        answers 0 carrel audit verify --checkpoint "$kept"
        says "it holds all that the kept checkpoint"
    done
    # As people copy: without the last empty lines.
    sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' note00 >by-hand
    answers 0 carrel audit verify --checkpoint by-hand $ID
    # Written again from the start, with the right key: sound, but not what it was.
    mv "$log" old
    maker make $ID quiet-otter 1500
    answers 0 carrel audit verify $ID
    answers 1 carrel audit verify $ID --checkpoint note00
    says "TAMPERED at record 1000: what is before it is not what the kept checkpoint was signed for"
    # Shorter than it was, and closed.
    rm -r "$log"
    maker make $ID quiet-otter 700
    answers 0 carrel audit verify $ID
    answers 1 carrel audit verify $ID --checkpoint note00
    says "CUT SHORT: a kept checkpoint was signed with 1000 records and has 700"
    # What is no checkpoint, or not ours.
    echo hello >nonsense
    answers 1 carrel audit verify --checkpoint nonsense
    answers 1 carrel audit verify --checkpoint nonsense $ID
    says "the kept checkpoint"
    : >empty
    answers 1 carrel audit verify --checkpoint empty $ID
    sed s/1000/0999/ note00 >forged
    answers 1 carrel audit verify --checkpoint forged $ID
    says "the kept checkpoint is not signed with this key"
    answers 2 carrel audit verify --checkpoint note00 $ID $ID
    # Of another log: it is the checkpoint that is wrong, with and without checkpoints of the log's own.
    maker make $OTHER brave-crow 100
    for n in 1 2; do
        answers 1 carrel audit verify --checkpoint note00 $OTHER
        says "UNREADABLE: the kept checkpoint is of another sandbox"
        rm -f "$CARREL_STATE/audit/$OTHER/checkpoints"
    done
}

@test "a log that lives is sound so far; one whose writer died is not" {
    writes $ID quiet-otter 20
    line "hello"
    answers 0 carrel audit verify $ID
    says "sound, not closed: 21 records, 0 of them signed; it is being written"
    [[ $(carrel audit ls) == *"live"* ]]
    answers 0 carrel audit query $ID --grep hello
    says "the last 21 records are not signed yet"
    # Half a line, as a reader may meet it.
    printf '{"actor":"gu' >>"$log/log"
    answers 0 carrel audit verify $ID
    answers 0 carrel audit prune --older-than 0s
    says "kept $ID: it is being written"
    echo die >&7
    wait "$writer" || :
    answers 1 carrel audit verify $ID
    says "CUT SHORT"
}

@test "query chooses, and only by what it was asked" {
    maker make $ID quiet-otter 300
    count() { carrel audit query $ID --json "$@" | jq -s length; }
    [ "$(count)" -eq 300 ]
    [ "$(count --decision deny)" -eq 42 ]
    [ "$(($(count --decision deny) + $(count --decision allow) + $(count --decision event)))" -eq 300 ]
    [ "$(count --kind sandbox)" -eq 1 ]
    [ "$(count --kind sandbox.start)" -eq 1 ]
    [ "$(count --kind sand)" -eq 0 ]
    [ "$(count --rule storage/work)" -gt "$(count --rule storage/work/deny_read)" ]
    [ "$(count --rule storage/wor)" -eq 0 ]
    [ "$(count --grep metadata.google)" -eq "$(carrel audit query $ID --json | grep -c metadata.google)" ]
    [ "$(count --since 1h)" -eq 300 ]
    [ "$(count --until 1h)" -eq 0 ]
    [ "$(count --since 2099-01-01)" -eq 0 ]
    [ "$(carrel audit query $ID --json -n 3 | jq -s -c 'map(.seq)')" = "[297,298,299]" ]
    [ "$(carrel audit query $ID --json -n 2 --decision deny | jq -s 'all(.decision == "deny")')" = true ]
    answers 2 carrel audit query $ID --since yesterday
    answers 2 carrel audit query $ID -n 0
    answers 2 carrel audit query $ID --decision maybe
    # Table: what a guest wrote does not reach the terminal as it is.
    answers 0 carrel audit query $ID --grep "<b>x"
    [[ $output != *$'\033'* ]]
}

@test "tail shows the last records, follows, and ends with the log" {
    writes $ID quiet-otter 50
    answers 0 carrel audit tail -n 2 $ID
    [ "$(grep -c "sandbox\|exec\|file\|http\|connect\|mcp\|model" <<<"$output")" -ge 2 ]
    timeout 60 carrel audit tail -f -n 1 --json $ID >followed 2>said 7>&- 8<&- &
    tail=$!
    until [ -s followed ]; do sleep 0.05; done
    line $'bell\001 and \033[31m escape'
    line "second"
    until grep -q second followed; do sleep 0.05; done
    exec 7>&-
    wait "$writer" || :
    unset writer
    wait "$tail"
    [ "$(jq -s -c 'map(.seq)' followed)" = "[49,50,51]" ]
    grep -q "closed after 52 records" said
    # A log that is closed already.
    answers 0 carrel audit tail -f -n 1 $ID
    says "second"
    answers 0 carrel audit tail -n 2 $ID
    [[ $output != *$'\033'* ]]
}

@test "tail says when a line that comes is not one" {
    writes $ID quiet-otter 5
    timeout 60 carrel audit tail -f -n 1 $ID >followed 2>said 7>&- 8<&- &
    tail=$!
    until grep -q sandbox followed || [ -s followed ]; do sleep 0.05; done
    # A record as it should be, but for what it follows.
    tail -1 "$log/log" | sed 's/"seq":4/"seq":5/' >>"$log/log"
    status=0
    wait "$tail" || status=$?
    [ $status -eq 1 ]
    grep -q "record 5 does not follow the one before it" said
}

# with_policy: the policy "python" beside a log whose records carry its hash.
with_policy() {
    hash=$(carrel policy show --json python | tr -d '\n' | sha256sum | cut -d' ' -f1)
    maker make $ID quiet-otter 200 "$hash"
    maker policy $ID "$BATS_TEST_DIRNAME/../../policies/library/python.yaml" "$hash"
}

@test "the report: one page, nothing from elsewhere, grants used and never used" {
    with_policy
    answers 0 carrel audit report quiet-otter -o page.html
    [ "$(stat -c %a page.html)" = 600 ]
    grep -q "The log verifies" page.html
    [ "$(grep -ci "<script\|src=\|href=\|http-equiv\|url(" page.html)" -eq 0 ]
    [ "$(grep -c "<b>x</b>" page.html)" -eq 0 ]
    grep -q "&lt;b&gt;x&lt;/b&gt;" page.html
    grep -q "grants were never used" page.html
    [ "$(carrel audit report --json $ID | jq -r '.grants | map(select(.rule == "network/pypi"))[0].use')" = used ]
    [ "$(carrel audit report --json $ID | jq '.grants | map(select(.use == "never")) | length > 0')" = true ]
    answers 0 carrel audit report $ID
    says "</html>"
    if command -v script >/dev/null; then
        answers 0 script -qec "carrel audit report $ID || test \$? = 2" /dev/null
        says "not for a terminal"
    fi
}

@test "the report says when the policy is not the one of the records" {
    maker make $ID quiet-otter 50
    [ "$(carrel audit report --json $ID | jq -r .policy_note)" = "no policy is on record" ]
    answers 0 carrel audit report $ID
    says "no policy is on record"
    rm -r "$log"
    with_policy
    sed -i 's/pypi.org/evil.org/g' "$log/policy.json"
    answers 0 carrel audit report $ID
    says "not the one that the records name"
    [ "$(carrel audit report --json $ID | jq .grants)" = null ]
    echo '{' >"$log/policy.json"
    answers 0 carrel audit report $ID
    says "damaged"
    rm "$log/policy.json"
    ln -s /etc/passwd "$log/policy.json"
    answers 0 carrel audit report $ID
    says "not a plain file"
}

@test "export: the log's own lines, and OCSF with what its classes require" {
    maker make $ID quiet-otter 60
    carrel audit export $ID --format jsonl | cmp - "$log/log"
    carrel audit export $ID >ocsf
    [ "$(wc -l <ocsf)" -eq 60 ]
    [ "$(jq -s -c 'map(.class_uid) | unique' ocsf)" = "[1001,1007,4001,6003]" ]
    jq -s -e 'all(
        .type_uid == .class_uid * 100 + .activity_id and .category_uid == (.class_uid / 1000 | floor)
        and (.severity_id | type) == "number" and (.time | type) == "number"
        and .metadata.version == "1.1.0" and .metadata.product.vendor_name == "Carrel"
        and (.actor.user.name | type) == "string")' ocsf
    jq -s -e 'map(select(.class_uid == 1007)) | all(.activity_id == 1 and .process.uid != "" and
        .process.file.name != "" and .device.type_id == 6 and (.action_id | IN(1, 2)))' ocsf
    jq -s -e 'map(select(.class_uid == 1001)) | all(.file.type_id == 0 and .file.name != "" and
        .device.type_id == 6) and any(.activity_id == 2) and any(.activity_id == 3)' ocsf
    jq -s -e 'map(select(.class_uid == 4001)) | all(.src_endpoint.uid == "'$ID'" and
        (.dst_endpoint.port | type) == "number") and any(.activity_id == 5 and .action_id == 2) and
        any(.url.path == "/simple/requests/" and .dst_endpoint.hostname == "pypi.org")' ocsf
    jq -s -e 'map(select(.class_uid == 6003)) | all(.api.operation != "" and
        .src_endpoint.uid == "'$ID'" and (has("action_id") | not))' ocsf
    jq -s -e 'map(select(.process.name == "git"))[0].process.cmd_line ==
        "/usr/bin/git commit -m \"a b\""' ocsf
    answers 2 carrel audit export $ID --format csv
}

@test "prune: what is old, ended and sound; never evidence" {
    maker make $ID quiet-otter 20
    answers 0 carrel audit prune
    says "is kept for 90d"
    answers 0 carrel audit prune --older-than 1h
    says "is kept for 1h"
    [ -d "$log" ]
    answers 0 carrel audit prune --older-than 0s --dry-run
    says "would remove $ID"
    [ -d "$log" ]
    flip "$log/log" 700
    answers 0 carrel audit prune --older-than 0s
    says "kept $ID: it does not verify"
    flip "$log/log" 700
    [ "$(carrel audit prune --older-than 0s --json | jq -c '.[0] | [.id, .removed]')" = "[\"$ID\",true]" ]
    [ ! -e "$log" ]
    # What the policy says is the least; a policy that cannot be believed keeps all.
    with_policy
    answers 0 carrel audit prune --older-than 0s
    says "is kept for"
    rm "$log/policy.json"
    answers 0 carrel audit prune --older-than 0s
    says "the policy that says how long is not on record"
    # Its sandbox exists.
    maker make $OTHER brave-crow 20
    mkdir -p "$CARREL_STATE/sandboxes/$OTHER"
    chmod 700 "$CARREL_STATE/sandboxes"
    answers 0 carrel audit prune --older-than 0s
    says "kept $OTHER: its sandbox is still there"
    answers 2 carrel audit prune --older-than soon
}

@test "hostile directories: links, pipes, huge lines, garbage, others' files" {
    maker make $ID quiet-otter 5
    audit=$CARREL_STATE/audit
    dirs=(111111111111 222222222222 333333333333 444444444444 555555555555 666666666666 777777777777)
    for d in "${dirs[@]}"; do mkdir -m 700 "$audit/$d"; done
    ln -s /etc/passwd "$audit/${dirs[0]}/log"
    mkfifo "$audit/${dirs[1]}/log"
    head -c 3000000 /dev/zero | tr '\0' x >"$audit/${dirs[2]}/log"
    head -c 300000 /dev/urandom >"$audit/${dirs[3]}/log"
    head -c 300000 /dev/urandom >"$audit/${dirs[3]}/checkpoints"
    mkdir "$audit/${dirs[4]}/log"
    cp "$log/log" "$audit/${dirs[5]}/log"
    mkfifo "$audit/${dirs[5]}/checkpoints"
    ln -s "$log" "$audit/888888888888"
    : >"$audit/999999999999"
    chmod 777 "$audit/${dirs[6]}"
    mkdir "$audit/not-an-id"
    head -c 100 /dev/urandom >"$audit/garbage"
    answers 0 timeout 20 carrel audit ls
    [ "$(grep -c broken <<<"$output")" -eq 9 ] || { echo "$output"; false; }
    answers 1 timeout 20 carrel audit verify
    says "quiet-otter ($ID): sound"
    says "not a regular file"
    says "other users can write to it"
    for d in "${dirs[@]}" 888888888888 999999999999; do
        for verb in verify query tail report export; do
            answers 1 timeout 20 carrel audit $verb "$d"
        done
    done
    # Links to a log that is sound.
    mkdir links
    ln -s "$log/log" "$log/checkpoints" links/
    answers 1 carrel audit verify ./links
    says "UNREADABLE"
    answers 0 timeout 20 carrel audit prune --older-than 0s
    says "removed $ID"
    [ "$(find "$audit" -maxdepth 1 -name '[0-9]*' | wc -l)" -eq 9 ]
    # The whole directory, open to others.
    chmod 777 "$audit"
    answers 1 carrel audit verify
    says "other users can write to it"
}

@test "memory is bounded whatever a log holds" {
    ! grep -qa __asan_init "$(command -v carrel-job)" || skip "the sanitizer reserves terabytes"
    mkdir -p -m 700 "$CARREL_STATE" "$CARREL_STATE/audit" "$log"
    maker make $OTHER brave-crow 5
    # 200 MB in one line, and as checkpoints.
    truncate -s 200M "$log/log"
    truncate -s 200M "$log/checkpoints"
    for verb in verify query report; do
        answers 1 bash -c "ulimit -v 150000; carrel audit $verb $ID"
        [[ $output == *TAMPERED* || $output == *UNREADABLE* ]]
    done
}

@test "completion offers the verbs and the logs" {
    maker make $ID quiet-otter 5
    carrel completion bash >complete.bash
    try() {
        bash -c 'source complete.bash; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _carrel
            echo "${COMPREPLY[@]}"' _ _ "$@"
    }
    [[ $(try carrel audit '') == *verify*query*tail* ]]
    [[ $(try carrel audit verify qui) == quiet-otter ]]
    [[ $(try carrel audit query --decision '') == "allow deny event" ]]
}
