/* test_msg.c - control protocol frames and fields: what is built parses back; what lies is refused.
 */
#include "base/msg.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct msg_builder b;

static void round_trip(void **state)
{
    struct msg_frame f;
    struct msg_field field;
    uint32_t pos = 0, v32;
    uint16_t v16;
    uint64_t v64;

    (void)state;
    msg_begin(&b, MSG_EXEC);
    msg_add_text(&b, MSG_ARG, "ls");
    msg_add_text(&b, MSG_ARG, "");
    msg_add_u16(&b, MSG_ROWS, 0xabcd);
    msg_add_u32(&b, MSG_FLAGS, 0x01020304);
    msg_add_u64(&b, MSG_TIME, 0x0102030405060708);
    msg_add(&b, MSG_SEED, "\0\1\2", 3);

    ssize_t n = msg_seal(&b);

    assert_int_equal(n, MSG_HEADER + 6 * 8 + 2 + 0 + 2 + 4 + 8 + 3);
    assert_int_equal(msg_parse(b.bytes, (size_t)n, &f), n);
    assert_int_equal(f.type, MSG_EXEC);
    assert_int_equal(f.len, n - MSG_HEADER);
    assert_int_equal(msg_next_field(&f, &pos, &field), 1);
    assert_int_equal(field.tag, MSG_ARG);
    assert_int_equal(field.len, 2);
    assert_memory_equal(field.at, "ls", 2);
    assert_int_equal(msg_next_field(&f, &pos, &field), 1);
    assert_int_equal(field.len, 0);
    assert_int_equal(msg_next_field(&f, &pos, &field), 1);
    assert_int_equal(field.tag, MSG_ROWS);
    assert_true(msg_field_u16(&field, &v16));
    assert_int_equal(v16, 0xabcd);
    assert_false(msg_field_u32(&field, &v32));
    assert_int_equal(msg_next_field(&f, &pos, &field), 1);
    assert_true(msg_field_u32(&field, &v32));
    assert_int_equal(v32, 0x01020304);
    assert_false(msg_field_u16(&field, &v16));
    assert_false(msg_field_u64(&field, &v64));
    assert_int_equal(msg_next_field(&f, &pos, &field), 1);
    assert_true(msg_field_u64(&field, &v64));
    assert_true(v64 == 0x0102030405060708);
    assert_int_equal(msg_next_field(&f, &pos, &field), 1);
    assert_memory_equal(field.at, "\0\1\2", 3);
    assert_int_equal(msg_next_field(&f, &pos, &field), 0);
    assert_int_equal(msg_next_field(&f, &pos, &field), 0);
    assert_int_equal(pos, f.len);
}

/* The bytes on the wire are part of the contract. */
static void layout(void **state)
{
    static const uint8_t want[] = { 2, 0, 0, 0, 10, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 1, 2 };

    (void)state;
    msg_begin(&b, MSG_EXEC);
    msg_add(&b, MSG_FLAGS, "\1\2", 2);
    assert_int_equal(msg_seal(&b), sizeof(want));
    assert_memory_equal(b.bytes, want, sizeof(want));
}

static void more_bytes_are_needed(void **state)
{
    struct msg_frame f;

    (void)state;
    msg_begin(&b, MSG_SETUP);
    msg_add_text(&b, MSG_HOSTNAME, "carrel");

    ssize_t n = msg_seal(&b);

    for (size_t len = 0; len < (size_t)n; len++)
        assert_int_equal(msg_parse(b.bytes, len, &f), 0);
    assert_int_equal(msg_parse(b.bytes, (size_t)n + 5, &f), n);
}

static void r01_frame_length(void **state)
{
    static uint8_t buf[MSG_HEADER + MSG_MAX];
    struct msg_frame f;

    (void)state;
    msg_header(buf, MSG_DATA, 0);
    assert_int_equal(msg_parse(buf, MSG_HEADER, &f), MSG_HEADER);
    assert_int_equal(f.len, 0);
    msg_header(buf, MSG_DATA, MSG_MAX);
    assert_int_equal(msg_parse(buf, sizeof(buf), &f), sizeof(buf));
    assert_int_equal(msg_parse(buf, sizeof(buf) - 1, &f), 0);
    msg_header(buf, MSG_DATA, MSG_MAX + 1); /* refused at once, not when its bytes are there */
    assert_int_equal(msg_parse(buf, MSG_HEADER, &f), -EBADMSG);
    msg_header(buf, MSG_DATA, UINT32_MAX);
    assert_int_equal(msg_parse(buf, MSG_HEADER, &f), -EBADMSG);
    msg_header(buf, MSG_DATA, UINT32_MAX - MSG_HEADER + 1);
    assert_int_equal(msg_parse(buf, MSG_HEADER, &f), -EBADMSG);
}

static void r01_reserved_bytes(void **state)
{
    (void)state;
    for (unsigned at = 1; at < 4; at++) {
        uint8_t buf[MSG_HEADER];
        struct msg_frame f;

        msg_header(buf, MSG_DATA, 0);
        buf[at] = 1;
        assert_int_equal(msg_parse(buf, sizeof(buf), &f), -EBADMSG);
    }

    static const uint8_t no_type[MSG_HEADER];
    struct msg_frame f;

    assert_int_equal(msg_parse(no_type, sizeof(no_type), &f), -EBADMSG);
}

static int first_field(const uint8_t *body, uint32_t len)
{
    struct msg_frame f = { .type = MSG_EXEC, .len = len, .body = body };
    struct msg_field field;
    uint32_t pos = 0;

    return msg_next_field(&f, &pos, &field);
}

static void r01_field_length(void **state)
{
    static const uint8_t whole[] = { MSG_SEED, 0, 0, 0, 2, 0, 0, 0, 'a', 'b' };
    uint8_t lie[sizeof(whole)];

    (void)state;
    assert_int_equal(first_field(whole, sizeof(whole)), 1);
    for (uint32_t len = 1; len < sizeof(whole); len++)
        assert_int_equal(first_field(whole, len), -EBADMSG);
    memcpy(lie, whole, sizeof(lie));
    lie[4] = 3;
    assert_int_equal(first_field(lie, sizeof(lie)), -EBADMSG);
    memset(lie + 4, 0xff, 4);
    assert_int_equal(first_field(lie, sizeof(lie)), -EBADMSG);
    memcpy(lie, whole, sizeof(lie));
    lie[2] = 1; /* reserved */
    assert_int_equal(first_field(lie, sizeof(lie)), -EBADMSG);
    lie[2] = 0;
    lie[3] = 1;
    assert_int_equal(first_field(lie, sizeof(lie)), -EBADMSG);
}

static void r05_nul_in_text(void **state)
{
    static const uint8_t text[] = { MSG_ARG,      MSG_ENV, MSG_CWD, MSG_USER, MSG_PATH,
                                    MSG_HOSTNAME, MSG_EXE, MSG_RO,  MSG_RW };

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++) {
        uint8_t body[] = { text[i], 0, 0, 0, 3, 0, 0, 0, 'a', 0, 'b' };

        assert_int_equal(first_field(body, sizeof(body)), -EBADMSG);
        body[9] = 'x';
        assert_int_equal(first_field(body, sizeof(body)), 1);
        body[10] = 0;
        assert_int_equal(first_field(body, sizeof(body)), -EBADMSG);
    }

    uint8_t seed[] = { MSG_SEED, 0, 0, 0, 3, 0, 0, 0, 'a', 0, 'b' };

    assert_int_equal(first_field(seed, sizeof(seed)), 1);
}

static void a_request_too_large(void **state)
{
    static uint8_t big[MSG_MAX];

    (void)state;
    msg_begin(&b, MSG_EXEC);
    msg_add(&b, MSG_SEED, big, MSG_MAX - 8); /* exactly fits */
    assert_int_equal(msg_seal(&b), MSG_HEADER + MSG_MAX);
    msg_begin(&b, MSG_EXEC);
    msg_add(&b, MSG_SEED, big, MSG_MAX - 7);
    assert_int_equal(msg_seal(&b), -E2BIG);
    msg_begin(&b, MSG_EXEC);
    msg_add(&b, MSG_SEED, big, MSG_MAX - 16);
    msg_add(&b, MSG_SEED, big, 1);
    msg_add(&b, MSG_SEED, big, 0); /* would fit, but an argument before it is missing */
    assert_int_equal(msg_seal(&b), -E2BIG);
    msg_begin(&b, MSG_EXEC);
    msg_add(&b, MSG_SEED, big, SIZE_MAX);
    assert_int_equal(msg_seal(&b), -E2BIG);
    msg_begin(&b, MSG_EXEC); /* and a new one starts clean */
    assert_int_equal(msg_seal(&b), MSG_HEADER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(layout),
        cmocka_unit_test(more_bytes_are_needed),
        cmocka_unit_test(r01_frame_length),
        cmocka_unit_test(r01_reserved_bytes),
        cmocka_unit_test(r01_field_length),
        cmocka_unit_test(r05_nul_in_text),
        cmocka_unit_test(a_request_too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
