# cli_tty.bats - carrel on a terminal; expect plays the user.

@test "a terminal: size, interrupt, detach, attach, restored" {
    command -v expect || skip "expect is not installed"
    run expect -f tests/integration/cli_tty.exp
    echo "$output"
    [ "$status" -eq 0 ]
}
