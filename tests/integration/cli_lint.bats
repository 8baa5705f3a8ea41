# cli_lint.bats - policy lint as a person and as a CI job call it.

setup() {
    cd "$WORK" || return
    printf 'carrel: 1\nname: x\naudit: {level: off}\nmode: audit\ncpu: {quota: 200%%}\n' >bad.yaml
    printf 'carrel: 1\nname: y\ntools: {commands: [{id: ls, exec: {path: /usr/bin/ls}}]}\n' >good.yaml
    rm -f bad.lint
}

# answers STATUS COMMAND...: runs it, with its standard output in $output and the rest in $said.
answers() {
    local want=$1 status=0
    shift
    output=$("$@" 2>said </dev/null) || status=$?
    said=$(cat said)
    [ "$status" -eq "$want" ] || {
        echo "status $status, not $want: $output $said"
        return 1
    }
}

@test "a finding has place, severity, rule, sentence and hint" {
    answers 1 carrel policy lint ./bad.yaml
    [[ $output == *"./bad.yaml:3:9: error CR521: audit.level: nothing is recorded
  hint: Leave audit.level out (all)."* ]]
    [[ $output == *"./bad.yaml:4:1: warning CR501: mode: audit: "* ]]
    [[ $output == *"./bad.yaml:5:7: note CR505: "* ]]
    answers 0 carrel policy lint good.yaml
    [ "$output" = "" ]
    [[ $said == *"good.yaml: nothing to say" ]]
}

@test "the status is --fail-on's" {
    printf 'carrel: 1\nname: x\nmode: audit\n' >warn.yaml
    answers 1 carrel policy lint warn.yaml
    answers 0 carrel policy lint --fail-on error warn.yaml
    answers 1 carrel policy lint --fail-on error bad.yaml
    printf 'carrel: 1\nname: x\ncpu: {quota: 200%%}\n' >note.yaml
    answers 0 carrel policy lint note.yaml
    answers 1 carrel policy lint --fail-on note note.yaml
    answers 2 carrel policy lint --fail-on worry note.yaml
}

@test "several policies are judged in one run, and one that is missing hides no other" {
    answers 1 carrel policy lint good.yaml bad.yaml
    answers 1 carrel policy lint nosuch bad.yaml
    [[ $output == *CR521* ]]
    [[ $said == *'no policy "nosuch"'* ]]
    cp bad.yaml also.yaml
    answers 1 carrel policy lint --json also.yaml good.yaml bad.yaml
    [ "$(jq '[.problems[].file] | unique | length' <<<"$output")" = 2 ]
    answers 2 carrel policy lint
}

@test "rules are ignored by number or name" {
    answers 0 carrel policy lint --ignore CR521 --ignore not-enforced bad.yaml
    [[ $output != *CR521* && $output == *CR505* ]]
    answers 2 carrel policy lint --ignore CR999 bad.yaml
    [[ $said == *"no such rule"* ]]
}

@test "what is accepted beside the policy, or in a file named, is counted and has a reason" {
    printf '# why\nCR521 audit.level the test reads the output\nCR501 mode only denials are looked for\n' >bad.lint
    answers 0 carrel policy lint bad.yaml
    [[ $said == *"2 accepted in bad.lint"* ]]
    answers 1 carrel policy lint --baseline '' bad.yaml
    answers 0 carrel policy lint --json bad.yaml
    [ "$(jq '[.problems[] | select(.accepted)] | length' <<<"$output")" = 2 ]
    [ "$(jq .accepted <<<"$output")" = 2 ]
    mv bad.lint other
    answers 1 carrel policy lint bad.yaml
    answers 0 carrel policy lint --baseline other bad.yaml
    answers 1 carrel policy lint --baseline nosuch bad.yaml
    printf 'CR521 audit.level\n' >bad.lint
    answers 1 carrel policy lint bad.yaml
    [[ $output == *"bad.lint:1:1: error: wanted: RULE SUBJECT and the reason"* ]]
    printf 'CR101 network/gone it was here once\n' >good.lint
    answers 0 carrel policy lint good.yaml
    [[ $said == *"good.lint:1: nothing is found there any more"* ]]
    rm good.lint
}

@test "JSON has the counts and every finding" {
    answers 1 carrel policy lint --json bad.yaml
    jq -e '.errors == 1 and .warnings == 1 and .notes >= 1 and .accepted == 0' <<<"$output"
    jq -e '.problems | all(.file and .line and .column and .message and .rule and .severity and
        .name and .hint and .subject)' <<<"$output"
}

@test "SARIF 2.1.0 has what code hosts read" {
    printf 'CR501 mode only denials are looked for\n' >bad.lint
    answers 1 carrel policy lint --sarif bad.yaml good.yaml
    jq -e '.version == "2.1.0" and (."$schema" | test("sarif-schema-2.1.0.json$"))' <<<"$output"
    jq -e '.runs | length == 1' <<<"$output"
    jq -e '.runs[0].tool.driver | .name and .version and (.rules | length >= 40)' <<<"$output"
    jq -e '.runs[0].tool.driver.rules | all((.id | test("^CR[0-9]{3}$")) and .name and
        .shortDescription.text and .help.text and
        (.defaultConfiguration.level | IN("error", "warning", "note")))' <<<"$output"
    jq -e '.runs[0] | (.results | length >= 3) and ([.tool.driver.rules[].id] as $ids | .results |
        all(.ruleId == $ids[.ruleIndex] and .message.text and
        (.level | IN("error", "warning", "note")) and (.locations[0].physicalLocation |
        .artifactLocation.uri and .region.startLine >= 1 and .region.startColumn >= 1)))' <<<"$output"
    jq -e '[.runs[0].results[] | select(.suppressions)] | length == 1 and
        (.[0].suppressions[0] | .kind == "external" and (.justification | length > 0))' <<<"$output"
    printf 'carrel: 1\nname: x\nnetwrok: {}\n' >broken.yaml
    answers 1 carrel policy lint --sarif broken.yaml
    jq -e '.runs[0].results[0] | .ruleId == "key" and .level == "error"' <<<"$output"
}

@test "the rules are listed, each with reason and remedy" {
    answers 0 carrel policy lint --rules
    [ "$(grep -c '^CR[0-9][0-9][0-9]  ' <<<"$output")" -ge 40 ]
    answers 0 carrel policy lint --rules --json
    jq -e 'length >= 40 and all(.rule and .name and .severity and .says and .hint)' <<<"$output"
    answers 2 carrel policy lint --rules good.yaml
}

@test "a document that is wrong is told as by the other verbs" {
    printf 'carrel: 1\nname: x\nnetwrok: {}\n' >broken.yaml
    answers 1 carrel policy lint --fail-on error broken.yaml
    [ "$output" = 'broken.yaml:3:1: error: unknown key "netwrok" in policy (did you mean "network"?)' ]
    answers 1 carrel policy lint --json broken.yaml
    jq -e '.errors == 1 and .problems[0].rule == "key"' <<<"$output"
}

@test "the shipped policies are clean" {
    # shellcheck disable=SC2046 # names without spaces
    answers 0 carrel policy lint $(carrel policy ls)
}

@test "the first policy of the guide is clean, and what the guide asks of it is answered so" {
    awk '/^```yaml$/ { on = 1; next } /^```$/ { if (on) exit } on' \
        "${BATS_TEST_DIRNAME%/tests/*}/docs/POLICY.md" >docs-agent.yaml
    answers 0 carrel policy lint docs-agent.yaml
    answers 1 carrel policy check docs-agent.yaml file write /workspace/.git/config
    answers 0 carrel policy check docs-agent.yaml exec /usr/bin/make -- html
}
