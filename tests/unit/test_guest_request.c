/* Control requests as carrel-init judges them: guest/request.h and guest/cmdline.h. */
#include "guest/cmdline.h"
#include "guest/mounts.h"
#include "tests/unit/requests.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void everything(void **state)
{
    struct request r;

    (void)state;
    begin_exec();
    msg_add_u16(&b, MSG_COLS, 120);
    msg_add_text(&b, MSG_ENV, "A=1");
    msg_add_text(&b, MSG_ARG, "-l");
    msg_add_text(&b, MSG_CWD, "/tmp");
    msg_add_text(&b, MSG_ENV, "B=");
    msg_add_text(&b, MSG_USER, "agent");
    msg_add_u32(&b, MSG_FLAGS, MSG_F_TTY | MSG_F_STDIN | MSG_F_MAIN | MSG_F_HANGUP);
    msg_add_u16(&b, MSG_ROWS, 50);
    msg_add_u32(&b, MSG_TIMEOUT, 1500);
    msg_add_text(&b, MSG_ARG, "");
    assert_int_equal(parse(&r), 0);
    assert_int_equal(r.argc, 3);
    assert_string_equal(r.argv[0], "ls");
    assert_string_equal(r.argv[1], "-l");
    assert_string_equal(r.argv[2], "");
    assert_null(r.argv[3]);
    assert_int_equal(r.envc, 2);
    assert_string_equal(r.envp[0], "A=1");
    assert_string_equal(r.envp[1], "B=");
    assert_null(r.envp[2]);
    assert_string_equal(r.cwd, "/tmp");
    assert_string_equal(r.user, "agent");
    assert_int_equal(r.flags, MSG_F_TTY | MSG_F_STDIN | MSG_F_MAIN | MSG_F_HANGUP);
    assert_int_equal(r.rows, 50);
    assert_int_equal(r.cols, 120);
    assert_int_equal(r.timeout_ms, 1500);
    request_fini(&r);
}

static void defaults(void **state)
{
    struct request r;

    (void)state;
    begin_exec();
    assert_int_equal(parse(&r), 0);
    assert_null(r.cwd);
    assert_null(r.user);
    assert_null(r.envp[0]);
    assert_int_equal(r.rows, TERMINAL_ROWS);
    assert_int_equal(r.cols, TERMINAL_COLS);
    assert_int_equal(r.timeout_ms, 0);
    request_fini(&r);

    msg_begin(&b, MSG_POWEROFF);
    assert_int_equal(parse(&r), 0);
    assert_int_equal(r.grace_ms, GRACE_MS);
    request_fini(&r);
    msg_begin(&b, MSG_POWEROFF);
    msg_add_u32(&b, MSG_GRACE, 0);
    assert_int_equal(parse(&r), 0);
    assert_int_equal(r.grace_ms, 0);
    request_fini(&r);
}

static void setup(void **state)
{
    uint8_t seed[SETUP_SEED_MAX + 1] = { 7 };
    struct request r;

    (void)state;
    msg_begin(&b, MSG_SETUP);
    msg_add_text(&b, MSG_HOSTNAME, "quiet-otter");
    msg_add_u64(&b, MSG_TIME, 1234567890123456789ull);
    msg_add(&b, MSG_SEED, seed, SETUP_SEED_MAX);
    assert_int_equal(parse(&r), 0);
    assert_string_equal(r.hostname, "quiet-otter");
    assert_int_equal(r.time_ns, 1234567890123456789ull);
    assert_int_equal(r.seed_len, SETUP_SEED_MAX);
    assert_int_equal(r.seed[0], 7);
    request_fini(&r);

    msg_begin(&b, MSG_SETUP);
    msg_add(&b, MSG_SEED, seed, sizeof(seed));
    assert_int_equal(refused(), -EINVAL);
}

static void host_names(void **state)
{
    static const char *const bad[] = {
        "",
        "two words",
        "new\nline",
        "a\tb",
        "semi;colon",
        "0123456789012345678901234567890123456789012345678901234567890123", /* 64 bytes */
    };

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++) {
        msg_begin(&b, MSG_SETUP);
        msg_add_text(&b, MSG_HOSTNAME, bad[i]);
        assert_int_equal(refused(), -EINVAL);
    }
}

static void missing_and_empty(void **state)
{
    (void)state;
    msg_begin(&b, MSG_EXEC);
    assert_int_equal(refused(), -EINVAL);
    msg_begin(&b, MSG_EXEC);
    msg_add_text(&b, MSG_ARG, "");
    assert_int_equal(refused(), -EINVAL);
    msg_begin(&b, MSG_PUT);
    assert_int_equal(refused(), -EINVAL);
    msg_begin(&b, MSG_GET);
    assert_int_equal(refused(), -EINVAL);
}

static void out_of_place(void **state)
{
    (void)state;
    begin_exec();
    msg_add_text(&b, MSG_PATH, "/");
    assert_int_equal(refused(), -EINVAL);
    begin_exec();
    msg_add_text(&b, (enum msg_tag)24, "/x");
    assert_int_equal(refused(), -EINVAL);
    begin_exec();
    msg_add_text(&b, (enum msg_tag)0, "x");
    assert_int_equal(refused(), -EINVAL);
    begin_exec();
    msg_add_text(&b, (enum msg_tag)(32 + MSG_CWD), "x");
    assert_int_equal(refused(), -EINVAL);
    begin_exec();
    msg_add_u32(&b, MSG_FLAGS, MSG_F_NOBODY);
    assert_int_equal(refused(), -EINVAL);
    begin_exec();
    msg_add_u32(&b, MSG_FLAGS, 1u << 31);
    assert_int_equal(refused(), -EINVAL);
    msg_begin(&b, MSG_PUT);
    msg_add_text(&b, MSG_PATH, "/");
    msg_add_u32(&b, MSG_FLAGS, MSG_F_TTY);
    assert_int_equal(refused(), -EINVAL);
}

static void twice(void **state)
{
    (void)state;
    begin_exec();
    msg_add_text(&b, MSG_CWD, "/a");
    msg_add_text(&b, MSG_CWD, "/b");
    assert_int_equal(refused(), -EINVAL);
    begin_exec();
    msg_add_u32(&b, MSG_TIMEOUT, 1);
    msg_add_u32(&b, MSG_TIMEOUT, 1);
    assert_int_equal(refused(), -EINVAL);
}

static void bad_values(void **state)
{
    (void)state;
    begin_exec();
    msg_add_text(&b, MSG_CWD, "tmp");
    assert_int_equal(refused(), -EINVAL);
    begin_exec();
    msg_add_text(&b, MSG_CWD, "");
    assert_int_equal(refused(), -EINVAL);
    begin_exec();
    msg_add_text(&b, MSG_ENV, "NOVALUE");
    assert_int_equal(refused(), -EINVAL);
    begin_exec();
    msg_add_text(&b, MSG_ENV, "=x");
    assert_int_equal(refused(), -EINVAL);
    begin_exec();
    msg_add(&b, MSG_ARG, "a\0b", 3);
    assert_int_equal(refused(), -EINVAL);
    begin_exec();
    msg_add(&b, MSG_ROWS, "abc", 3);
    assert_int_equal(refused(), -EINVAL);
    begin_exec();
    msg_add_u16(&b, MSG_FLAGS, 1);
    assert_int_equal(refused(), -EINVAL);
    msg_begin(&b, MSG_ATTACH);
    msg_add_u32(&b, MSG_JOB, 7);
    msg_add_u32(&b, MSG_OFFSET, 7); /* not of an offset's size */
    assert_int_equal(refused(), -EINVAL);
    msg_begin(&b, MSG_SETUP);
    msg_add(&b, MSG_MARK, "short", 5);
    assert_int_equal(refused(), -EINVAL);
    msg_begin(&b, MSG_ATTACH); /* whose? */
    assert_int_equal(refused(), -EINVAL);
    msg_begin(&b, MSG_ATTACH);
    msg_add_u32(&b, MSG_JOB, 3);
    msg_add_u32(&b, MSG_FLAGS, MSG_F_STDIN);
    assert_int_equal(refused(), -EINVAL);
    msg_begin(&b, MSG_GET);
    msg_add_text(&b, MSG_PATH, "relative");
    assert_int_equal(refused(), -EINVAL);
}

/* R04: what only the keeper answers, and answers themselves. */
static void r04_not_for_a_guest(void **state)
{
    (void)state;
    for (int type = 1; type < 256; type++) {
        if ((type >= MSG_SETUP && type <= MSG_POWEROFF) || type == MSG_JOBS || type == MSG_ATTACH)
            continue;
        msg_begin(&b, (enum msg_type)type);
        assert_int_equal(refused(), -ENOSYS);
    }
}

static void as_many_as_fit(void **state)
{
    struct request r;

    (void)state;
    msg_begin(&b, MSG_EXEC);
    while (!b.overflow && b.len + 9 <= MSG_MAX)
        msg_add_text(&b, MSG_ARG, "x");
    assert_int_equal(parse(&r), 0);
    assert_int_equal(r.argc, MSG_MAX / 9);
    assert_string_equal(r.argv[r.argc - 1], "x");
    assert_null(r.argv[r.argc]);
    request_fini(&r);
}

static const char *const bad_mounts[] = {
    "",
    "vol0",
    "vol0,rw",
    "vol0,rw,",
    "vol0,rw,w",
    "vol0,rw,/",
    "vol0,rw,/w/",
    "vol0,rw,//w",
    "vol0,rw,/w/../x",
    "vol0,rw,/.",
    "vol0,rw,/w/%2e%2e",
    "vol0,rw,/%00",
    "vol0,rw,/%2",
    "vol0,rw,/%zz",
    "vol0,rx,/w",
    ",rw,/w",
    "a-serial-number-of-21-,rw,/w",
    "vol0,rw,/w carrel.mount=vol0,rw,/x",
};

#define ROOT63 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeef"

static void command_line(void **state)
{
    static const char *const bad[] = {
        "carrel.overlay=vdc",
        "carrel.overlay=",
        "carrel.overlay",
        "carrel.tracer",
        "carrel.trace=1",
        "carrel.",
        "carrel.Root=ro",
        "carrel.root=rw",
        "carrel.root=",
        "carrel.overlay=vdb carrel.overlay=tmpfs",
        "carrel.trace carrel.trace",
        "carrel.tmp=1 carrel.tmp=1",
        "carrel.verity=",
        "carrel.verity=1",
        "carrel.verity=1," ROOT63,
        "carrel.verity=1," ROOT63 "0a",
        "carrel.verity=1," ROOT63 "A",
        "carrel.verity=1," ROOT63 "0,x",
        "carrel.verity=0," ROOT63 "0",
        "carrel.verity=1," ROOT63 "0 carrel.verity=1," ROOT63 "0",
        "carrel.files=virtiofs",
        "carrel.root=ro carrel.overlay=vdb",
        "carrel.overlay=1024,10 carrel.root=ro",
        "carrel.overlay=1024",
        "carrel.overlay=1024,",
        "carrel.overlay=,10",
        "carrel.overlay=0,10",
        "carrel.overlay=1024,0",
        "carrel.overlay=1024,10,",
        "carrel.overlay=1024, 10",
        "carrel.overlay=-1,10",
        "carrel.overlay=+1,10",
        "carrel.overlay=0x10,10",
        "carrel.overlay=1k,10",
        "carrel.overlay=01,10",
        "carrel.overlay=18446744073709551617,10",
        "carrel.overlay=1024,9223372036854775808",
        "carrel.overlay=1024,10k",
        "carrel.tmp=",
        "carrel.tmp=0",
        "carrel.tmp=1m",
        "carrel.tmp=99999999999999999999",
    };
    static const char *const bad_live[] = {
        "",           "w",       ",rw,/w",    "w,rw",
        "w,rx,/w",    "w,rw,w",  "w,rw,/",    "w,rw,/a/../b",
        "../x,rw,/w", ".,rw,/w", "a/b,rw,/w", "w,rw,/w carrel.live=w,rw,/x",
    };
    struct err e = ERR_INIT;
    struct cmdline c;

    (void)state;
    assert_int_equal(cmdline_parse("", &c, &e), 0);
    assert_int_equal(c.overlay, OVERLAY_TMPFS);
    assert_false(c.trace || c.read_only || c.overlay_bytes || c.overlay_inodes || c.tmp_bytes);
    assert_int_equal(cmdline_parse(" quiet carrel.overlay=vdb  carrel.trace\n", &c, &e), 0);
    assert_int_equal(c.overlay, OVERLAY_VDB);
    assert_true(c.trace);
    assert_int_equal(
        cmdline_parse("carrel.mount=vol0,rw,/w carrel.mount=vol1,ro,/a%20%ff/b", &c, &e), 0);
    assert_int_equal(c.nmounts, 2);
    assert_string_equal(c.mounts[0].serial, "vol0");
    assert_string_equal(c.mounts[0].target, "/w");
    assert_false(c.mounts[0].read_only);
    assert_string_equal(c.mounts[1].target, "/a \377/b");
    assert_true(c.mounts[1].read_only);
    for (size_t i = 0; i < array_len(bad_mounts); i++) {
        char line[128];

        snprintf(line, sizeof(line), "carrel.mount=%s", bad_mounts[i]);
        assert_int_equal(cmdline_parse(line, &c, &e), -EINVAL);
    }
    assert_int_equal(cmdline_parse("carrel.live=w,rw,/w carrel.live=x.y,ro,/a%20b", &c, &e), 0);
    assert_int_equal(c.nlive, 2);
    assert_string_equal(c.live[1].id, "x.y");
    assert_string_equal(c.live[1].target, "/a b");
    assert_true(c.live[1].read_only && !c.live[0].read_only);
    for (size_t i = 0; i < array_len(bad_live); i++) {
        char line[128];

        snprintf(line, sizeof(line), "carrel.live=%s", bad_live[i]);
        assert_int_equal(cmdline_parse(line, &c, &e), -EINVAL);
    }
    assert_int_equal(cmdline_parse("quiet carre xcarrel.overlay=vdb root=ro", &c, &e), 0);
    assert_int_equal(c.overlay, OVERLAY_TMPFS);
    assert_false(c.trace || c.read_only);
    assert_int_equal(cmdline_parse("carrel.verity=20000," ROOT63 "f", &c, &e), 0);
    assert_int_equal(c.verity_blocks, 20000);
    assert_string_equal(c.verity_root, ROOT63 "f");
    assert_int_equal(cmdline_parse("carrel.root=ro carrel.tmp=65536 carrel.overlay=tmpfs", &c, &e),
                     0);
    assert_true(c.read_only);
    assert_int_equal(c.tmp_bytes, 65536);
    assert_int_equal(cmdline_parse("carrel.overlay=1099511627776,1234567", &c, &e), 0);
    assert_int_equal(c.overlay, OVERLAY_TMPFS);
    assert_int_equal(c.overlay_bytes, 1ull << 40);
    assert_int_equal(c.overlay_inodes, 1234567);
    for (size_t i = 0; i < array_len(bad); i++) {
        e = ERR_INIT;
        if (cmdline_parse(bad[i], &c, &e) != -EINVAL)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_true(strstr(e.msg, "kernel command line: \"carrel.") ||
                    strstr(e.msg, "kernel command line: carrel.root=ro"));
    }
}

static void filesystems(void **state)
{
    unsigned char head[MOUNTS_MAGIC_BYTES] = { 0 };

    (void)state;
    assert_null(mounts_fs_type(head, sizeof(head)));
    head[1080] = 0x53;
    head[1081] = 0xef;
    assert_string_equal(mounts_fs_type(head, sizeof(head)), "ext4");
    assert_null(mounts_fs_type(head, 1081));
    memcpy(head + 1024, "\xe2\xe1\xf5\xe0", 4);
    assert_string_equal(mounts_fs_type(head, sizeof(head)), "erofs");
    memcpy(head, "hsqs", 4);
    assert_string_equal(mounts_fs_type(head, sizeof(head)), "squashfs");
    assert_null(mounts_fs_type(head, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything),
        cmocka_unit_test(defaults),
        cmocka_unit_test(setup),
        cmocka_unit_test(host_names),
        cmocka_unit_test(missing_and_empty),
        cmocka_unit_test(out_of_place),
        cmocka_unit_test(twice),
        cmocka_unit_test(bad_values),
        cmocka_unit_test(r04_not_for_a_guest),
        cmocka_unit_test(as_many_as_fit),
        cmocka_unit_test(command_line),
        cmocka_unit_test(filesystems),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
