/* test_cli_text.c - what a guest or an image wrote is shown, never obeyed. */
#include "sandbox/cli/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Filters the input in chunks of the given size. */
static const char *visible(const char *in, size_t chunk)
{
    static char out[4096];
    struct text_filter f = { .nheld = 0 };
    size_t used = 0, len = strlen(in);

    for (size_t at = 0; at < len; at += chunk)
        used += text_visible(&f, in + at, len - at < chunk ? len - at : chunk, out + used);
    used += text_visible_end(&f, out + used);
    out[used] = '\0';
    return out;
}

static void expect(const char *in, const char *want)
{
    for (size_t chunk = 1; chunk <= strlen(in) + 1; chunk++)
        assert_string_equal(visible(in, chunk), want);
}

static void c01_escapes_are_spelled_out(void **state)
{
    /* U+202E; as a literal it would mislead who reads this file. */
    static const char override[] = { (char)0xe2, (char)0x80, (char)0xae, 'x', 0 };

    (void)state;
    expect("\033[31mred\033[0m", "^[[31mred^[[0m");
    expect("\033]0;title\007", "^[]0;title^G");
    expect("\033]52;c;Zm9v\033\\", "^[]52;c;Zm9v^[\\");
    expect("a\bb", "a^Hb");
    expect("\x7f", "^?");
    expect("x\ry", "x^My"); /* would overwrite x */
    expect("\xc2\x9b"
           "31m",
           "<U+009B>31m"); /* CSI as one character */
    expect("\x9b"
           "31m",
           "\\x9b31m"); /* and as one byte */
    expect(override, "<U+202E>x");
    expect("\xef\xbb\xbf", "<U+FEFF>");
    expect("\xf3\xa0\x81\x81", "<U+E0041>");
}

static void plain_text_passes(void **state)
{
    (void)state;
    expect("tab\tand\nlines\n", "tab\tand\nlines\n");
    expect("terminal\r\nlines\r\n", "terminal\nlines\n");
    expect("Gr\xc3\xbc\xc3\x9f"
           "e \xe2\x9c\x94 \xf0\x9f\x98\x80",
           "Gr\xc3\xbc\xc3\x9f"
           "e \xe2\x9c\x94 \xf0\x9f\x98\x80");
}

static void what_is_no_text_is_spelled_out(void **state)
{
    (void)state;
    expect("\xff", "\\xff");
    expect("a\xc3", "a\\xc3"); /* cut off at the end */
    expect("\xc3"
           "b",
           "\\xc3"
           "b"); /* and in the middle */
    expect("\xe2\x9c", "\\xe2\\x9c");
    expect("\xc0\xaf", "\\xc0\\xaf"); /* overlong */
    expect("\xe0\x80\xaf", "\\xe0\\x80\\xaf");
    expect("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* a surrogate */
    expect("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* above U+10FFFF */
    expect("\xf0\x9f\x98"
           "x",
           "\\xf0\\x9f\\x98x");
    expect("end\r", "end^M");
}

/* Every sequence of three bytes: no control character comes out, and the room promised is enough.
 */
static void c01_no_sequence_gets_through(void **state)
{
    static const unsigned char bytes[] = { 0x00, 0x07, 0x0a, 0x0d, 0x1b, 0x20, 'a',
                                           0x7f, 0x80, 0x9b, 0xa0, 0xad, 0xc2, 0xe2,
                                           0x9f, 0xed, 0xf0, 0xf4, 0xff };
    const size_t n = sizeof(bytes);

    (void)state;
    for (size_t i = 0; i < n * n * n; i++) {
        const unsigned char in[3] = { bytes[i % n], bytes[i / n % n], bytes[i / n / n] };
        struct text_filter f = { .nheld = 0 };
        size_t room = TEXT_GROWTH * (sizeof(in) + 4);
        char *out = malloc(room + 1);
        size_t used = text_visible(&f, in, sizeof(in), out);

        assert_true(used <= room);
        used += text_visible_end(&f, out + used);
        assert_true(used <= room);
        for (size_t k = 0; k < used; k++) {
            unsigned char c = (unsigned char)out[k];

            assert_true(c >= 0x20 || c == '\n' || c == '\t');
            assert_int_not_equal(c, 0x7f);
            if (c >= 0x80 && c <= 0x9f) /* only as a later byte of a longer character */
                assert_true(k > 0 && (unsigned char)out[k - 1] >= 0x80 &&
                            !((unsigned char)out[k - 1] == 0xc2));
        }
        free(out);
    }
}

static void lines_stay_lines(void **state)
{
    char buf[64];

    (void)state;
    assert_string_equal(text_line("a\nb\tc", buf, sizeof(buf)), "a^Jb^Ic");
    assert_string_equal(text_line("\033[2J", buf, sizeof(buf)), "^[[2J");
    assert_string_equal(text_line("bad \xff end", buf, sizeof(buf)), "bad \\xff end");
    /* Cut between characters, never within one. */
    assert_string_equal(text_line("ab\xe2\x9c\x94", buf, 5), "ab");
    assert_string_equal(text_line("ab\xe2\x9c\x94", buf, 6), "ab\xe2\x9c\x94");
    assert_string_equal(text_line("a\033", buf, 3), "a");
    assert_string_equal(text_line("abc", buf, 1), "");
}

static void prefixes(void **state)
{
    size_t partial;

    (void)state;
    assert_int_equal(text_utf8_prefix("abc", 3, &partial), 3);
    assert_int_equal(partial, 0);
    assert_int_equal(text_utf8_prefix("ab\xe2\x9c", 4, &partial), 2);
    assert_int_equal(partial, 2);
    assert_int_equal(text_utf8_prefix("ab\xff"
                                      "cd",
                                      5, &partial),
                     2);
    assert_int_equal(partial, 0);
    assert_int_equal(text_utf8_prefix("a\0b", 3, &partial), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c01_escapes_are_spelled_out),
        cmocka_unit_test(plain_text_passes),
        cmocka_unit_test(what_is_no_text_is_spelled_out),
        cmocka_unit_test(c01_no_sequence_gets_through),
        cmocka_unit_test(lines_stay_lines),
        cmocka_unit_test(prefixes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
