/* test_gmem.c - the door to guest memory: nothing outside RAM, at either end of either region. */
#include "base/gmem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define LOW  0x3000u
#define HIGH 0x2000u
#define TOP  0x100000000ull

/* The regions are neighbours in host memory, as the machine's are; between them in the guest's
 * addresses is the hole. */
static _Alignas(4096) uint8_t ram[LOW + HIGH];
static const struct gmem mem = { .n = 2,
                                 .region = { { .host = ram, .base = 0, .size = LOW },
                                             { .host = ram + LOW, .base = TOP, .size = HIGH } } };

static gpa_t at(uint64_t a)
{
    return (gpa_t){ a };
}

static void v10_regions_end_where_they_end(void **state)
{
    (void)state;
    assert_true(gmem_covers(&mem, at(0), LOW));
    assert_false(gmem_covers(&mem, at(0), LOW + 1));
    assert_true(gmem_covers(&mem, at(LOW - 1), 1));
    assert_false(gmem_covers(&mem, at(LOW - 1), 2)); /* host memory goes on there */
    assert_false(gmem_covers(&mem, at(LOW), 1));
    assert_false(gmem_covers(&mem, at(TOP - 1), 1));
    assert_false(gmem_covers(&mem, at(TOP - 1), 2));
    assert_true(gmem_covers(&mem, at(TOP), HIGH));
    assert_false(gmem_covers(&mem, at(TOP), HIGH + 1));
    assert_true(gmem_covers(&mem, at(TOP + HIGH - 1), 1));
    assert_false(gmem_covers(&mem, at(TOP + HIGH), 1));
    assert_ptr_equal(gmem_payload(&mem, at(TOP + 1), 1), ram + LOW + 1);
    assert_null(gmem_payload(&mem, at(LOW - 4), 8));
}

static void v13_sums_that_wrap_are_outside(void **state)
{
    static const uint64_t edge[] = { 1,   0x1000,         LOW - 1,        LOW,
                                     TOP, TOP + HIGH - 1, UINT64_MAX - 1, UINT64_MAX };

    (void)state;
    for (size_t i = 0; i < sizeof(edge) / sizeof(edge[0]); i++)
        for (uint64_t d = 0; d < 3; d++) {
            assert_false(gmem_covers(&mem, at(edge[i]), UINT64_MAX - d));
            assert_false(gmem_covers(&mem, at(edge[i]), -edge[i] - d)); /* ends at 2^64 or 0 */
        }
    assert_false(gmem_covers(&mem, at(UINT64_MAX), 1));
    assert_false(gmem_covers(&mem, at(UINT64_MAX), 2));
}

static void v14_the_hole_is_not_memory(void **state)
{
    uint8_t c = 7;

    (void)state;
    assert_null(gmem_payload(&mem, at(0xc0000000), 1));
    assert_null(gmem_payload(&mem, at(0xfee00000), 4));
    assert_int_equal(gmem_read(&mem, at(0xe0000000), &c, 1), -EFAULT);
    assert_int_equal(gmem_write(&mem, at(0xe0000000), &c, 1), -EFAULT);
    assert_int_equal(c, 7);
}

static void length_zero_needs_a_place(void **state)
{
    (void)state;
    assert_true(gmem_covers(&mem, at(0), 0));
    assert_true(gmem_covers(&mem, at(LOW - 1), 0));
    assert_false(gmem_covers(&mem, at(LOW), 0));
    assert_false(gmem_covers(&mem, at(UINT64_MAX), 0));
}

static void copies_and_words(void **state)
{
    uint8_t got[3], more[4] = { 1, 2, 3, 4 };
    uint16_t w = 0;

    (void)state;
    memset(ram, 0, sizeof(ram));
    assert_int_equal(gmem_write(&mem, at(TOP + HIGH - 4), more, 4), 0);
    assert_memory_equal(ram + LOW + HIGH - 4, more, 4);
    assert_int_equal(gmem_read(&mem, at(TOP + HIGH - 3), got, 3), 0);
    assert_memory_equal(got, more + 1, 3);
    assert_int_equal(gmem_write(&mem, at(TOP + HIGH - 3), more, 4), -EFAULT);
    assert_memory_equal(ram + LOW + HIGH - 4, more, 4); /* nothing of it was written */

    assert_int_equal(gmem_store_release(&mem, at(0x100), 0x1234), 0);
    assert_int_equal(ram[0x100], 0x34);
    assert_int_equal(gmem_load_acquire(&mem, at(0x100), &w), 0);
    assert_int_equal(w, 0x1234);
    assert_int_equal(gmem_load_acquire(&mem, at(0x101), &w), -EFAULT);
    assert_int_equal(gmem_store_release(&mem, at(0x101), 1), -EFAULT);
    assert_int_equal(gmem_load_acquire(&mem, at(LOW), &w), -EFAULT);
    assert_int_equal(gmem_store_release(&mem, at(TOP + HIGH), 1), -EFAULT);
}

static void one_region_is_enough(void **state)
{
    const struct gmem one = { .n = 1, .region = { { .host = ram, .base = 0, .size = LOW } } };

    (void)state;
    assert_true(gmem_covers(&one, at(0), LOW));
    assert_false(gmem_covers(&one, at(TOP), 1));
    assert_null(gmem_payload(&one, at(LOW), 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v10_regions_end_where_they_end),
        cmocka_unit_test(v13_sums_that_wrap_are_outside),
        cmocka_unit_test(v14_the_hole_is_not_memory),
        cmocka_unit_test(length_zero_needs_a_place),
        cmocka_unit_test(copies_and_words),
        cmocka_unit_test(one_region_is_enough),
    };

    return cmocka_run_group_tests_name("gmem", tests, NULL, NULL);
}
