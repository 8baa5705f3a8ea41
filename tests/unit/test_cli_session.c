/*
 * test_cli_session.c - a session against a keeper that is played: orders that are right, and all
 * kinds that are wrong. Nothing it says may hang, crash or be taken for something else.
 */
#include "sandbox/cli/link.h"
#include "sandbox/cli/session.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int ours, theirs;

static int set_up(void **state)
{
    int fds[2];

    (void)state;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
        return -1;
    ours = fds[0];
    theirs = fds[1];
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return close(theirs); /* ours was taken */
}

static void say(enum msg_type type, const void *body, size_t len)
{
    uint8_t head[MSG_HEADER];

    msg_header(head, type, (uint32_t)len);
    assert_int_equal(write(theirs, head, sizeof(head)), sizeof(head));
    if (len)
        assert_int_equal(write(theirs, body, len), (ssize_t)len);
}

/* ---- link ---- */

static void r01_frames_arrive_in_any_pieces(void **state)
{
    struct err e = ERR_INIT;
    struct link *l = link_new(ours, &e);
    uint8_t bytes[MSG_HEADER + 3];
    struct msg_frame f;

    (void)state;
    assert_non_null(l);
    msg_header(bytes, MSG_STDOUT, 3);
    memcpy(bytes + MSG_HEADER, (const char[3]){ 'a', 'b', 'c' }, 3);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            assert_int_equal(link_next(l, &f, &e), 0);
            assert_int_equal(write(theirs, bytes + i, 1), 1);
            assert_int_equal(link_pump(l, &e), 0);
        }
        assert_int_equal(link_next(l, &f, &e), 1);
        assert_int_equal(f.type, MSG_STDOUT);
        assert_memory_equal(f.body, "abc", 3);
    }
    shutdown(theirs, SHUT_WR);
    assert_int_equal(link_pump(l, &e), 0);
    assert_true(l->closed);
    assert_int_equal(link_events(l), 0);
    link_free(l);
}

static void what_is_no_frame_is_an_error(void **state)
{
    struct err e = ERR_INIT;
    struct link *l = link_new(ours, &e);
    struct msg_frame f;

    (void)state;
    assert_int_equal(write(theirs, "\x41\xff\0\0\0\0\0\0", 8), 8);
    assert_int_equal(link_pump(l, &e), 0);
    assert_int_equal(link_next(l, &f, &e), -EBADMSG);
    link_free(l);
}

static void output_is_bounded_and_in_order(void **state)
{
    struct err e = ERR_INIT;
    struct link *l = link_new(ours, &e);
    static uint8_t body[MSG_MAX], got[MSG_HEADER + MSG_MAX];
    unsigned sent = 0, seen = 0;

    (void)state;
    while (link_send(l, MSG_STDIN, body, sizeof(body) - sent)) {
        body[0]++;
        sent++;
    }
    assert_true(sent >= 3 && sent < 8);
    assert_false(link_send(l, MSG_STDIN, body, sizeof(body)));
    /* Whoever reads gets each of them whole; the writer never blocks. */
    for (; seen < sent; seen++) {
        for (size_t have = 0; have < MSG_HEADER + sizeof(body) - seen;) {
            assert_int_equal(link_pump(l, &e), 0);

            ssize_t n = read(theirs, got + have, MSG_HEADER + sizeof(body) - seen - have);

            assert_true(n > 0);
            have += (size_t)n;
        }
        assert_int_equal(got[0], MSG_STDIN);
        assert_int_equal(got[MSG_HEADER], seen);
    }
    assert_int_equal(link_room(l), MSG_MAX);
    link_free(l);
}

/* ---- sessions ---- */

static struct session_result result;
static struct err err;

/* Runs a session in which the keeper has said all it will. */
static void run(bool wait_end)
{
    struct command_line args = { .verb = &verbs[VERB_RUN] };
    struct cli c = { .args = &args, .quiet = true };
    struct session_ask ask = { .name = "box", .boxfd = -1, .owns_box = true, .wait_end = wait_end };
    struct msg_builder *b = malloc(sizeof(*b));

    assert_non_null(b);
    shutdown(theirs, SHUT_WR);
    msg_begin(b, MSG_EXEC);
    msg_add_text(b, MSG_ARG, "true");
    err = ERR_INIT;
    assert_int_equal(session_run(&c, ours, b, &ask, &result, &err), 0);
    free(b);
}

static const uint8_t pid[4] = { 42, 0, 0, 0 };

static void exits(void **state)
{
    (void)state;
    say(MSG_STARTED, pid, 4);
    say(MSG_EXIT, "\0\x07", 2);
    say(MSG_ENDED, "never looked at", 15);
    run(false);
    assert_int_equal(result.how, SESSION_EXITED);
    assert_int_equal(result.kind, MSG_EXITED);
    assert_int_equal(result.code, 7);
}

static void a_refusal_has_its_reason(void **state)
{
    (void)state;
    say(MSG_ERROR, "\x02\0\0\0\"nosuch\" is not in PATH", 28);
    run(false);
    assert_int_equal(result.how, SESSION_REFUSED);
    assert_int_equal(result.why.code, ENOENT);
    assert_string_equal(result.why.msg, "\"nosuch\" is not in PATH");
}

static void a_refusal_of_nonsense_is_still_a_failure(void **state)
{
    (void)state;
    say(MSG_ERROR, "\0\0\0\0", 4); /* errno 0 */
    run(false);
    assert_int_equal(result.how, SESSION_REFUSED);
    assert_int_equal(result.why.code, EIO);
}

static void the_end_of_the_machine(void **state)
{
    static const char text[] =
        "{\"phase\":\"ended\",\"engine\":\"qemu\",\"keeper_pid\":0,\"vmm_pid\":0,\"keeper_start\":"
        "0,"
        "\"vmm_start\":0,\"started_ns\":1,\"ready_ns\":2,\"ended_ns\":3,\"exit_code\":null,"
        "\"exit_code_by\":null,\"reason\":\"panic\",\"text\":\"\"}";

    (void)state;
    say(MSG_STARTED, pid, 4);
    say(MSG_ENDED, text, sizeof(text) - 1);
    run(true);
    assert_int_equal(result.how, SESSION_ENDED);
    assert_true(result.has_state);
    assert_string_equal(result.state.reason, "panic");
}

static void a_connection_that_just_ends(void **state)
{
    (void)state;
    say(MSG_STARTED, pid, 4);
    run(true);
    assert_int_equal(result.how, SESSION_ENDED);
    assert_false(result.has_state);
}

/* One wrong frame: the session is lost, and says so. */
static void lost(enum msg_type type, const void *body, size_t len, bool started)
{
    void *state = NULL;

    assert_int_equal(set_up(&state), 0);
    if (started)
        say(MSG_STARTED, pid, 4);
    say(type, body, len);
    say(MSG_EXIT, "\0\0", 2); /* must not be taken for success */
    run(true);
    assert_int_equal(result.how, SESSION_LOST);
    assert_int_equal(result.why.code, EBADMSG);
    close(theirs);
}

static void r04_frames_that_may_not_come(void **state)
{
    (void)state;
    lost(MSG_STDOUT, "x", 1, false);
    lost(MSG_EXIT, "\0", 1, true);
    lost(MSG_EXIT, "\0\0\0", 3, true);
    lost(MSG_EXIT, "\x03\0", 2, true);
    lost(MSG_ERROR, "\x02\0\0", 3, true);
    lost(MSG_ENDED, "not json", 8, true);
    lost(MSG_ENDED, "{}", 2, true);
    lost(MSG_DATA, "x", 1, true);
    lost(MSG_DONE, NULL, 0, true);
    lost((enum msg_type)255, NULL, 0, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(r01_frames_arrive_in_any_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_frame_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(output_is_bounded_and_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(exits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refusal_has_its_reason, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refusal_of_nonsense_is_still_a_failure, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_end_of_the_machine, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_connection_that_just_ends, set_up, tear_down),
        cmocka_unit_test(r04_frames_that_may_not_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
