/* test_cli_size.c - sizes, times and counts as people write them. */
#include "sandbox/cli/size.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void size_is(const char *text, uint64_t want)
{
    uint64_t got = 1;

    assert_int_equal(size_parse(text, &got), 0);
    assert_true(got == want);
}

static void sizes(void **state)
{
    (void)state;
    size_is("0", 0);
    size_is("4096", 4096);
    size_is("17b", 17);
    size_is("1k", 1024);
    size_is("512M", 512ull << 20);
    size_is("512m", 512ull << 20);
    size_is("512MB", 512ull << 20);
    size_is("512MiB", 512ull << 20);
    size_is("1.5G", 3ull << 29);
    size_is("0.5k", 512);
    size_is("2T", 2ull << 40);
    size_is("16777215T", 16777215ull << 40);
    size_is("18446744073709551615", UINT64_MAX);
}

static void sizes_refused(void **state)
{
    static const char *const malformed[] = { "",    "M",   "-1",    "+1",   " 1",  "1 M",
                                             "1MM", "1x",  "1Mi",   "1.M",  ".5G", "0x10",
                                             "1e3", "1bb", "1Mib2", "1,5G", "１" };
    static const char *const unfit[] = { "18446744073709551616",    "16777216T",    "0.3b", "0.1k",
                                         "99999999999999999999999", "1.0000000001G" };
    uint64_t got;

    (void)state;
    for (size_t i = 0; i < array_len(malformed); i++)
        assert_int_equal(size_parse(malformed[i], &got), -EINVAL);
    for (size_t i = 0; i < array_len(unfit); i++)
        assert_int_equal(size_parse(unfit[i], &got), -ERANGE);
}

static void duration_is(const char *text, uint32_t want)
{
    uint32_t got = 1;

    assert_int_equal(duration_parse(text, &got), 0);
    assert_int_equal(got, want);
}

static void durations(void **state)
{
    uint32_t got;

    (void)state;
    duration_is("10", 10000);
    duration_is("30s", 30000);
    duration_is("250ms", 250);
    duration_is("1.5m", 90000);
    duration_is("2h", 7200000);
    duration_is("1d", 86400000);
    duration_is("0", 0);
    duration_is("0.001", 1);
    duration_is("4294967.295", UINT32_MAX);
    assert_int_equal(duration_parse("4294967.296", &got), -ERANGE);
    assert_int_equal(duration_parse("0.0001", &got), -ERANGE);
    assert_int_equal(duration_parse("50d", &got), -ERANGE);
    assert_int_equal(duration_parse("5S", &got), -EINVAL);
    assert_int_equal(duration_parse("s", &got), -EINVAL);
    assert_int_equal(duration_parse("5 s", &got), -EINVAL);
    assert_int_equal(duration_parse("5mss", &got), -EINVAL);
}

static void counts(void **state)
{
    uint32_t got = 0;

    (void)state;
    assert_int_equal(count_parse("1", 1, 32, &got), 0);
    assert_int_equal(got, 1);
    assert_int_equal(count_parse("32", 1, 32, &got), 0);
    assert_int_equal(got, 32);
    assert_int_equal(count_parse("0", 1, 32, &got), -ERANGE);
    assert_int_equal(count_parse("33", 1, 32, &got), -ERANGE);
    assert_int_equal(count_parse("4294967297", 1, 32, &got), -ERANGE);
    assert_int_equal(count_parse("2.5", 1, 32, &got), -EINVAL);
    assert_int_equal(count_parse("2x", 1, 32, &got), -EINVAL);
    assert_int_equal(count_parse("", 1, 32, &got), -EINVAL);
    assert_int_equal(count_parse("-2", 1, 32, &got), -EINVAL);
}

static void texts(void **state)
{
    char buf[48];

    (void)state;
    assert_string_equal(size_text(0, buf, sizeof(buf)), "0 B");
    assert_string_equal(size_text(1023, buf, sizeof(buf)), "1023 B");
    assert_string_equal(size_text(1024, buf, sizeof(buf)), "1 KiB");
    assert_string_equal(size_text(1536, buf, sizeof(buf)), "1.5 KiB");
    assert_string_equal(size_text(512ull << 20, buf, sizeof(buf)), "512 MiB");
    assert_string_equal(size_text((1ull << 30) - 1, buf, sizeof(buf)), "1023.9 MiB");
    assert_string_equal(size_text(UINT64_MAX, buf, sizeof(buf)), "16777215.9 TiB");
    assert_string_equal(span_text(-5, buf, sizeof(buf)), "0s");
    assert_string_equal(span_text(59999999999, buf, sizeof(buf)), "59s");
    assert_string_equal(span_text(252LL * 1000000000, buf, sizeof(buf)), "4m12s");
    assert_string_equal(span_text(3600LL * 1000000000, buf, sizeof(buf)), "1h0m");
    assert_string_equal(span_text(90000LL * 1000000000, buf, sizeof(buf)), "1d1h");
    assert_string_equal(time_text(0, buf, sizeof(buf)), "");
    assert_string_equal(time_text(1700000000123456789, buf, sizeof(buf)),
                        "2023-11-14T22:13:20.123Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),  cmocka_unit_test(sizes_refused), cmocka_unit_test(durations),
        cmocka_unit_test(counts), cmocka_unit_test(texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
