/* test_serial.c - the 16550 as a driver probes and uses it, and what reaches the host (C01). */
#include "vmm/serial.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct rig {
    struct serial s;
    int out;
};

static void begin(struct rig *r, uint32_t rate)
{
    int p[2];

    assert_int_equal(pipe2(p, O_NONBLOCK), 0);
    r->out = p[0];
    assert_int_equal(serial_init(&r->s, p[1], rate, NULL), 0);
    assert_true(fcntl(p[1], F_GETFL) & O_NONBLOCK);
}

static void end(struct rig *r)
{
    int fd = r->s.fd;

    serial_fini(&r->s);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    close(r->out);
}

static uint8_t in(struct rig *r, unsigned reg)
{
    uint8_t v = 0xaa;

    r->s.dev.ops->read(&r->s.dev, reg, &v, 1);
    return v;
}

static void put(struct rig *r, unsigned reg, unsigned v)
{
    uint8_t b = (uint8_t)v;

    r->s.dev.ops->write(&r->s.dev, reg, &b, 1);
}

static void say(struct rig *r, const char *text)
{
    while (*text)
        put(r, 0, (uint8_t)*text++);
}

static size_t heard(struct rig *r, char *buf, size_t room)
{
    ssize_t n = read(r->out, buf, room - 1);

    buf[n > 0 ? n : 0] = 0;
    return n > 0 ? (size_t)n : 0;
}

static void registers_are_a_16550a(void **state)
{
    struct rig r;

    (void)state;
    begin(&r, 0);
    assert_int_equal(in(&r, 5), 0x60);
    assert_int_equal(in(&r, 2), 0x01);
    put(&r, 2, 1);
    assert_int_equal(in(&r, 2) & 0xc0, 0xc0);
    for (unsigned v = 0; v < 256; v += 51) {
        put(&r, 7, v);
        assert_int_equal(in(&r, 7), v);
    }
    put(&r, 3, 0x83);
    put(&r, 0, 0x12);
    put(&r, 1, 0x34);
    assert_int_equal(in(&r, 0), 0x12);
    assert_int_equal(in(&r, 1), 0x34);
    put(&r, 3, 0x03);
    assert_int_equal(in(&r, 3), 0x03);
    assert_int_equal(in(&r, 0), 0); /* nothing was received */
    assert_int_equal(in(&r, 1), 0);
    put(&r, 5, 0xff);
    put(&r, 6, 0xff);
    assert_int_equal(in(&r, 5), 0x60);
    assert_int_equal(in(&r, 6), 0xb0);
    put(&r, 4, 0x1a); /* loop, OUT2, RTS: the classic presence test */
    assert_int_equal(in(&r, 6) & 0xf0, 0x90);
    put(&r, 4, 0x15); /* loop, OUT1, DTR */
    assert_int_equal(in(&r, 6) & 0xf0, 0x60);
    end(&r);
}

static void transmitter_empty_is_news_once(void **state)
{
    struct rig r;

    (void)state;
    begin(&r, 0);
    put(&r, 1, 2);
    assert_int_equal(in(&r, 2), 2);
    assert_int_equal(in(&r, 2), 1);
    put(&r, 1, 2); /* already on: no news */
    assert_int_equal(in(&r, 2), 1);
    put(&r, 0, 'x');
    assert_int_equal(in(&r, 2), 2);
    assert_int_equal(in(&r, 2), 1);
    put(&r, 0, 'x');
    put(&r, 1, 0);
    assert_int_equal(in(&r, 2), 1);
    assert_int_equal(in(&r, 1), 0);
    put(&r, 1, 0xff);
    assert_int_equal(in(&r, 1), 0x0f);
    end(&r);
}

static void lines_go_out_whole(void **state)
{
    struct rig r;
    char got[1024];

    (void)state;
    begin(&r, 0);
    say(&r, "hello");
    assert_int_equal(heard(&r, got, sizeof(got)), 0);
    say(&r, " world\nrest");
    heard(&r, got, sizeof(got));
    assert_string_equal(got, "hello world\n");
    assert_int_equal(serial_flush(&r.s), 0);
    heard(&r, got, sizeof(got));
    assert_string_equal(got, "rest");
    for (int i = 0; i < SERIAL_LINE; i++)
        put(&r, 0, 'l');
    assert_int_equal(heard(&r, got, sizeof(got)), SERIAL_LINE); /* a full buffer does not wait */
    put(&r, 4, 0x10);
    say(&r, "looped\n"); /* back to the receiver, not to the line */
    assert_int_equal(heard(&r, got, sizeof(got)), 0);
    end(&r);
}

static void a01_wide_accesses_stay_inside(void **state)
{
    struct rig r;
    uint8_t v[9];

    (void)state;
    begin(&r, 0);
    for (unsigned len = 1; len <= 8; len++) {
        for (unsigned off = 0; off + len <= 8; off++) {
            memset(v, 0xaa, sizeof(v));
            r.s.dev.ops->read(&r.s.dev, off, v, len);
            assert_int_equal(v[len], 0xaa);
            r.s.dev.ops->write(&r.s.dev, off, v, len);
        }
    }
    put(&r, 7, 0x5a);
    put(&r, 3, 0x03);
    r.s.dev.ops->read(&r.s.dev, 4, v, 4);
    assert_int_equal(v[1], 0x60);
    assert_int_equal(v[3], 0x5a);
    end(&r);
}

static void c01_more_than_the_rate_is_dropped_and_counted(void **state)
{
    struct rig r;
    char got[8192];
    size_t passed = 0;

    (void)state;
    begin(&r, 1000);
    for (int i = 0; i < 100; i++) {
        for (int j = 0; j < 63; j++)
            put(&r, 0, 0x1b); /* escapes pass as they are: the host's reader escapes them */
        put(&r, 0, '\n');
        passed += heard(&r, got, sizeof(got));
    }
    /* A second's worth at once, and what time brought meanwhile. */
    assert_true(passed >= 1000);
    assert_true(passed < 1000 + 6400 / 2);
    assert_int_equal(passed + serial_flush(&r.s), 6400);

    /* Time passes: as if the last filling had been half a second ago, then a year. */
    r.s.tokens = 0;
    clock_gettime(CLOCK_MONOTONIC, &r.s.filled);
    r.s.filled.tv_nsec -= 500000000;
    if (r.s.filled.tv_nsec < 0) {
        r.s.filled.tv_nsec += 1000000000;
        r.s.filled.tv_sec--;
    }
    for (int i = 0; i < 255; i++)
        put(&r, 0, 'h');
    put(&r, 0, '\n');
    assert_int_equal(heard(&r, got, sizeof(got)), 256);
    assert_true(r.s.tokens >= 244 && r.s.tokens < 500);
    r.s.tokens = 0;
    r.s.filled.tv_sec -= 365 * 86400L;
    for (int i = 0; i < 1024; i++)
        put(&r, 0, 'y');
    assert_true(heard(&r, got, sizeof(got)) >= 1000);
    end(&r);
}

static void c01_a_full_pipe_or_no_reader_never_blocks(void **state)
{
    struct rig r;
    uint64_t before;

    (void)state;
    begin(&r, 0);
    for (int i = 0; i < 100000; i++)
        put(&r, 0, 'x');
    before = serial_flush(&r.s);
    assert_true(before > 0 && before < 100000);
    close(r.out); /* SIGPIPE is ignored by the program, as here */
    say(&r, "gone\n");
    assert_int_equal(serial_flush(&r.s), before + 5);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_are_a_16550a),
        cmocka_unit_test(transmitter_empty_is_news_once),
        cmocka_unit_test(lines_go_out_whole),
        cmocka_unit_test(a01_wide_accesses_stay_inside),
        cmocka_unit_test(c01_more_than_the_rate_is_dropped_and_counted),
        cmocka_unit_test(c01_a_full_pipe_or_no_reader_never_blocks),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("serial", tests, NULL, NULL);
}
