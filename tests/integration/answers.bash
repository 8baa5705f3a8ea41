# shellcheck shell=bash
# answers.bash - what tests of the commands expect of their output: "load answers".

# answers STATUS COMMAND...: runs it, with both outputs in $output.
answers() {
    local want=$1 status=0
    shift
    output=$("$@" 2>&1 </dev/null) || status=$?
    [ "$status" -eq "$want" ] || {
        echo "status $status, not $want: $output"
        return 1
    }
}

# fails STATUS COMMAND...: the same, with standard output in $output and standard error in $err.
fails() {
    local want=$1 status=0
    shift
    output=$("$@" 2>"$WORK/err" </dev/null) || status=$?
    err=$(cat "$WORK/err")
    [ "$status" -eq "$want" ] || {
        echo "status $status, not $want: $output / $err"
        return 1
    }
}

# says TEXT: the last output has it.
says() {
    [[ $output == *"$1"* ]] || {
        echo "no \"$1\" in: $output"
        return 1
    }
}
