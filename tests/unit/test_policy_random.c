/* Random policies: decide against the naive evaluator, narrower against both. The long run of the
 * same is bin/policy_differential. */
#include "tests/unit/policy_differential.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void decide_is_what_the_policy_says(void **state)
{
    struct differential d = { 0 };
    struct text why = TEXT_INIT;

    (void)state;
    if (!differential_decide(100000, 1, &d, &why) || !differential_means_something(&d, &why))
        fail_msg("%s", text_str(&why));
    text_fini(&why);
}

static void p08_narrower_is_never_wrong(void **state)
{
    struct differential d = { 0 };
    struct text why = TEXT_INIT;

    (void)state;
    if (!differential_narrower(100000, 200, 1, &d, &why) || !differential_means_something(&d, &why))
        fail_msg("%s", text_str(&why));
    assert_int_equal(d.unknown, 0);
    assert_int_equal(d.replayed, d.wider);
    text_fini(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decide_is_what_the_policy_says),
        cmocka_unit_test(p08_narrower_is_never_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
