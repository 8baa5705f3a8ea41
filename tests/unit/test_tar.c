/* Archives in memory: guest/tar.h. What is written is read back; what is damaged is refused. */
#include "guest/tar.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint8_t archive[1 << 18];
static size_t used, at;
static struct tar_entry in, out;

static ssize_t from_archive(void *arg, void *buf, size_t len)
{
    size_t n = used - at < len ? used - at : len;

    (void)arg;
    memcpy(buf, archive + at, n);
    at += n;
    return (ssize_t)n;
}

static void begin(void)
{
    used = at = 0;
    memset(archive, 0, sizeof(archive));
    memset(&in, 0, sizeof(in));
    in.type = TAR_FILE;
    in.mode = 0644;
    strcpy(in.path, "file");
}

static void add_header(void)
{
    uint8_t head[TAR_HEADER_MAX];
    size_t n = tar_header(&in, head);

    assert_int_equal(n % TAR_BLOCK, 0);
    assert_true(n <= sizeof(head));
    memcpy(archive + used, head, n);
    used += n;
}

static void add_data(const char *data)
{
    size_t len = strlen(data);

    memcpy(archive + used, data, len);
    used += len + tar_padding(len);
}

/* An archive of one ustar header that the test fills in; the checksum is made right after. */
static uint8_t *raw(char type)
{
    begin();
    add_header();
    archive[156] = (uint8_t)type;
    return archive;
}

static void resum(uint8_t *h)
{
    uint32_t sum = 0;

    memset(h + 148, ' ', 8);
    for (unsigned i = 0; i < TAR_BLOCK; i++)
        sum += h[i];
    snprintf((char *)h + 148, 8, "%06o", sum);
}

static int read_one(void)
{
    struct tar_reader r = { .read = from_archive };
    struct err e = ERR_INIT;
    int got;

    at = 0;
    got = tar_next(&r, &out, &e);
    assert_int_equal(got < 0, e.msg[0] != '\0');
    return got;
}

/* Writes `in`, reads it back, compares every field. */
static void round_trip(void)
{
    used = 0;
    add_header();
    used += 2 * TAR_BLOCK;
    assert_int_equal(read_one(), 1);
    assert_int_equal(out.type, in.type);
    assert_int_equal(out.mode, in.mode);
    assert_int_equal(out.uid, in.uid);
    assert_int_equal(out.gid, in.gid);
    assert_int_equal(out.size, in.type == TAR_FILE ? in.size : 0);
    assert_int_equal(out.mtime.tv_sec, in.mtime.tv_sec);
    assert_int_equal(out.mtime.tv_nsec, in.mtime.tv_nsec);
    assert_string_equal(out.path, in.path);
    assert_string_equal(out.link, in.link);
}

static void kinds(void **state)
{
    (void)state;
    begin();
    round_trip();
    in.type = TAR_DIR;
    in.mode = 01777;
    round_trip();
    in.type = TAR_SYMLINK;
    strcpy(in.link, "../else/where");
    round_trip();
    in.type = TAR_HARDLINK;
    round_trip();
}

static void every_path_length(void **state)
{
    (void)state;
    for (size_t len = 1; len < TAR_PATH_MAX - 1; len += len < 600 ? 1 : 173) {
        begin();
        memset(in.path, 'p', len);
        in.path[len] = '\0';
        round_trip();
        /* With slashes, so that the prefix field is used where it can be. */
        for (size_t i = 60; i + 1 < len; i += 60)
            in.path[i] = '/';
        round_trip();
        in.type = TAR_DIR;
        round_trip();
        in.type = TAR_SYMLINK;
        memcpy(in.link, in.path, sizeof(in.link));
        round_trip();
    }
}

/* Every field at its longest at once: what TAR_HEADER_MAX promises room for. */
static void the_longest_header(void **state)
{
    (void)state;
    begin();
    in.type = TAR_SYMLINK;
    in.uid = in.gid = UINT32_MAX - 1;
    in.mtime = (struct timespec){ .tv_sec = -1234567890123, .tv_nsec = 123456789 };
    memset(in.path, 'p', TAR_PATH_MAX - 2);
    in.path[TAR_PATH_MAX - 2] = '\0';
    memset(in.link, 'l', TAR_PATH_MAX - 1);
    in.link[TAR_PATH_MAX - 1] = '\0';
    round_trip();
}

/* The one slash that splits a path may be at most at offset 155, with at most 100 bytes after it.
 */
static void split_points(void **state)
{
    (void)state;
    for (size_t slash = 150; slash <= 160; slash++)
        for (size_t rest = 95; rest <= 105; rest++) {
            begin();
            memset(in.path, 'p', slash + 1 + rest);
            in.path[slash] = '/';
            in.path[slash + 1 + rest] = '\0';
            round_trip();
            in.type = TAR_DIR;
            round_trip();
        }
}

/* The length of a pax record counts its own digits: the places where one more is needed. */
static void record_lengths(void **state)
{
    static const size_t around[] = { 90, 99, 100, 989, 990, 991, 992, 993, 994, 999, 1000 };

    (void)state;
    for (size_t i = 0; i < array_len(around); i++)
        for (size_t len = around[i] - 8; len <= around[i] + 8; len++) {
            begin();
            in.type = TAR_SYMLINK;
            memset(in.link, 'l', len);
            in.link[len] = '\0';
            round_trip();
        }
}

static void odd_names(void **state)
{
    (void)state;
    begin();
    strcpy(in.path, "new\nline \"quotes\" \xff\xfe = 12 path=x\n");
    round_trip();
    memset(in.path, '\n', 300);
    in.path[300] = '\0';
    round_trip();
}

static void numbers(void **state)
{
    static const uint64_t sizes[] = {
        0, 1, 511, 512, 077777777777ull, 0100000000000ull, INT64_MAX
    };
    static const uint32_t ids[] = { 0, 07777777, 010000000, 4294967294u };
    static const struct timespec times[] = {
        { 0, 0 },  { 1700000000, 0 }, { 1700000000, 1 },    { 1700000000, 999999999 },
        { -1, 0 }, { -1, 500000000 }, { -2, 250000000 },    { 077777777777, 0 },
        { 0, 1 },  { -1, 1 },         { 0100000000000, 5 },
    };

    (void)state;
    for (size_t i = 0; i < array_len(sizes); i++) {
        begin();
        in.size = sizes[i];
        round_trip();
    }
    for (size_t i = 0; i < array_len(ids); i++) {
        begin();
        in.uid = ids[i];
        in.gid = ids[array_len(ids) - 1 - i];
        round_trip();
    }
    for (size_t i = 0; i < array_len(times); i++) {
        begin();
        in.mtime = times[i];
        round_trip();
    }
}

static void data_and_skipping(void **state)
{
    struct tar_reader r = { .read = from_archive };
    struct err e = ERR_INIT;
    char buf[64];

    (void)state;
    begin();
    in.size = 11;
    strcpy(in.path, "one");
    add_header();
    add_data("eleven byte");
    in.size = 5;
    strcpy(in.path, "two");
    add_header();
    add_data("bytes");
    in.size = 512;
    strcpy(in.path, "three");
    add_header();
    used += 512;
    in.size = 0;
    strcpy(in.path, "four");
    add_header();
    used += 2 * TAR_BLOCK;

    assert_int_equal(tar_next(&r, &out, &e), 1);
    assert_int_equal(tar_read(&r, buf, 4), 4);
    assert_memory_equal(buf, "elev", 4);
    assert_int_equal(tar_read(&r, buf, sizeof(buf)), 7);
    assert_memory_equal(buf, "en byte", 7);
    assert_int_equal(tar_read(&r, buf, sizeof(buf)), 0);
    assert_int_equal(tar_next(&r, &out, &e), 1);
    assert_string_equal(out.path, "two");
    assert_int_equal(tar_read(&r, buf, 2), 2); /* the rest is skipped */
    assert_int_equal(tar_next(&r, &out, &e), 1);
    assert_string_equal(out.path, "three");
    assert_int_equal(tar_next(&r, &out, &e), 1);
    assert_string_equal(out.path, "four");
    assert_int_equal(tar_next(&r, &out, &e), 0);
}

static void empty(void **state)
{
    (void)state;
    begin();
    assert_int_equal(read_one(), 0); /* no bytes at all */
    used = TAR_BLOCK;
    assert_int_equal(read_one(), 0);
    used = 7;
    assert_int_equal(read_one(), -EINVAL);
}

static void damaged(void **state)
{
    static const unsigned numbers_at[] = { 100, 108, 116, 124, 136 };
    uint8_t *h;

    (void)state;
    h = raw('0');
    h[0] ^= 1;
    assert_int_equal(read_one(), -EINVAL);
    for (size_t i = 0; i < array_len(numbers_at); i++) {
        h = raw('0');
        h[numbers_at[i]] = 'x';
        resum(h);
        assert_int_equal(read_one(), -EINVAL);
        h = raw('0');
        h[numbers_at[i]] = 0xff; /* base-256, negative */
        resum(h);
        assert_int_equal(read_one(), -EINVAL);
    }
    h = raw('0');
    memset(h, 0, 100); /* no name */
    resum(h);
    assert_int_equal(read_one(), -EINVAL);
}

static void cut_short(void **state)
{
    struct tar_reader r = { .read = from_archive };
    struct err e = ERR_INIT;
    char buf[64];

    (void)state;
    begin();
    in.size = 40;
    add_header();
    used += 20;
    assert_int_equal(tar_next(&r, &out, &e), 1);
    assert_int_equal(tar_read(&r, buf, sizeof(buf)), -EINVAL);
    at = 0;
    r = (struct tar_reader){ .read = from_archive };
    assert_int_equal(tar_next(&r, &out, &e), 1);
    assert_int_equal(tar_next(&r, &out, &e), -EINVAL);
}

static void f03_refused_kinds(void **state)
{
    static const char kinds_refused[] = "346SVDMNZ";
    uint8_t *h;

    (void)state;
    for (const char *k = kinds_refused; *k; k++) {
        h = raw(*k);
        resum(h);
        assert_int_equal(read_one(), -EPERM);
    }
}

/* What other writers produce. */
static void dialects(void **state)
{
    uint8_t *h;

    (void)state;
    h = raw('\0'); /* before POSIX: type NUL, a directory by its slash */
    memset(h + 257, 0, 8);
    strcpy((char *)h, "dir/");
    resum(h);
    assert_int_equal(read_one(), 1);
    assert_int_equal(out.type, TAR_DIR);
    assert_string_equal(out.path, "dir");

    h = raw('0');
    memcpy(h + 257, "ustar  ", 8); /* GNU: what lies in the prefix field are times */
    strcpy((char *)h + 345, "14000000000");
    resum(h);
    assert_int_equal(read_one(), 1);
    assert_string_equal(out.path, "file");

    h = raw('0');
    memcpy(h + 345, "a/b", 3);
    resum(h);
    assert_int_equal(read_one(), 1);
    assert_string_equal(out.path, "a/b/file");

    h = raw('0');
    memcpy(h + 124, "\x80\0\0\0\0\0\0\x02\0\0\0\x05", 12); /* base-256 */
    resum(h);
    assert_int_equal(read_one(), 1);
    assert_int_equal(out.size, (2ull << 32) + 5);
    memcpy(h + 124, "\x80\0\0\1\0\0\0\0\0\0\0\0", 12); /* 2^64 and more */
    resum(h);
    assert_int_equal(read_one(), -EINVAL);

    h = raw('0');
    memcpy(h + 124, "    17 \0", 8);
    resum(h);
    assert_int_equal(read_one(), 1);
    assert_int_equal(out.size, 15);

    h = raw('2'); /* a link's size means nothing */
    memcpy(h + 124, "00000001000", 12);
    strcpy((char *)h + 157, "target");
    resum(h);
    used += TAR_BLOCK * 2;
    assert_int_equal(read_one(), 1);
    assert_int_equal(out.size, 0);
}

/* A special header with this body, then a plain one. */
static int with_extra(char type, const char *body, size_t len)
{
    begin();
    in.size = len;
    add_header();
    archive[156] = (uint8_t)type;
    resum(archive);
    memcpy(archive + used, body, len);
    used += len + tar_padding(len);
    in.size = 3;
    add_header();
    add_data("abc");
    used += 2 * TAR_BLOCK;
    return read_one();
}

static void gnu_long_names(void **state)
{
    char name[300];

    (void)state;
    memset(name, 'n', sizeof(name));
    assert_int_equal(with_extra('L', name, sizeof(name)), 1);
    assert_int_equal(strlen(out.path), 300);
    assert_int_equal(with_extra('L', "short\0", 6), 1);
    assert_string_equal(out.path, "short");
    assert_int_equal(with_extra('K', "link\0", 5), 1);
    assert_string_equal(out.link, "link");
    assert_string_equal(out.path, "file");
}

static void pax_records(void **state)
{
    static const struct {
        const char *body;
        int result;
    } cases[] = {
        { "11 path=xy\n", 1 },
        { "11 path=xy\n14 linkpath=l\n10 size=3\n", 1 },
        { "21 comment=anything\n\n", 1 },
        { "14 mtime=12.5\n", 1 },
        { "", 1 },
        { "10 path=xy\n", -EINVAL }, /* wrong length */
        { "12 path=xy\n", -EINVAL }, /* runs past the end */
        { "99 path=xy\n", -EINVAL },
        { "0 path=xy\n", -EINVAL },
        { "3 \n", -EINVAL },
        { "path=xy\n", -EINVAL },   /* no length */
        { "8 path\n\n", -EINVAL },  /* no equals sign */
        { "7 =xy\n\n", -EINVAL },   /* no key */
        { "11 path=xyz", -EINVAL }, /* no newline */
        { "8 path=\n", -EINVAL },   /* an empty name */
        { "10 size=x\n", -EINVAL },
        { "8 size=\n", -EINVAL },
        { "29 size=18446744073709551616\n", -EINVAL },
        { "28 size=9223372036854775808\n", -EINVAL },
        { "11 mtime=x\n", -EINVAL },
        { "18 uid=4294967295\n", -EINVAL },
        { "18446744073709551616 path=x\n", -EINVAL },
        { "22 GNU.sparse.major=1\n", -EPERM },
    };

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++) {
        int got = with_extra('x', cases[i].body, strlen(cases[i].body));

        if (got != cases[i].result)
            fail_msg("\"%s\" gave %d, not %d", cases[i].body, got, cases[i].result);
    }
    /* The byte after the record is what an earlier one left there. */
    assert_int_equal(with_extra('x', "22 comment=\n\n\n\n\n\n\n\n\n\n\n", 22), 1);
    assert_int_equal(with_extra('x', "12 path=xy\n", 11), -EINVAL);
    assert_int_equal(with_extra('x', "13 path=a\0bc\n", 13), -EINVAL);
    assert_int_equal(with_extra('x', "11 path=xy\n10 size=3\n", 21), 1);
    assert_string_equal(out.path, "xy");
    assert_int_equal(out.size, 3);
    assert_int_equal(with_extra('g', "11 path=xy\n", 11), 1); /* global: passed over */
    assert_string_equal(out.path, "file");
}

/* A header for names that claims more than anybody needs: refused before it is read. */
static void large_extra(void **state)
{
    uint8_t *h = raw('x');

    (void)state;
    snprintf((char *)h + 124, 12, "%011o", 65537);
    resum(h);
    used = 1 << 17;
    assert_int_equal(read_one(), -EINVAL);
    h = raw('L');
    snprintf((char *)h + 124, 12, "%011o", TAR_PATH_MAX);
    memset(h + TAR_BLOCK, 'n', TAR_PATH_MAX);
    resum(h);
    used = 1 << 17;
    assert_int_equal(read_one(), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),
        cmocka_unit_test(every_path_length),
        cmocka_unit_test(the_longest_header),
        cmocka_unit_test(split_points),
        cmocka_unit_test(record_lengths),
        cmocka_unit_test(odd_names),
        cmocka_unit_test(numbers),
        cmocka_unit_test(data_and_skipping),
        cmocka_unit_test(empty),
        cmocka_unit_test(damaged),
        cmocka_unit_test(cut_short),
        cmocka_unit_test(f03_refused_kinds),
        cmocka_unit_test(dialects),
        cmocka_unit_test(gnu_long_names),
        cmocka_unit_test(pax_records),
        cmocka_unit_test(large_extra),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
