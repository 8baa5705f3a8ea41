/* Bytes as hexadecimal digits, both ways. */
#include "base/hex.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void every_byte_goes_there_and_back(void **state)
{
    uint8_t all[256], back[256] = { 0 };
    char text[2 * sizeof(all) + 2];

    (void)state;
    for (unsigned i = 0; i < sizeof(all); i++)
        all[i] = (uint8_t)i;
    memset(text, 'x', sizeof(text));
    hex_print(text, all, sizeof(all));
    assert_memory_equal(text, "000102030405060708090a0b0c0d0e0f10", 34);
    assert_string_equal(text + 504, "fcfdfeff");
    assert_int_equal(text[sizeof(text) - 1], 'x');
    assert_true(hex_parse(text, back, sizeof(back)));
    assert_memory_equal(all, back, sizeof(all));
}

static void nothing_else_is_read(void **state)
{
    static const char *const wrong[] = { "",     "0",    "00f",  "00ff0", "00ff00", "00fF",
                                         "00fg", " 0ff", "0x0f", "00ff ", "-0ff",   "00\n0" };
    uint8_t out[2];

    (void)state;
    for (size_t i = 0; i < array_len(wrong); i++)
        assert_false(hex_parse(wrong[i], out, sizeof(out)));
    assert_true(hex_parse("00ff", out, sizeof(out)));
    assert_true(hex_parse("", out, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_goes_there_and_back),
        cmocka_unit_test(nothing_else_is_read),
    };

    return cmocka_run_group_tests_name("hex", tests, NULL, NULL);
}
