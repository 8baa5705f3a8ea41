/* test_mark.c - a mark is found wherever it stands, however it is cut. */
#include "base/mark.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Where the mark in this stream ends when it comes in pieces of this size; 0: nowhere. */
static size_t find(const uint8_t *mark, const uint8_t *stream, size_t len, size_t piece)
{
    struct mark_search s = { 0 };

    for (size_t at = 0; at < len; at += piece) {
        size_t n = len - at < piece ? len - at : piece, took = mark_find(&s, mark, stream + at, n);

        assert_true(took <= n);
        if (s.have == MARK_BYTES)
            return at + took;
        assert_int_equal(took, n);
    }
    return 0;
}

static void no_byte_is_as_the_first(void **state)
{
    uint8_t a[MARK_BYTES], b[MARK_BYTES];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_true(mark_make(a) && mark_make(b));
        assert_null(memchr(a + 1, a[0], MARK_BYTES - 1));
        assert_memory_not_equal(a, b, MARK_BYTES);
    }
}

static void found_wherever_it_stands(void **state)
{
    uint8_t mark[MARK_BYTES], stream[256];

    (void)state;
    assert_true(mark_make(mark));
    for (size_t cut = 0; cut < MARK_BYTES; cut++) /* behind one that is cut off */
        for (size_t gap = 0; gap < 3; gap++)
            for (size_t piece = 1; piece < 100; piece++) {
                size_t at = 10 + cut + gap;

                memset(stream, mark[0], sizeof(stream));
                memcpy(stream + 10, mark, cut);
                memcpy(stream + at, mark, MARK_BYTES);
                assert_int_equal(find(mark, stream, sizeof(stream), piece), at + MARK_BYTES);
            }
}

static void not_found_where_it_is_not(void **state)
{
    uint8_t mark[MARK_BYTES], stream[256];

    (void)state;
    assert_true(mark_make(mark));
    for (size_t wrong = 0; wrong < MARK_BYTES; wrong++) {
        memset(stream, 0, sizeof(stream));
        memcpy(stream + 100, mark, MARK_BYTES);
        stream[100 + wrong] ^= 0x80;
        for (size_t piece = 1; piece < 100; piece++)
            assert_int_equal(find(mark, stream, sizeof(stream), piece), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_byte_is_as_the_first),
        cmocka_unit_test(found_wherever_it_stands),
        cmocka_unit_test(not_found_where_it_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
