/*
 * test_keeper_judge.c - what the keeper lets through: requests of clients, answers of guests.
 *
 * The table at r04_every_frame_in_every_state is the specification, written a second time.
 */
#include "sandbox/keeper/request.h"
#include "sandbox/keeper/talk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct msg_builder in, relay;
static struct request req;
static struct err e;

static int check(void)
{
    struct msg_frame f;
    ssize_t n = msg_seal(&in);

    assert_true(n > 0);
    assert_int_equal(msg_parse(in.bytes, (size_t)n, &f), n);
    e = ERR_INIT;
    return request_check(&f, &req, &relay, &e);
}

static void begin_exec(void)
{
    msg_begin(&in, MSG_EXEC);
    msg_add_text(&in, MSG_ARG, "sh");
}

static void a_request_is_made_anew(void **s)
{
    struct msg_frame f;
    struct msg_field field;
    uint32_t pos = 0, flags;
    int fields = 0;

    (void)s;
    begin_exec();
    msg_add_text(&in, MSG_ARG, "");
    msg_add_text(&in, MSG_ENV, "A=");
    msg_add_text(&in, MSG_CWD, "/");
    msg_add_text(&in, MSG_USER, "agent");
    msg_add_u32(&in, MSG_FLAGS, MSG_F_TTY | MSG_F_STDIN | MSG_F_MAIN | MSG_F_HANGUP);
    msg_add_u16(&in, MSG_ROWS, 24);
    msg_add_u16(&in, MSG_COLS, 80);
    msg_add_u32(&in, MSG_TIMEOUT, 5000);
    assert_int_equal(check(), 0);
    assert_int_equal(req.type, MSG_EXEC);
    assert_true(req.flags & MSG_F_MAIN);

    ssize_t n = msg_seal(&relay);

    assert_int_equal(msg_parse(relay.bytes, (size_t)n, &f), n);
    assert_int_equal(f.type, MSG_EXEC);
    assert_int_equal(f.len, in.len);
    while (msg_next_field(&f, &pos, &field) == 1) {
        fields++;
        if (field.tag == MSG_FLAGS) {
            assert_true(msg_field_u32(&field, &flags));
            assert_int_equal(flags, MSG_F_TTY | MSG_F_STDIN | MSG_F_MAIN | MSG_F_HANGUP);
        }
    }
    assert_int_equal(fields, 9);
}

/* r04: a client asks for what only the keeper may, or for what is no request at all. */
static void r04_host_only_requests_are_denied(void **s)
{
    (void)s;
    for (int type = 1; type < 256; type++) {
        msg_begin(&in, (enum msg_type)type);
        if (type == MSG_EXEC)
            msg_add_text(&in, MSG_ARG, "x");
        if (type == MSG_PUT || type == MSG_GET)
            msg_add_text(&in, MSG_PATH, "/x");

        int err = check();

        if (type == MSG_SETUP || type == MSG_POWEROFF || type == MSG_JOBS)
            assert_int_equal(err, -EPERM);
        else if (type >= MSG_EXEC && type <= MSG_POLICY)
            assert_int_equal(err, 0);
        else
            assert_int_equal(err, -ENOSYS);
    }
}

static void bad_fields_are_refused(void **s)
{
    (void)s;
#define REFUSED(type, ...)             \
    do {                               \
        msg_begin(&in, type);          \
        __VA_ARGS__;                   \
        assert_true(check() < 0);      \
        assert_true(e.msg[0] != '\0'); \
    } while (0)
#define SH msg_add_text(&in, MSG_ARG, "sh")
#define P  msg_add_text(&in, MSG_PATH, "/p")

    REFUSED(MSG_EXEC, (void)0);
    REFUSED(MSG_EXEC, msg_add_text(&in, MSG_ARG, ""));
    REFUSED(MSG_EXEC, SH; msg_add_text(&in, MSG_ENV, "NOEQUALS"));
    REFUSED(MSG_EXEC, SH; msg_add_text(&in, MSG_ENV, "=x"));
    REFUSED(MSG_EXEC, SH; msg_add_text(&in, MSG_ENV, ""));
    REFUSED(MSG_EXEC, SH; msg_add_text(&in, MSG_CWD, "relative"));
    REFUSED(MSG_EXEC, SH; msg_add_text(&in, MSG_CWD, ""));
    REFUSED(MSG_EXEC, SH; msg_add_text(&in, MSG_USER, ""));
    REFUSED(MSG_EXEC, SH; msg_add_text(&in, MSG_CWD, "/a"); msg_add_text(&in, MSG_CWD, "/b"));
    REFUSED(MSG_EXEC, SH; msg_add_text(&in, MSG_PATH, "/x"));
    REFUSED(MSG_EXEC, SH; msg_add_u32(&in, MSG_FLAGS, MSG_F_NOBODY));
    REFUSED(MSG_EXEC, SH; msg_add_u32(&in, MSG_FLAGS, 1u << 31));
    REFUSED(MSG_EXEC, SH; msg_add_u16(&in, MSG_FLAGS, 1));
    REFUSED(MSG_EXEC, SH; msg_add_u32(&in, MSG_ROWS, 1));
    REFUSED(MSG_EXEC, SH; msg_add_u16(&in, MSG_TIMEOUT, 1));
    REFUSED(MSG_EXEC, SH; msg_add_u32(&in, (enum msg_tag)15, 1));
    REFUSED(MSG_EXEC, SH; msg_add_u32(&in, (enum msg_tag)0, 1));
    REFUSED(MSG_EXEC, SH; msg_add_u32(&in, (enum msg_tag)(32 + MSG_ARG), 1));
    REFUSED(MSG_EXEC, SH; msg_add(&in, MSG_ARG, "a\0b", 3));
    REFUSED(MSG_PUT, (void)0);
    REFUSED(MSG_PUT, msg_add_text(&in, MSG_PATH, "x"));
    REFUSED(MSG_PUT, P; msg_add_u32(&in, MSG_FLAGS, MSG_F_TTY));
    REFUSED(MSG_GET, P; P);
    REFUSED(MSG_GET, P; msg_add_u32(&in, MSG_FLAGS, 0));
    REFUSED(MSG_STOP, msg_add_u32(&in, MSG_GRACE, REQUEST_GRACE_MAX_MS + 1));
    REFUSED(MSG_KILL, msg_add_u32(&in, MSG_SIGNO, 0));
    REFUSED(MSG_KILL, msg_add_u32(&in, MSG_SIGNO, 65));
    REFUSED(MSG_STATUS, P);
    REFUSED(MSG_ATTACH, msg_add_u32(&in, MSG_FLAGS, MSG_F_TTY));

    char longest[5000];

    memset(longest, 'a', sizeof(longest));
    longest[0] = '/';
    REFUSED(MSG_GET, msg_add(&in, MSG_PATH, longest, 4096));
    msg_begin(&in, MSG_GET);
    msg_add(&in, MSG_PATH, longest, 4095);
    assert_int_equal(check(), 0);
}

static void the_main_command_of_a_config(void **s)
{
    char sleep[] = "sleep", ten[] = "10", one[] = "A=1";
    char *argv[] = { sleep, ten, NULL };
    char *env[] = { one, NULL };
    struct box_config c = { .argv = argv, .env = env, .tty = true, .timeout_ms = 7 };
    struct msg_frame f;
    struct request again;

    (void)s;
    assert_int_equal(request_make_main(&c, &req, &in, &e), 0);
    assert_int_equal(req.flags, MSG_F_MAIN | MSG_F_TTY);

    ssize_t n = msg_seal(&in);

    assert_int_equal(msg_parse(in.bytes, (size_t)n, &f), n);
    assert_int_equal(request_check(&f, &again, &relay, &e), 0);
    assert_int_equal(again.flags, MSG_F_MAIN | MSG_F_TTY);

    static char big[40000];
    char *two[] = { big, big, NULL };

    memset(big, 'x', sizeof(big) - 1);
    c.argv = two;
    assert_int_equal(request_make_main(&c, &req, &in, &e), -E2BIG);
}

/* ---- conversations ---- */

static struct msg_frame frame(int type, uint32_t len)
{
    static uint8_t body[64];

    memset(body, 0, sizeof(body));
    body[0] = 1; /* a signal; an exit by signal 1 */
    body[1] = 1;
    if (type == MSG_ERROR)
        memcpy(body + 4, "no", 2);
    return (struct msg_frame){ .type = (uint8_t)type, .len = len, .body = body };
}

/* A body of the right size for each type. */
static uint32_t size_of(int type)
{
    switch (type) {
    case MSG_STARTED:
    case MSG_GONE:
    case MSG_RESIZE: return 4;
    case MSG_EXIT: return 2;
    case MSG_SIGNAL: return 1;
    case MSG_ERROR: return 6;
    case MSG_STDOUT:
    case MSG_STDERR:
    case MSG_STDIN:
    case MSG_DATA: return 5;
    default: return 0;
    }
}

/* All states of a talk that matter to a guest's frame, and what may come in each. */
static const struct {
    struct talk t;
    int pass[4], last[2];
} allowed[] = {
    { { .request = MSG_EXEC }, { MSG_STARTED }, { MSG_ERROR } },
    { { .request = MSG_EXEC, .started = true },
      { MSG_STDOUT, MSG_STDERR },
      { MSG_EXIT, MSG_ERROR } },
    { { .request = MSG_EXEC, .started = true, .tty = true },
      { MSG_STDOUT },
      { MSG_EXIT, MSG_ERROR } },
    { { .request = MSG_EXEC, .started = true, .over = true }, { 0 }, { 0 } },
    { { .request = MSG_PUT }, { 0 }, { MSG_DONE, MSG_ERROR } },
    { { .request = MSG_PUT, .over = true }, { 0 }, { 0 } },
    { { .request = MSG_GET }, { MSG_DATA, MSG_EOF }, { MSG_ERROR } },
    { { .request = MSG_GET, .guest_eof = true }, { 0 }, { MSG_DONE, MSG_ERROR } },
    { { .request = MSG_SETUP }, { 0 }, { MSG_DONE, MSG_ERROR } },
    { { .request = MSG_JOBS }, { MSG_GONE }, { MSG_ERROR } },
    { { .request = MSG_POWEROFF }, { 0 }, { MSG_DONE, MSG_ERROR } },
    { { .request = MSG_POWEROFF, .over = true }, { 0 }, { 0 } },
};

static int contains(const int *list, size_t n, int type)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == type)
            return 1;
    return 0;
}

/* r04, r06: all 255 types in all states. */
static void r04_every_frame_in_every_state(void **s)
{
    (void)s;
    for (size_t i = 0; i < array_len(allowed); i++) {
        for (int type = 1; type < 256; type++) {
            struct talk t = allowed[i].t;
            struct msg_frame f = frame(type, size_of(type));
            const char *why = NULL;
            enum talk_verdict got = talk_guest(&t, &f, &why), want = TALK_DENY;

            if (contains(allowed[i].pass, 4, type))
                want = TALK_PASS;
            if (contains(allowed[i].last, 2, type))
                want = TALK_LAST;
            assert_int_equal(got, want);
            assert_int_equal(why != NULL, want == TALK_DENY);
            assert_int_equal(t.over, want == TALK_LAST || allowed[i].t.over);
            if (got == TALK_LAST) /* r06: nothing after the last, not even another last */
                assert_int_equal(talk_guest(&t, &f, &why), TALK_DENY);
        }
    }
}

static void r06_once_only_frames(void **s)
{
    struct talk exec = { .request = MSG_EXEC }, get = { .request = MSG_GET };
    struct msg_frame started = frame(MSG_STARTED, 4), eof = frame(MSG_EOF, 0),
                     data = frame(MSG_DATA, 1);
    const char *why;

    (void)s;
    assert_int_equal(talk_guest(&exec, &started, &why), TALK_PASS);
    assert_int_equal(talk_guest(&exec, &started, &why), TALK_DENY);
    assert_int_equal(talk_guest(&get, &eof, &why), TALK_PASS);
    assert_int_equal(talk_guest(&get, &eof, &why), TALK_DENY);
    assert_int_equal(talk_guest(&get, &data, &why), TALK_DENY);
}

static void sizes_and_contents_of_answers(void **s)
{
    static const struct {
        struct talk t;
        uint8_t type;
        uint32_t len;
    } bad[] = {
        { { .request = MSG_EXEC }, MSG_STARTED, 3 },
        { { .request = MSG_EXEC }, MSG_STARTED, 5 },
        { { .request = MSG_EXEC, .started = true }, MSG_EXIT, 1 },
        { { .request = MSG_EXEC, .started = true }, MSG_EXIT, 3 },
        { { .request = MSG_PUT }, MSG_DONE, 1 },
        { { .request = MSG_GET }, MSG_EOF, 1 },
        { { .request = MSG_GET, .guest_eof = true }, MSG_DONE, 1 },
        { { .request = MSG_JOBS }, MSG_GONE, 3 },
        { { .request = MSG_JOBS }, MSG_GONE, 5 },
        { { .request = MSG_EXEC }, MSG_ERROR, 3 },
        { { .request = MSG_EXEC }, MSG_ERROR, 7 }, /* a NUL in its text */
    };
    uint8_t body[2048] = { 0 };
    struct msg_frame f = { .type = MSG_EXIT, .len = 2, .body = body };
    struct talk t;
    const char *why;

    (void)s;
    for (size_t i = 0; i < array_len(bad); i++) {
        struct msg_frame m = frame(bad[i].type, bad[i].len);

        t = bad[i].t;
        assert_int_equal(talk_guest(&t, &m, &why), TALK_DENY);
    }
    for (unsigned kind = 0; kind < 256; kind++) {
        for (unsigned code = 0; code < 256; code++) {
            body[0] = (uint8_t)kind;
            body[1] = (uint8_t)code;
            t = (struct talk){ .request = MSG_EXEC, .started = true };

            int ok = kind == MSG_EXITED || kind == MSG_TIMED_OUT ||
                     (kind == MSG_SIGNALED && code >= 1 && code <= 64);

            assert_int_equal(talk_guest(&t, &f, &why) == TALK_LAST, ok);
            if (ok) /* r07: whatever it claims, it is a number a process may exit with */
                assert_int_equal(talk_exit_code(&f), kind == MSG_EXITED     ? (int)code
                                                     : kind == MSG_SIGNALED ? 128 + (int)code
                                                                            : 124);
        }
    }

    memset(body + 4, 'x', 1025);
    f = (struct msg_frame){ .type = MSG_ERROR, .len = 4 + 1024, .body = body };
    t = (struct talk){ .request = MSG_EXEC };
    assert_int_equal(talk_guest(&t, &f, &why), TALK_LAST);
    t = (struct talk){ .request = MSG_EXEC };
    f.len++;
    assert_int_equal(talk_guest(&t, &f, &why), TALK_DENY);
    f.len = 8;
    body[5] = 0x1b; /* a terminal escape */
    t = (struct talk){ .request = MSG_EXEC };
    assert_int_equal(talk_guest(&t, &f, &why), TALK_DENY);
}

static void what_a_client_may_add(void **s)
{
    static const struct {
        struct talk t;
        int pass[4];
    } may[] = {
        { { .request = MSG_EXEC }, { MSG_SIGNAL } },
        { { .request = MSG_EXEC, .tty = true }, { MSG_SIGNAL, MSG_RESIZE } },
        { { .request = MSG_EXEC, .stdin_open = true }, { MSG_SIGNAL, MSG_STDIN, MSG_STDIN_EOF } },
        { { .request = MSG_EXEC, .stdin_open = true, .client_eof = true }, { MSG_SIGNAL } },
        { { .request = MSG_PUT }, { MSG_DATA, MSG_EOF } },
        { { .request = MSG_PUT, .client_eof = true }, { 0 } },
        { { .request = MSG_GET }, { 0 } },
    };
    const char *why;

    (void)s;
    for (size_t i = 0; i < array_len(may); i++) {
        for (int type = 1; type < 256; type++) {
            struct talk t = may[i].t;
            struct msg_frame f = frame(type, size_of(type));
            int ok = contains(may[i].pass, 4, type);

            assert_int_equal(talk_client(&t, &f, &why), ok ? TALK_PASS : TALK_DENY);
            if (ok && (type == MSG_STDIN_EOF || type == MSG_EOF))
                assert_int_equal(talk_client(&t, &f, &why), TALK_DENY);
        }
    }

    struct talk t = { .request = MSG_EXEC, .tty = true, .stdin_open = true };
    struct msg_frame f = frame(MSG_SIGNAL, 1);

    for (unsigned sig = 0; sig < 256; sig++) {
        uint8_t body = (uint8_t)sig;

        f.body = &body;
        assert_int_equal(talk_client(&t, &f, &why), sig >= 1 && sig <= 64 ? TALK_PASS : TALK_DENY);
    }
    f = frame(MSG_RESIZE, 3);
    assert_int_equal(talk_client(&t, &f, &why), TALK_DENY);
    f = frame(MSG_STDIN_EOF, 1);
    assert_int_equal(talk_client(&t, &f, &why), TALK_DENY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_made_anew),
        cmocka_unit_test(r04_host_only_requests_are_denied),
        cmocka_unit_test(bad_fields_are_refused),
        cmocka_unit_test(the_main_command_of_a_config),
        cmocka_unit_test(r04_every_frame_in_every_state),
        cmocka_unit_test(r06_once_only_frames),
        cmocka_unit_test(sizes_and_contents_of_answers),
        cmocka_unit_test(what_a_client_may_add),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
