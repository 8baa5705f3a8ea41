/* test_cli_when.c - moments and ages. */
#include "sandbox/cli/when.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S 1000000000ull

static void moments(void **state)
{
    const uint64_t now = 1700000000ull * S;
    uint64_t ns;

    (void)state;
    assert_int_equal(when_parse("1970-01-02", now, &ns), 0);
    assert_int_equal(ns, 86400 * S);
    assert_int_equal(when_parse("2026-11-23T15:04:05.25Z", now, &ns), 0);
    assert_int_equal(ns, 1795446245ull * S + S / 4);
    assert_int_equal(when_parse("2026-11-23 15:04", now, &ns), 0);
    assert_int_equal(ns, 1795446240ull * S);
    assert_int_equal(when_parse("2024-02-29", now, &ns), 0);
    assert_int_equal(when_parse("15m", now, &ns), 0);
    assert_int_equal(ns, now - 900 * S);
    assert_int_equal(when_parse("99999d", now, &ns), 0); /* before 1970 */
    assert_int_equal(ns, 0);
}

static void what_is_no_moment(void **state)
{
    static const char *const wrong[] = {
        "",
        "now",
        "2026",
        "2026-13-01",
        "2026-02-29",
        "2026-11-23T",
        "2026-11-23T24:00",
        "15",
        "-5m",
        "2026-11-23T15:04:05+01:00",
        "2026-11-23x",
        "1m1s",
        "2026-00-10",
        "2026-11-23T1:00",
    };
    uint64_t ns;

    (void)state;
    for (size_t i = 0; i < array_len(wrong); i++)
        assert_int_equal(when_parse(wrong[i], S, &ns), -EINVAL);
}

static void ages(void **state)
{
    uint64_t ns;

    (void)state;
    assert_int_equal(age_parse("90d", &ns), 0);
    assert_int_equal(ns, 90 * 86400 * S);
    assert_int_equal(age_parse("0s", &ns), 0);
    assert_int_equal(ns, 0);
    assert_int_equal(age_parse("2h", &ns), 0);
    assert_int_equal(ns, 7200 * S);
    assert_int_equal(age_parse("99999999999d", &ns), -ERANGE);
    assert_int_equal(age_parse("99999999999999999999999s", &ns), -ERANGE);
    assert_int_equal(age_parse("1.5h", &ns), -EINVAL);
    assert_int_equal(age_parse("d", &ns), -EINVAL);
    assert_int_equal(age_parse("3 d", &ns), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments),
        cmocka_unit_test(what_is_no_moment),
        cmocka_unit_test(ages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
