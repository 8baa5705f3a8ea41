/* test_lifecycle.c - every pair of state and event: all of it ends, and no engine is left. */
#include "sandbox/keeper/lifecycle.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct err e;
static struct life_step step;

/* States in which an engine's process exists. */
static int has_engine(enum life_state s)
{
    return s != LIFE_CREATED && s != LIFE_ENDED;
}

static void every_pair_is_judged(void **st)
{
    (void)st;
    for (int s = 0; s < LIFE_STATES; s++) {
        for (int ev = 0; ev < LIFE_EVENTS; ev++) {
            e = ERR_INIT;
            int err = life_next((enum life_state)s, (enum life_event)ev, &step, &e);

            if (err) {
                assert_int_equal(err, -EINVAL);
                assert_non_null(strstr(e.msg, life_state_name((enum life_state)s)));
                continue;
            }
            assert_true((int)step.next < LIFE_STATES);
            /* Never back: a stop once begun is not undone. */
            assert_true((int)step.next >= s);
            /* The engine is started once, by the only edge out of CREATED into life. */
            assert_int_equal(step.action == LIFE_LAUNCH, s == LIFE_CREATED && ev == LIFE_START);
            /* ENDED is entered by reaping only, and reaping always enters it. */
            assert_int_equal(step.action == LIFE_REAP, step.next == LIFE_ENDED);
        }
    }
}

static void a_lost_engine_is_always_reaped(void **st)
{
    (void)st;
    for (int s = 0; s < LIFE_STATES; s++) {
        int err = life_next((enum life_state)s, LIFE_GONE, &step, &e);

        assert_int_equal(err == 0, has_engine((enum life_state)s));
        if (err == 0) {
            assert_int_equal(step.next, LIFE_ENDED);
            assert_int_equal(step.action, LIFE_REAP);
        }
    }
}

/* While an engine lives, nothing but its end leads to ENDED. */
static void no_engine_is_forgotten(void **st)
{
    (void)st;
    for (int s = 0; s < LIFE_STATES; s++)
        for (int ev = 0; ev < LIFE_EVENTS; ev++)
            if (has_engine((enum life_state)s) && ev != LIFE_GONE &&
                life_next((enum life_state)s, (enum life_event)ev, &step, &e) == 0)
                assert_int_not_equal(step.next, LIFE_ENDED);
}

/* A guest that never does anything: deadlines alone reach the kill, and repeat it. */
static void deadlines_alone_reach_the_kill(void **st)
{
    (void)st;
    for (int s = 0; s < LIFE_STATES; s++) {
        enum life_state now = (enum life_state)s;
        int killed = 0;

        if (!has_engine(now))
            continue;
        for (int i = 0; i < 5; i++) {
            assert_int_equal(life_next(now, LIFE_DEADLINE, &step, &e), 0);
            killed = step.action == LIFE_KILL_VMM;
            now = step.next;
        }
        assert_true(killed);
        assert_int_equal(now, LIFE_KILLING);
    }
}

static void a_kill_is_obeyed_at_once_everywhere(void **st)
{
    (void)st;
    for (int s = 0; s < LIFE_STATES; s++) {
        if (!has_engine((enum life_state)s))
            continue;
        assert_int_equal(life_next((enum life_state)s, LIFE_KILL, &step, &e), 0);
        assert_int_equal(step.next, LIFE_KILLING);
        assert_int_equal(step.action, s == LIFE_KILLING ? LIFE_NOTHING : LIFE_KILL_VMM);
    }
}

static void an_end_with_a_disk_is_orderly(void **st)
{
    (void)st;
    assert_int_equal(life_next(LIFE_RUNNING, LIFE_DONE, &step, &e), 0);
    assert_int_equal(step.action, LIFE_POWEROFF);
    assert_int_equal(life_next(LIFE_RUNNING, LIFE_SPENT, &step, &e), 0);
    assert_int_equal(step.action, LIFE_KILL_VMM);
    assert_int_equal(life_next(LIFE_RUNNING, LIFE_STOP, &step, &e), 0);
    assert_int_equal(step.action, LIFE_ASK_MAIN);
    assert_int_equal(life_next(LIFE_ASKING, LIFE_DEADLINE, &step, &e), 0);
    assert_int_equal(step.action, LIFE_POWEROFF);
    assert_int_equal(life_next(LIFE_LEAVING, LIFE_DEADLINE, &step, &e), 0);
    assert_int_equal(step.action, LIFE_TERMINATE);
}

static void phases_follow_states(void **st)
{
    (void)st;
    for (int s = 1; s < LIFE_STATES; s++)
        assert_true(life_phase((enum life_state)s) >= life_phase((enum life_state)(s - 1)));
    assert_int_equal(life_phase(LIFE_CREATED), BOX_CREATED);
    assert_int_equal(life_phase(LIFE_ENDED), BOX_ENDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_is_judged),
        cmocka_unit_test(a_lost_engine_is_always_reaped),
        cmocka_unit_test(no_engine_is_forgotten),
        cmocka_unit_test(deadlines_alone_reach_the_kill),
        cmocka_unit_test(a_kill_is_obeyed_at_once_everywhere),
        cmocka_unit_test(an_end_with_a_disk_is_orderly),
        cmocka_unit_test(phases_follow_states),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
