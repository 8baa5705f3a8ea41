/*
 * test_keeper_clock.c - h11: the host's clock is set by a day while a sandbox lives. What a sandbox
 * may use is measured by clocks that nobody sets.
 *
 * Linked with --wrap: the time of day is the host's plus `shift`, for the keeper too.
 */
#include "sandbox/audit/log.h"
#include "tests/unit/keeper_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define DAY ((time_t)86400)

static volatile time_t *shift; /* seconds; shared with the keeper */

int __real_clock_gettime(clockid_t id, struct timespec *t); /* NOLINT(*-reserved-identifier) */
int __wrap_clock_gettime(clockid_t id, struct timespec *t); /* NOLINT(*-reserved-identifier) */
time_t __wrap_time(time_t *t);                              /* NOLINT(*-reserved-identifier) */

int __wrap_clock_gettime(clockid_t id, struct timespec *t) /* NOLINT(*-reserved-identifier) */
{
    int err = __real_clock_gettime(id, t);

    if (id == CLOCK_REALTIME)
        t->tv_sec += *shift;
    return err;
}

time_t __wrap_time(time_t *t) /* NOLINT(*-reserved-identifier) */
{
    struct timespec now;

    __wrap_clock_gettime(CLOCK_REALTIME, &now);
    if (t)
        *t = now.tv_sec;
    return now.tv_sec;
}

static void works(void)
{
    struct client *c = exec_started("seven", 0);

    expect_exit(c, MSG_EXITED, 7);
    expect_close(c);
}

static void verify_log(void)
{
    struct audit_verdict v;
    char path[160];
    int dir;

    snprintf(path, sizeof(path), "%s/audit/%s", rig.root, rig.cfg.id);
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(dir >= 0);
    if (audit_log_verify(dir, NULL, NULL, NULL, &v, &rig.err))
        fail_msg("%s", rig.err.msg);
    assert_true(v.closed);
    close(dir);
}

/* Wall time and idle time are an hour, silence is 60 s: a day ends none of them. */
static void h11_a_day_forward_and_back_ends_nothing(void **s)
{
    struct box_state st;

    (void)s;
    *shift = 0;
    setenv("CARREL_PING_MS", "20", 1);
    rig_start(false, NULL, false);

    struct client *c = exec_started("wait", 0);

    for (int i = 0; i < 3; i++) {
        *shift = (time_t[]){ DAY, -DAY, 365 * DAY }[i];
        works();
        assert_int_equal(box_load_state(rig.box, &st, &rig.err), 0);
        assert_int_equal(st.phase, BOX_RUNNING);
        assert_int_equal(store_reconcile(rig.store, rig.cfg.id, &rig.err), 0); /* nothing to mend */
    }
    hang_up(c);
    *shift = 0;
    assert_string_equal(expect_ended(ask(MSG_STOP)).reason, "stopped");
    expect_gone();
    verify_log();
}

/* And nobody lives longer for it. */
static void h11_a_day_back_prolongs_nothing(void **s)
{
    (void)s;
    *shift = 0;
    rig.policy =
        "carrel: 1\nname: test\nlimits: {wall: 1s, idle: 1h}\nstorage: {root: {mode: "
        "overlay, quota: {bytes: 1TiB}}}\ntools:\n  commands:\n"
        "    - {id: all, exec: {path: \"/**\"}, argv: [{allow: [{any: {count: 0..256}}]}],\n"
        "       env: {allow: [\"*\"]}, user: 0, paths: {ro: [/], rw: [/]}}\n";
    rig_start(false, NULL, false);
    works();
    *shift = -DAY;
    assert_string_equal(expect_ended(ask(MSG_WAIT)).reason, "limit");
    expect_gone();
    *shift = 0;
    verify_log();
}

/* h14: one directory, two keepers: the second refuses, the first does not notice. */
static void h14_a_second_keeper_refuses(void **s)
{
    struct hold hold = { .pid = getpid(), .socket = -1 };
    struct keeper *k;

    (void)s;
    rig_start(false, NULL, false);
    k = keeper_new(rig.box, &hold, false, &rig.err);
    assert_non_null(k);
    assert_int_equal(keeper_claim(k, &rig.err), -EWOULDBLOCK);
    assert_non_null(strstr(rig.err.msg, "in use"));
    keeper_free(k);
    works();
    assert_int_equal(box_holder(rig.box).pid, rig.keeper);
    assert_string_equal(expect_ended(ask(MSG_STOP)).reason, "stopped");
    expect_gone();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(h11_a_day_forward_and_back_ends_nothing),
        RIG_TEST(h11_a_day_back_prolongs_nothing),
        RIG_TEST(h14_a_second_keeper_refuses),
    };

    shift = mmap(NULL, sizeof(*shift), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shift == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
