# cli_compile.bats - what is compiled from policies, and who checks it.

load answers

setup() {
    cd "$WORK" || return
}

tool_policy() { # LINE...: a policy with one command
    printf 'carrel: 1\nname: x\ntools:\n  commands:\n    - id: t\n      exec: {path: /bin/t}\n'
    printf '      %s\n' "$@"
}

@test "every policy of the library compiles, the same way twice, and verifies" {
    for name in $(carrel policy ls); do
        answers 0 carrel policy compile "$name" -o "$name.bundle"
        first=$output
        [[ $output == *"process  vmm-vcpu "*"bundle   "*" bytes  sha256:"* ]]
        answers 0 carrel policy compile "$name" -o "$name.again"
        [ "$output" = "$first" ]
        cmp "$name.bundle" "$name.again"
        [[ $first == *"sha256:$(sha256sum <"$name.bundle" | cut -d' ' -f1)" ]]
        answers 0 carrel policy verify "$name" --bundle "$name.bundle"
        [[ $output == "verified: "*" filters proved"* ]]
    done
}

@test "the parts are files: filters that the kernel takes as they are, the plan, the bundle" {
    answers 0 carrel policy compile python --out parts
    [ -s parts/plan.json ]
    jq -e '."memory.max" > 0' parts/plan.json >/dev/null
    for f in parts/*.bpf; do
        [ $(($(stat -c %s "$f") % 8)) = 0 ]
    done
    answers 0 carrel policy verify python --bundle parts/bundle
    carrel policy compile --json python >report.json
    [ "$(jq -r .bundle.sha256 report.json)" = "$(sha256sum <parts/bundle | cut -d' ' -f1)" ]
    [ "$(jq '[.processes[] | select(.name == "vmm-vcpu") | .calls][0] <= 14' report.json)" = true ]
    [ "$(jq '[.processes[] | select(.name == "vmm-io") | .calls][0] <= 24' report.json)" = true ]
    jq -r '.tools[] | .name + " " + .sha256' report.json | while read -r name hash; do
        [ "$hash" = "$(sha256sum <"parts/tool-$name.bpf" | cut -d' ' -f1)" ]
    done
}

@test "P13: a bundle that says something else is refused by name" {
    tool_policy 'syscalls: {remove: [kill]}' 'rlimits: {as: 64MiB}' >p.yaml
    answers 0 carrel policy compile ./p.yaml -o b
    tool_policy 'syscalls: {remove: [kill]}' 'rlimits: {as: 65MiB}' >q.yaml
    answers 1 carrel policy verify ./q.yaml --bundle b
    [[ $output == "MISMATCH  bundle: policy hash is "* ]]
    # One byte of a filter: what it answers where it allows. (Behind it is one that is never reached.)
    size=$(stat -c %s b)
    cp b c
    printf '\377' | dd of=c bs=1 seek=$((size - 12)) conv=notrunc status=none
    answers 1 carrel policy verify ./p.yaml --bundle c
    [[ $output == "MISMATCH  t: filter"* ]]
    answers 1 carrel policy verify --json ./p.yaml --bundle c
    [ "$(jq -r .verified <<<"$output")" = false ]
    head -c 100 b >d
    answers 1 carrel policy verify ./p.yaml --bundle d
    [[ $output == "MISMATCH  not a bundle: it is cut short"* ]]
    answers 1 carrel policy verify ./p.yaml --bundle nosuch
    answers 1 carrel policy compile ./p.yaml -o no/such/place
}

@test "the engine is part of what is compiled" {
    answers 0 carrel policy compile python --engine qemu -o q
    [[ $output != *"device   /dev/kvm"* ]]
    answers 0 carrel policy verify python --bundle q
}

@test "a tool's filter goes out as an OCI profile and comes back as the same section" {
    tool_policy 'syscalls: {base: none, add: [read, write, socket, clone, exit_group]}' >p.yaml
    carrel policy seccomp export ./p.yaml t >oci.json
    [ "$(jq -r .defaultAction oci.json)" = SCMP_ACT_ERRNO ]
    jq -e '.syscalls[] | select(.names == ["clone3"]) | .errnoRet == 38' oci.json
    answers 0 carrel policy seccomp import oci.json
    [ "$output" = "syscalls: {base: none, add: [read, write, socket, clone, exit_group]}" ]
    answers 1 carrel policy seccomp export ./p.yaml u
    [[ $output == *'no command "u" in the policy'* ]]
}

@test "what a profile says and a policy cannot is told" {
    cat >docker.json <<'EOF'
{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
 "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
              {"names": ["personality"], "action": "SCMP_ACT_ALLOW",
               "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_LE"}]}]}
EOF
    answers 1 carrel policy seccomp import docker.json
    [ "$output" = '# SCMP_ARCH_X86: closed
# personality: allowed for some arguments; a policy names whole calls, so it is left out
syscalls: {base: none, add: [read, write]}' ]
    answers 1 carrel policy seccomp import --json docker.json
    [ "$(jq -r .exact <<<"$output")" = false ]
    echo '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": 1}' >bad.json
    answers 1 carrel policy seccomp import bad.json
    [[ $output == "carrel: seccomp profile: syscalls is not a list"* ]]
    answers 2 carrel policy seccomp nonsense bad.json
}
