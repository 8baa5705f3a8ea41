# cli_trust.bats - policies are signed and verified as people do it: keys in files, a trust document,
# grants.

load answers

setup() {
    cd "$WORK" || return
    mkdir -p "t$BATS_TEST_NUMBER"
    cd "t$BATS_TEST_NUMBER" || return
    export CARREL_TRUST=$PWD/trust.yaml CARREL_STATE=$PWD/state
    for who in alice bob carol; do
        carrel policy keygen "$who" >/dev/null
    done
    mkdir org
    printf 'carrel: 1\nname: org/base\nmemory: {max: 2GiB}\nnetwork: {allow: [{id: pypi, hosts: [pypi.org]}]}\n' >org/base.yaml
    hash=$(carrel policy show --json org/base.yaml | tr -d '\n' | sha256sum | cut -d' ' -f1)
    printf 'carrel: 1\nname: agent\nextends: [org/base@sha256:%s]\nmemory: {max: 1GiB}\n' "$hash" >agent.yaml
    trust "roles:
  - {id: base, keys: [alice, bob], threshold: 2, names: [\"org/*\"]}
  - {id: help, keys: [carol], delegate: 1, may_grant: {budget: {egress: 1GiB}, network: {allow: [{id: any, hosts: [\"**.example.org\"]}]}}}"
}

trust() {
    {
        echo 'carrel: 1'
        echo 'keys:'
        for who in alice bob carol; do
            echo "  - {id: $who, key: \"$(cat $who.pub)\"}"
        done
        echo "$1"
    } >trust.yaml
    chmod 644 trust.yaml
}

sign() { # WHO [OPTION...]
    local who=$1
    shift
    carrel policy sign -q org/base.yaml --key "$who" --role base "$@"
}

@test "a private key is for its owner's eyes" {
    answers 0 carrel policy keygen mine
    [ "$output" = "$(cat mine.pub)" ]
    [[ $output == ed25519:* ]]
    [ "$(stat -c %a mine)" = 600 ]
    answers 1 carrel policy keygen mine
    says "not overwritten"
    chmod 640 mine
    answers 1 carrel policy sign agent.yaml --key mine --role base
    says "others may read this key"
    # It is what other tools read.
    if command -v openssl >/dev/null; then
        pub=$(openssl pkey -in alice -pubout -outform DER | tail -c 32 | base64)
        [ "ed25519:$pub" = "$(cat alice.pub)" ]
    fi
}

@test "P09: unsigned, one signature of two, two of two" {
    answers 1 carrel policy verify org/base.yaml
    says "org/base needs 2 signatures of role base and has 0"
    says "NOT TRUSTED under $CARREL_TRUST"
    sign alice
    sign alice
    answers 1 carrel policy verify org/base.yaml
    says "needs 2 signatures of role base and has 1"
    sign bob
    answers 0 carrel policy verify org/base.yaml
    says "alice for base, version 1"
    says "bob for base, version 1"
    says "trusted under"
    # The layer above is what is signed; the one below is anybody's.
    answers 0 carrel policy verify agent.yaml
    rm org/base.yaml.sig
    answers 1 carrel policy verify agent.yaml
    says "org/base.yaml:1:1: error: org/base needs 2 signatures"
}

@test "P09: a changed document, a changed signature, a key of another role" {
    sign alice
    sign carol
    answers 1 carrel policy verify --json org/base.yaml
    [ "$(jq -r '.documents[0].signatures[] | select(.who == "carol").state' <<<"$output")" = "not a key of this role" ]
    [ "$(jq -r .trusted <<<"$output")" = false ]
    [ "$(jq -r '.documents[0].roles[0].have' <<<"$output")" = 1 ]
    sign bob
    answers 0 carrel policy verify --json org/base.yaml
    [ "$(jq -r '.trusted' <<<"$output")" = true ]
    sed -i 's/^version 1$/version 2/' org/base.yaml.sig
    answers 1 carrel policy verify org/base.yaml
    says "wrong signature"
    rm org/base.yaml.sig
    sign alice
    sign bob
    sed -i 's/2GiB/3GiB/' org/base.yaml
    answers 1 carrel policy verify org/base.yaml
    says "signed another document"
    echo x >>org/base.yaml.sig
    answers 1 carrel policy verify org/base.yaml
    says "not a signature file"
}

@test "P09: expired, not yet valid, revoked" {
    sign alice --from 2020-01-01T00:00:00Z --expires 30d
    sign bob
    answers 1 carrel policy verify org/base.yaml
    says "alice: expired"
    sign alice --from 9998-01-01T00:00:00Z --expires 9999-01-01T00:00:00Z
    answers 1 carrel policy verify org/base.yaml
    says "alice: not yet valid"
    sign alice
    answers 0 carrel policy verify org/base.yaml
    cp trust.yaml before
    echo "revoked: {keys: [\"$(cat bob.pub)\"]}" >>trust.yaml
    answers 1 carrel policy verify org/base.yaml
    says "bob: revoked key"
    cp before trust.yaml
    echo "revoked: {documents: [$(sed -n 's/^sha256 //p' org/base.yaml.sig | head -n 1)]}" >>trust.yaml
    answers 1 carrel policy verify org/base.yaml
    says "org/base is revoked"
    answers 1 carrel policy verify agent.yaml
    answers 2 carrel policy sign org/base.yaml --key alice --role base --expires yesterday
    answers 2 carrel policy sign org/base.yaml --key alice --role base --version 0
    answers 2 carrel policy sign org/base.yaml --key alice
    answers 2 carrel policy sign org/base.yaml --role base
}

@test "P09: an older version does not come back" {
    sign alice
    sign bob
    cp -r org old
    sed -i 's/2GiB/3GiB/' org/base.yaml
    sign alice
    sign bob
    grep -q '^version 2$' org/base.yaml.sig
    answers 0 carrel policy verify --record org/base.yaml
    cp old/* org/
    answers 1 carrel policy verify org/base.yaml
    says "version 1 of role base, but version 2 ran here"
}

@test "without a trust document, or with one that others can write, nothing is verified" {
    chmod 666 trust.yaml
    answers 1 carrel policy verify org/base.yaml
    says "not trusted"
    rm trust.yaml
    answers 1 carrel policy verify org/base.yaml
    echo 'carrel: 1' >trust.yaml
    echo 'rolls: []' >>trust.yaml
    answers 1 carrel policy verify org/base.yaml
    says 'unknown key "rolls" in trust (did you mean "roles"?)'
}

@test "a grant adds one rule for a time, and no more than its role may" {
    sign alice
    sign bob
    grant() { answers 0 carrel policy grant agent.yaml --key carol --role help -o a.grant -q "$@"; }
    grant --widen 'network: {allow: [{id: docs, hosts: [docs.example.org]}]}'
    answers 0 carrel policy verify agent.yaml --grant a.grant
    says "granted: widens"
    says "+ http --host docs.example.org"
    grant --widen 'budget: {egress: 1GiB}'
    answers 0 carrel policy verify --json agent.yaml --grant a.grant
    [ "$(jq -r .granted.change <<<"$output")" = widens ]
    grant --widen 'budget: {egress: 2GiB}'
    answers 1 carrel policy verify agent.yaml --grant a.grant
    says "budget/egress is wider than what role help may grant, which denies: resource --field budget.egress"
    grant --widen 'memory: {max: 2GiB}'
    answers 1 carrel policy verify agent.yaml --grant a.grant
    says "max: is not part of what role help may grant"
    grant --widen 'budget: {egress: 1GiB}' --from 2020-01-01T00:00:00Z
    answers 1 carrel policy verify agent.yaml --grant a.grant
    says "carol: expired"
    answers 0 carrel policy grant agent.yaml --key alice --role help -o a.grant --widen 'budget: {egress: 1GiB}'
    answers 1 carrel policy verify agent.yaml --grant a.grant
    says "alice: not a key of this role"
    answers 1 carrel policy grant agent.yaml --key carol --role help --widen 'mode: learn'
    says "mode: cannot be granted"
    answers 2 carrel policy grant agent.yaml --key carol --role help
}

@test "a grant is handed on once, narrower, by the key that it names" {
    sign alice
    sign bob
    carrel policy keygen dave >/dev/null
    carrel policy grant agent.yaml --key carol --role help --delegate "$(cat dave.pub)" --id first \
        --widen 'network: {allow: [{id: docs, hosts: ["**.docs.example.org"]}]}' >first.grant
    below() { carrel policy grant -q agent.yaml --key "$1" --below first.grant -o second.grant --expires 10m \
        --widen "network: {allow: [{id: docs, hosts: [$2]}]}"; }
    below dave a.docs.example.org
    answers 0 carrel policy verify agent.yaml --grant second.grant
    says "+ http --host a.docs.example.org"
    below dave a.example.org
    answers 1 carrel policy verify agent.yaml --grant second.grant
    says "is wider than grant first, which denies: "
    below alice a.docs.example.org
    answers 1 carrel policy verify agent.yaml --grant second.grant
    says "not signed by the key that grant first names"
}

@test "a grant of a role with a threshold is signed by several" {
    trust "roles:
  - {id: ops, keys: [alice, bob], threshold: 2, may_grant: {limits: {wall: 1d}}}"
    carrel policy grant agent.yaml --key alice --role ops --widen 'limits: {wall: 2h}' >a.grant
    answers 1 carrel policy verify agent.yaml --grant a.grant
    says "needs 2 signatures of role ops and has 1"
    answers 0 carrel policy sign a.grant --key bob
    answers 0 carrel policy verify agent.yaml --grant a.grant
    # It is for this document alone.
    sed -i 's/1GiB/1025MiB/' agent.yaml
    answers 1 carrel policy verify agent.yaml --grant a.grant
    says "not for this policy"
}
