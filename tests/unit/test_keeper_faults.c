/*
 * test_keeper_faults.c - a whole keeper among guests, clients and machines that fail or lie.
 *
 * Nothing here waits by the clock; deadlines of the keeper are made short through its environment.
 */
#include "sandbox/proc.h"
#include "tests/unit/keeper_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* r04: a command's end before the guest was even set up is a lie. */
static void r04_a_command_before_setup(void **s)
{
    struct box_state st;

    (void)s;
    boot = NEVER_UP;
    rig_start(false, "true", false);
    expect_gone();
    assert_int_equal(box_load_state(rig.box, &st, &rig.err), 0);
    assert_string_equal(st.reason, "protocol");
}

/* It may have ended before anybody can ask: what counts is what is on record. */
static void ended_because(const char *reason)
{
    struct box_state st;

    rig_start(false, NULL, false);
    expect_gone();
    assert_int_equal(box_load_state(rig.box, &st, &rig.err), 0);
    assert_string_equal(st.reason, reason);
    assert_int_equal(st.exit_code, -1);
}

static void a_guest_that_never_comes_up(void **s)
{
    (void)s;
    setenv("CARREL_BOOT_TIMEOUT", "50", 1);
    boot = NEVER_UP;
    ended_because("watchdog");
}

static void a_guest_that_cannot_be_set_up(void **s)
{
    (void)s;
    boot = SETUP_FAILS;
    ended_because("refused");
}

/* r04, r10: the wire and the keeper's own conversations are vital: breaking them ends the guest. */
static void r10_garbage_on_the_port(void **s)
{
    (void)s;
    boot = PORT_GARBAGE;
    ended_because("protocol");
}

static void r04_a_wrong_answer_to_setup(void **s)
{
    (void)s;
    boot = SETUP_GARBAGE;
    ended_because("protocol");
}

static void an_engine_that_crashes(void **s)
{
    (void)s;
    boot = CRASHES;
    ended_because("vmm-crash");
}

static void a_silent_guest_is_ended(void **s)
{
    (void)s;
    setenv("CARREL_PING_MS", "20", 1);
    setenv("CARREL_SILENT_MS", "60", 1);
    boot = NO_PING;
    rig_start(false, NULL, false);

    struct client *w = ask(MSG_WAIT), *a = exec_it("wait", 0), *c = exec_it("wait", 0);
    struct box_state st = expect_ended(w);

    assert_string_equal(st.reason, "watchdog");
    while (client_next(a, &rig.in, &rig.err) > 0)
        ;
    assert_int_equal(rig.in.type, MSG_ENDED);
    hang_up(a);
    hang_up(c);
    expect_gone();
}

/* r04, r06: a guest that misbehaves on one stream loses that stream, and only that. */
static void r04_bad_answers_cost_the_stream(void **s)
{
    static const char *const bad[] = { "early-output", "host-verb", "bad-exit", "reset",
                                       "fin",          "garbage",   "half" };

    (void)s;
    rig_start(false, NULL, false);
    for (size_t i = 0; i < array_len(bad); i++) {
        struct client *c = exec_it(bad[i], 0);

        do
            assert_int_equal(client_next(c, &rig.in, &rig.err), 1);
        while (rig.in.type == MSG_STARTED);
        assert_int_equal(rig.in.type, MSG_ERROR);
        expect_close(c);
    }

    struct client *c = exec_it("seven", 0);

    expect(c, MSG_STARTED);
    expect_exit(c, MSG_EXITED, 7);
    expect_close(c);
    c = ask(MSG_STOP);
    assert_string_equal(expect_ended(c).reason, "stopped");
    expect_gone();
}

static void r04_a_bad_main_command_ends_the_sandbox(void **s)
{
    (void)s;
    rig_start(true, NULL, true);

    struct client *c = exec_it("host-verb", MSG_F_MAIN);

    expect(c, MSG_STARTED);
    assert_string_equal(expect_ended(c).reason, "protocol");
    expect_gone();
}

/* Back pressure: a client that does not read holds its own command, bounded, and nobody else. */
static void r11_a_client_that_does_not_read(void **s)
{
    char path[64], line[256];
    long rss = 0;

    (void)s;
    rig_start(false, NULL, false);

    struct client *stuck = exec_it("flood", 0), *deaf = exec_it("no-reading", MSG_F_STDIN);

    for (int i = 0; i < 20; i++) {
        struct client *c = exec_it("hello", 0);

        expect(c, MSG_STARTED);
        expect(c, MSG_STDOUT);
        expect(c, MSG_STDERR);
        expect_exit(c, MSG_EXITED, 0);
        expect_close(c);
    }

    /* A program that does not read: its client is held too, after some buffers. */
    static uint8_t block[16384];
    size_t sent = 0;
    struct pollfd p = { .fd = deaf->fd, .events = POLLOUT };

    while (poll(&p, 1, 200) == 1 && sent < (64u << 20)) {
        uint8_t frame[MSG_HEADER + sizeof(block)] = { 0 };

        msg_header(frame, MSG_STDIN, sizeof(block));
        if (send(deaf->fd, frame, sizeof(frame), MSG_DONTWAIT) != (ssize_t)sizeof(frame))
            break;
        sent += sizeof(frame);
    }
    assert_true(sent < (4u << 20));

    snprintf(path, sizeof(path), "/proc/%d/status", (int)rig.keeper);

    FILE *st = fopen(path, "r");

    assert_non_null(st);
    while (fgets(line, sizeof(line), st))
        if (sscanf(line, "VmRSS: %ld", &rss) == 1)
            break;
    fclose(st);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    assert_in_range(rss, 1, 49152); /* shadow memory, and what was freed is kept a while */
#else
    assert_in_range(rss, 1, 16384);
#endif

    /* It goes on when it is read. */
    expect(stuck, MSG_STARTED);
    for (int i = 0; i < 500; i++)
        expect(stuck, MSG_STDOUT);
    hang_up(stuck);
    hang_up(deaf);
    assert_string_equal(expect_ended(ask(MSG_STOP)).reason, "stopped");
    expect_gone();
}

/* r01, r02, r05: what clients send is judged as well; each is told, or closed. */
static void r01_bad_clients_are_turned_away(void **s)
{
    static const uint8_t bad[][8] = {
        { 0, 0, 0, 0, 0, 0, 0, 0 },         { MSG_EXEC, 0, 0, 0, 0xff, 0xff, 0xff, 0xff },
        { MSG_EXEC, 1, 0, 0, 0, 0, 0, 0 },  { MSG_EXEC, 0, 0, 0, 1, 0, 1, 0 },
        { MSG_SETUP, 0, 0, 0, 0, 0, 0, 0 }, { MSG_POWEROFF, 0, 0, 0, 0, 0, 0, 0 },
        { MSG_STDIN, 0, 0, 0, 0, 0, 0, 0 }, { MSG_EXIT, 0, 0, 0, 0, 0, 0, 0 },
        { 255, 0, 0, 0, 0, 0, 0, 0 },
    };

    (void)s;
    rig_start(false, "wait", false);
    for (size_t i = 0; i < array_len(bad); i++) {
        struct client *c = dial();

        assert_int_equal(send(c->fd, bad[i], 8, 0), 8);
        expect(c, MSG_ERROR);
        expect_close(c);
    }

    struct client *c = exec_it("wait", 0); /* without STDIN */

    expect(c, MSG_STARTED);
    assert_int_equal(client_send(c, MSG_STDIN, "x", 1, &rig.err), 0);
    expect(c, MSG_ERROR);
    expect_close(c);

    c = exec_it("true", MSG_F_MAIN); /* a second main command */
    expect(c, MSG_ERROR);
    expect_close(c);
    assert_string_equal(expect_ended(ask(MSG_STOP)).reason, "stopped");
    expect_gone();
}

/* More clients than there is room for: the others are served, and it recovers. */
static void r11_too_many_clients(void **s)
{
    struct client *c[KEEPER_LINKS];

    (void)s;
    rig_start(false, NULL, false);
    for (size_t i = 0; i < KEEPER_LINKS; i++)
        c[i] = ask(MSG_WAIT);

    struct client *one = request(MSG_STATUS);

    if (client_request(one, &rig.out, &rig.err) == 0) /* or it was closed even before that */
        assert_true(client_next(one, &rig.in, &rig.err) <= 0);
    hang_up(one);
    for (size_t i = 0; i < KEEPER_LINKS / 2; i++)
        hang_up(c[i]);
    /* Their places are free as soon as the keeper has seen them go. */
    do {
        one = dial();
        msg_begin(&rig.out, MSG_STATUS);
        if (client_request(one, &rig.out, &rig.err) == 0 &&
            client_next(one, &rig.in, &rig.err) == 1)
            break;
        hang_up(one);
    } while (true);
    assert_int_equal(rig.in.type, MSG_STATE);
    hang_up(one);
    one = ask(MSG_STOP);
    expect_ended(one);
    for (size_t i = KEEPER_LINKS / 2; i < KEEPER_LINKS; i++)
        expect_ended(c[i]);
    expect_gone();
}

/* A guest that ignores everything: grace, power-off, TERM and KILL follow by themselves. */
static void a_stubborn_guest_is_ended_all_the_same(void **s)
{
    (void)s;
    rig_start(true, "stubborn", false);

    struct client *c = request(MSG_STOP);

    msg_add_u32(&rig.out, MSG_GRACE, 50);
    assert_int_equal(client_request(c, &rig.out, &rig.err), 0);
    assert_string_equal(expect_ended(c).reason, "stopped");
    expect_gone();
}

/* h02: kill -9 of the machine: said to everybody, recorded, reaped. */
static void h02_the_machine_is_killed(void **s)
{
    struct box_state st;

    (void)s;
    rig_start(false, "wait", false);

    struct client *a = ask(MSG_ATTACH);

    expect(a, MSG_STARTED);
    assert_int_equal(box_load_state(rig.box, &st, &rig.err), 0);
    assert_int_equal(kill(st.vmm_pid, SIGKILL), 0);
    st = expect_ended(a);
    assert_string_equal(st.reason, "vmm-crash");
    expect_gone();
}

static void stop_keeper(void)
{
    assert_int_equal(kill(rig.keeper, SIGSTOP), 0);
    while (!proc_is_stopped(rig.keeper, proc_start_time(rig.keeper)))
        poll(NULL, 0, 1);
}

/* h02: what a killed machine left on the wire is torn, and no lie of its guest. */
static void h02_the_machine_is_killed_in_mid_word(void **s)
{
    struct box_state st;

    (void)s;
    rig_start(false, "wait", false);

    struct client *a = ask(MSG_ATTACH);

    expect(a, MSG_STARTED);
    assert_int_equal(box_load_state(rig.box, &st, &rig.err), 0);

    struct pollfd vmm = { .fd = (int)syscall(434 /* pidfd_open */, st.vmm_pid, 0),
                          .events = POLLIN };

    assert_true(vmm.fd >= 0);
    stop_keeper();
    assert_int_equal(kill(st.vmm_pid, SIGUSR1), 0);
    assert_int_equal(poll(&vmm, 1, 10000), 1);
    close(vmm.fd);
    assert_int_equal(kill(rig.keeper, SIGCONT), 0);
    st = expect_ended(a);
    assert_string_equal(st.reason, "vmm-crash");
    expect_gone();
}

/* h02: a guest cannot close the port; an engine that does and stays is broken. */
static void h02_the_engine_closes_its_port(void **s)
{
    (void)s;
    setenv("CARREL_HUNG_UP_MS", "20", 1);
    rig_start(false, NULL, true);
    assert_string_equal(expect_ended(exec_started("hang-up", MSG_F_MAIN)).reason, "vmm-crash");
    expect_gone();
}

/* The lowest number that the keeper's next descriptor could have. */
static rlim_t free_number(void)
{
    char path[64];

    for (int fd = 0;; fd++) {
        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)rig.keeper, fd);
        if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW))
            return (rlim_t)fd;
    }
}

static void limit_descriptors(rlim_t n)
{
    struct rlimit l;

    assert_int_equal(prlimit(rig.keeper, RLIMIT_NOFILE, NULL, &l), 0);
    l.rlim_cur = n;
    assert_int_equal(prlimit(rig.keeper, RLIMIT_NOFILE, &l, NULL), 0);
}

static int64_t keeper_cpu_ms(void)
{
    struct timespec t;
    clockid_t clock;

    assert_int_equal(clock_getcpuclockid(rig.keeper, &clock), 0);
    assert_int_equal(clock_gettime(clock, &t), 0);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* r02: whoever waits at the door of a keeper without descriptors costs it nothing, and is let in
 * when there are some again: at once when a client goes, by itself otherwise. */
static void r02_no_descriptor_for_a_client(void **s)
{
    (void)s;
    rig_start(false, NULL, false);

    struct client *in = exec_started("wait", 0), *out;
    struct pollfd p;
    int64_t before;

    limit_descriptors(free_number());
    out = ask(MSG_STATUS);
    p = (struct pollfd){ .fd = out->fd, .events = POLLIN };
    before = keeper_cpu_ms();
    assert_int_equal(poll(&p, 1, 500), 0);
    assert_true(keeper_cpu_ms() - before < 250);
    hang_up(in);
    expect(out, MSG_STATE);
    expect_close(out);

    in = exec_started("wait", 0);
    limit_descriptors(free_number());
    out = ask(MSG_STATUS);
    p.fd = out->fd;
    assert_int_equal(poll(&p, 1, 100), 0);
    limit_descriptors(256);
    expect(out, MSG_STATE);
    expect_close(out);
    hang_up(in);
    expect_ended(ask(MSG_STOP));
    expect_gone();
}

/* What a client asked that gave up while the keeper could not listen is not done later. */
static void what_was_given_up_is_not_done(void **s)
{
    (void)s;
    rig_start(false, NULL, false);
    stop_keeper();
    hang_up(ask(MSG_KILL));
    hang_up(ask(MSG_STOP));
    assert_int_equal(kill(rig.keeper, SIGCONT), 0);

    struct client *c = exec_started("seven", 0);

    expect_exit(c, MSG_EXITED, 7);
    expect_close(c);
    expect_ended(ask(MSG_STOP));
    expect_gone();
}

/* r02, r11: what waits for a slow reader is whole; its guest is not to blame for the delay. */
static void r11_a_slow_reader_costs_nobody_anything(void **s)
{
    (void)s;
    setenv("CARREL_FRAME_MS", "20", 1);
    rig_start(false, NULL, true);

    struct client *c = exec_it("spill", MSG_F_MAIN);
    struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };

    assert_int_equal(poll(&p, 1, 300), 0);
    expect(c, MSG_STARTED);
    for (int i = 0; i < SPILL_FRAMES; i++)
        expect(c, MSG_STDOUT);
    hang_up(c);
    assert_string_equal(expect_ended(ask(MSG_STOP)).reason, "stopped");
    expect_gone();
}

/* r02: a byte now and then does not keep a frame alive. */
static void r02_a_guest_that_dribbles(void **s)
{
    int rounds = 0;

    (void)s;
    setenv("CARREL_FRAME_MS", "200", 1);
    rig_start(false, NULL, false);

    struct client *c = exec_started("dribble", MSG_F_STDIN);
    struct pollfd p = { .fd = c->fd, .events = POLLIN };

    while (poll(&p, 1, 20) == 0 && rounds++ < 200)
        assert_int_equal(client_send(c, MSG_STDIN, "x", 1, &rig.err), 0);
    assert_true(rounds < 200);
    expect(c, MSG_ERROR);
    expect_close(c);
    assert_string_equal(expect_ended(ask(MSG_STOP)).reason, "stopped");
    expect_gone();
}

/* h02: kill -9 of the keeper: the next command ends what is left and says so. */
static void h02_the_keeper_is_killed(void **s)
{
    struct box_state st;
    pid_t vmm;

    (void)s;
    rig_start(false, "wait", false);

    struct client *a = ask(MSG_ATTACH);

    expect(a, MSG_STARTED);
    assert_int_equal(box_load_state(rig.box, &st, &rig.err), 0);
    vmm = st.vmm_pid;
    assert_int_equal(kill(rig.keeper, SIGKILL), 0);
    assert_int_equal(waitpid(rig.holder, NULL, 0), rig.holder); /* the next one fails at once */
    rig.holder = 0;
    close(rig.done);
    assert_true(client_next(a, &rig.in, &rig.err) <= 0);
    hang_up(a);
    assert_true(client_connect(rig.box, &rig.err) < 0);
    assert_int_equal(store_reconcile(rig.store, rig.cfg.id, &rig.err), 1);
    assert_true(kill(vmm, 0) == -1 || waitpid(vmm, NULL, WNOHANG) != 0);
    assert_int_equal(box_load_state(rig.box, &st, &rig.err), 0);
    assert_string_equal(st.reason, "keeper-lost");
}

/* h02: a keeper that comes too early after another's death leaves what reconciling needs. */
static void h02_a_lost_sandbox_is_not_claimed(void **s)
{
    const struct box_state lost = { .phase = BOX_RUNNING, .vmm_pid = 1, .exit_code = -1 };
    char id[BOX_ID_LEN + 1];
    struct hold hold = { .pid = getpid(), .socket = -1 };
    struct keeper *k;

    (void)s;
    rig.cfg = (struct box_config){ .ephemeral = true, .mem_bytes = 64u << 20, .vcpus = 1 };
    assert_int_equal(store_create(rig.store, &rig.cfg, &rig.err), 0);
    rig.box = store_find(rig.store, rig.cfg.id, id, &rig.err);
    assert_true(rig.box >= 0);
    assert_int_equal(box_save_state(rig.box, &lost, true, &rig.err), 0);
    k = keeper_new(rig.box, &hold, false, &rig.err);
    assert_non_null(k);
    assert_int_equal(keeper_claim(k, &rig.err), -EBUSY);
    assert_int_equal(k->lock, -1); /* whoever holds it may remove an ephemeral sandbox */
    keeper_free(k);
}

/* R10: what is not locked down parses nothing that a guest says. */
static void r10_a_keeper_that_cannot_be_locked_down(void **s)
{
    struct box_state st;

    (void)s;
    rig.cannot_lock = true;
    rig_start(false, "wait", false);
    expect_gone();
    assert_int_equal(box_load_state(rig.box, &st, &rig.err), 0);
    assert_string_equal(st.reason, "refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(r04_a_command_before_setup),
        RIG_TEST(a_guest_that_never_comes_up),
        RIG_TEST(a_guest_that_cannot_be_set_up),
        RIG_TEST(r10_garbage_on_the_port),
        RIG_TEST(r04_a_wrong_answer_to_setup),
        RIG_TEST(an_engine_that_crashes),
        RIG_TEST(a_silent_guest_is_ended),
        RIG_TEST(r04_bad_answers_cost_the_stream),
        RIG_TEST(r04_a_bad_main_command_ends_the_sandbox),
        RIG_TEST(r11_a_client_that_does_not_read),
        RIG_TEST(r01_bad_clients_are_turned_away),
        RIG_TEST(r11_too_many_clients),
        RIG_TEST(a_stubborn_guest_is_ended_all_the_same),
        RIG_TEST(h02_the_machine_is_killed_in_mid_word),
        RIG_TEST(h02_the_engine_closes_its_port),
        RIG_TEST(r02_no_descriptor_for_a_client),
        RIG_TEST(what_was_given_up_is_not_done),
        RIG_TEST(r11_a_slow_reader_costs_nobody_anything),
        RIG_TEST(r02_a_guest_that_dribbles),
        RIG_TEST(h02_the_machine_is_killed),
        RIG_TEST(h02_the_keeper_is_killed),
        RIG_TEST(h02_a_lost_sandbox_is_not_claimed),
        RIG_TEST(r10_a_keeper_that_cannot_be_locked_down),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
