# shellcheck shell=sh
# check.sh - sourced by the checks: one line a check, and the status in the end.
export CARREL_STATE=/run/carrel CARREL_DATA=/var/lib/carrel
bad=0
started=$(date +%s)

ok() { echo "ok: $1 ($(($(date +%s) - started)) s)"; }
not_ok() {
    echo "not ok: $1"
    bad=$((bad + 1))
}

# same WHAT WANTED GOT
same() {
    if [ "$2" = "$3" ]; then
        ok "$1"
    else
        not_ok "$1"
        printf '    wanted: %s\n    got:    %s\n' "$2" "$3"
    fi
}

# holds WHAT PATTERN TEXT
holds() {
    case $3 in
    *"$2"*) ok "$1" ;;
    *)
        not_ok "$1"
        printf '    wanted: %s\n    in:     %s\n' "$2" "$3"
        ;;
    esac
}

# Until COMMAND succeeds, at most SECONDS: until_ SECONDS COMMAND...
until_() {
    end=$(($(date +%s) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$end" ] || return 1
        usleep 100000
    done
}

finish() {
    [ "$bad" = 0 ] || echo "$bad checks failed"
    exit $((bad > 0))
}
