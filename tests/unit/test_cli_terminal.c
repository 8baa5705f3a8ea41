/* test_cli_terminal.c - detach keys, interrupts, signal names: the pure parts of a session. */
#include "sandbox/cli/escalate.h"
#include "sandbox/cli/signals.h"
#include "sandbox/cli/tty.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void keys_are_parsed(void **state)
{
    uint8_t keys[TTY_KEYS_MAX];

    (void)state;
    assert_int_equal(tty_parse_keys("ctrl-p,ctrl-q", keys), 2);
    assert_int_equal(keys[0], 16);
    assert_int_equal(keys[1], 17);
    assert_int_equal(tty_parse_keys("", keys), 0);
    assert_int_equal(tty_parse_keys("a,ctrl-@,ctrl-_,ctrl-[", keys), 4);
    assert_int_equal(keys[0], 'a');
    assert_int_equal(keys[1], 0);
    assert_int_equal(keys[2], 31);
    assert_int_equal(keys[3], 27);
    assert_int_equal(tty_parse_keys("ctrl-", keys), -EINVAL);
    assert_int_equal(tty_parse_keys("ctrl-1", keys), -EINVAL);
    assert_int_equal(tty_parse_keys("ctrl-pp", keys), -EINVAL);
    assert_int_equal(tty_parse_keys("ctrl-~", keys), -EINVAL);
    assert_int_equal(tty_parse_keys("ab", keys), -EINVAL);
    assert_int_equal(tty_parse_keys("a,", keys), -EINVAL);
    assert_int_equal(tty_parse_keys("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", keys), -EINVAL);
}

/* Feeds the input in chunks; true when the keys were seen. */
static bool feed(struct tty_keys *k, const char *in, size_t chunk, char *out)
{
    size_t len = strlen(in), total = 0, used;
    bool found = false;

    for (size_t at = 0; at < len && !found; at += chunk) {
        size_t n = len - at < chunk ? len - at : chunk;

        found = tty_keys_filter(k, (const uint8_t *)in + at, n, (uint8_t *)out + total, &used);
        total += used;
    }
    out[total] = '\0';
    return found;
}

static void keys_are_recognised_however_they_arrive(void **state)
{
    char out[64];

    (void)state;
    for (size_t chunk = 1; chunk < 8; chunk++) {
        struct tty_keys k = { .keys = { 16, 17 }, .nkeys = 2 };

        assert_true(feed(&k, "ls\n\x10\x11rest", chunk, out));
        assert_memory_equal(out, "ls\n", 3);
        k.matched = 0;
        assert_false(feed(&k,
                          "a\x10"
                          "b\x11"
                          "c",
                          chunk, out));
        assert_string_equal(out, "a\x10"
                                 "b\x11"
                                 "c");
        k.matched = 0;
        assert_true(feed(&k, "\x10\x10\x11", chunk, out)); /* the first one was for the guest */
        assert_string_equal(out, "\x10");
    }

    struct tty_keys none = { .nkeys = 0 };

    assert_false(feed(&none, "\x10\x11", 1, out));
    assert_string_equal(out, "\x10\x11");
}

static enum escalate_step step(struct escalate *s, int signo, bool passable, bool owns, double at)
{
    return escalate_step(s, signo, passable, owns, (int64_t)(at * 1e9));
}

static void interrupts_escalate(void **state)
{
    struct escalate s;

    (void)state;
    escalate_init(&s);
    assert_int_equal(step(&s, SIGINT, true, true, 100), ESCALATE_PASS);
    assert_int_equal(step(&s, SIGINT, true, true, 102), ESCALATE_STOP); /* 2 s: still within */
    assert_int_equal(step(&s, SIGINT, true, true, 103), ESCALATE_KILL);
    assert_int_equal(step(&s, SIGINT, true, true, 104), ESCALATE_KILL);
    escalate_init(&s);
    assert_int_equal(step(&s, SIGINT, true, true, 100), ESCALATE_PASS);
    assert_int_equal(step(&s, SIGINT, true, true, 102.1), ESCALATE_PASS);
    assert_int_equal(step(&s, SIGINT, true, true, 104.2), ESCALATE_PASS);
    assert_int_equal(step(&s, SIGINT, true, true, 105), ESCALATE_STOP);
}

static void other_signals_pass(void **state)
{
    struct escalate s;

    (void)state;
    escalate_init(&s);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(step(&s, SIGHUP, true, true, 1), ESCALATE_PASS);
        assert_int_equal(step(&s, SIGUSR1, true, true, 1), ESCALATE_PASS);
    }
    assert_int_equal(step(&s, SIGUSR1, false, true, 1), ESCALATE_NOTHING);
}

/* One that is ignored is followed by another some day, from whoever sends it: `timeout`, a service
 * manager, a person. */
static void a_third_term_ends_it_for_sure(void **state)
{
    struct escalate s;

    (void)state;
    escalate_init(&s);
    assert_int_equal(step(&s, SIGTERM, true, true, 1), ESCALATE_PASS);
    assert_int_equal(step(&s, SIGTERM, true, true, 1000), ESCALATE_STOP);
    assert_int_equal(step(&s, SIGTERM, true, true, 2000), ESCALATE_KILL);
    escalate_init(&s);
    assert_int_equal(step(&s, SIGTERM, true, true, 1), ESCALATE_PASS);
    assert_int_equal(step(&s, SIGINT, true, true, 1000), ESCALATE_STOP);
    assert_int_equal(step(&s, SIGINT, true, true, 2000), ESCALATE_STOP); /* the first INT again */
    assert_int_equal(step(&s, SIGTERM, true, true, 2001), ESCALATE_KILL);
    escalate_init(&s); /* of an exec only its own command */
    assert_int_equal(step(&s, SIGTERM, true, false, 1), ESCALATE_PASS);
    assert_int_equal(step(&s, SIGTERM, true, false, 2), ESCALATE_PASS);
    assert_int_equal(step(&s, SIGTERM, true, false, 3), ESCALATE_LEAVE);
}

static void before_the_command_runs_an_interrupt_ends_it_all(void **state)
{
    struct escalate s;

    (void)state;
    escalate_init(&s);
    assert_int_equal(step(&s, SIGINT, false, true, 1), ESCALATE_KILL);
    assert_int_equal(step(&s, SIGTERM, false, true, 1), ESCALATE_KILL);
    assert_int_equal(step(&s, SIGINT, false, false, 1), ESCALATE_LEAVE);
}

static void an_exec_never_stops_the_sandbox(void **state)
{
    struct escalate s;

    (void)state;
    escalate_init(&s);
    assert_int_equal(step(&s, SIGINT, true, false, 1), ESCALATE_PASS);
    assert_int_equal(step(&s, SIGINT, true, false, 1), ESCALATE_PASS);
    assert_int_equal(step(&s, SIGINT, true, false, 1), ESCALATE_LEAVE);
}

static void signal_names(void **state)
{
    (void)state;
    assert_int_equal(signals_parse("TERM"), SIGTERM);
    assert_int_equal(signals_parse("sigterm"), SIGTERM);
    assert_int_equal(signals_parse("9"), SIGKILL);
    assert_int_equal(signals_parse("64"), 64);
    assert_int_equal(signals_parse("65"), -EINVAL);
    assert_int_equal(signals_parse("0"), -EINVAL);
    assert_int_equal(signals_parse(""), -EINVAL);
    assert_int_equal(signals_parse("SIG"), -EINVAL);
    assert_int_equal(signals_parse("NOPE"), -EINVAL);
    for (int i = 1; i < 32; i++)
        assert_int_equal(signals_parse(signals_name(i)), i);
    assert_string_equal(signals_name(SIGWINCH), "WINCH");
    assert_string_equal(signals_name(SIGSYS), "SYS");
    assert_null(signals_name(0));
    assert_null(signals_name(40));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_parsed),
        cmocka_unit_test(keys_are_recognised_however_they_arrive),
        cmocka_unit_test(interrupts_escalate),
        cmocka_unit_test(other_signals_pass),
        cmocka_unit_test(a_third_term_ends_it_for_sure),
        cmocka_unit_test(before_the_command_runs_an_interrupt_ends_it_all),
        cmocka_unit_test(an_exec_never_stops_the_sandbox),
        cmocka_unit_test(signal_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
