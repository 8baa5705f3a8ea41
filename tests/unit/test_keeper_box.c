/*
 * test_keeper_box.c - a whole keeper at work: commands, files, clients, limits and policies.
 *
 * Nothing here waits by the clock; deadlines of the keeper are made short through its environment.
 */
#include "tests/unit/keeper_rig.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_to_the_end(const char *what, int kind, int code, const char *reason, int exit_code)
{
    rig_start(true, NULL, true);

    struct client *c = exec_it(what, MSG_F_MAIN | MSG_F_HANGUP);

    expect(c, MSG_STARTED);
    expect_exit(c, kind, code);

    struct box_state st = expect_ended(c);

    assert_string_equal(st.reason, reason);
    assert_int_equal(st.exit_code, exit_code);
    expect_gone();
}

static void a_run_leaves_nothing(void **s)
{
    (void)s;
    run_to_the_end("true", MSG_EXITED, 0, "exited", 0);
}

/* r07: whatever the guest says its command did is its command's status, and nothing more. */
static void r07_exit_codes_are_passed_on(void **s)
{
    (void)s;
    run_to_the_end("seven", MSG_EXITED, 7, "exited", 7);
    rig_teardown(NULL);
    rig_setup(NULL);
    run_to_the_end("segv", MSG_SIGNALED, 11, "signal", 139);
    rig_teardown(NULL);
    rig_setup(NULL);
    run_to_the_end("slow", MSG_TIMED_OUT, 9, "timeout", 124);
}

static void a_command_that_is_missing(void **s)
{
    (void)s;
    rig_start(true, NULL, true);

    struct client *c = exec_it("missing", MSG_F_MAIN);

    expect(c, MSG_ERROR);

    struct box_state st = expect_ended(c);

    assert_int_equal(st.exit_code, 127);
    assert_string_equal(st.text, "no");
    expect_gone();
}

static void a_detached_command_is_logged(void **s)
{
    char text[64] = "";

    (void)s;
    rig_start(false, "hello", false);

    /* It may be over before anybody asks: then there is nobody to ask. */
    struct client *c = calloc(1, sizeof(*c));

    c->fd = client_connect(rig.box, &rig.err);
    if (c->fd >= 0) {
        msg_begin(&rig.out, MSG_WAIT);
        if (client_request(c, &rig.out, &rig.err) == 0)
            while (client_next(c, &rig.in, &rig.err) > 0)
                ;
        close(c->fd);
    }
    free(c);
    expect_gone();

    int fd = openat(rig.box, "output.log", O_RDONLY | O_CLOEXEC);

    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    assert_string_equal(text, "hello\noops\n");
    close(fd);
}

static void many_commands_at_once(void **s)
{
    struct client *c[20];

    (void)s;
    rig_start(false, "wait", false);
    for (size_t i = 0; i < 20; i++)
        c[i] = exec_it("echo", MSG_F_STDIN);
    for (size_t i = 0; i < 20; i++) {
        expect(c[i], MSG_STARTED);
        assert_int_equal(client_send(c[i], MSG_STDIN, &i, sizeof(i), &rig.err), 0);
    }
    for (size_t i = 0; i < 20; i++) {
        expect(c[i], MSG_STDOUT);
        assert_memory_equal(rig.in.body, &i, sizeof(i));
        assert_int_equal(client_send(c[i], MSG_STDIN_EOF, NULL, 0, &rig.err), 0);
        expect_exit(c[i], MSG_EXITED, 0);
        expect_close(c[i]);
    }

    struct client *stop = ask(MSG_STOP);
    struct box_state st = expect_ended(stop);

    assert_string_equal(st.reason, "stopped");
    assert_int_equal(st.exit_code, 128 + SIGTERM);
    expect_gone();
}

static void files_go_in_and_out(void **s)
{
    (void)s;
    rig_start(false, "wait", false);

    struct client *c = request(MSG_GET);

    msg_add_text(&rig.out, MSG_PATH, "/etc");
    assert_int_equal(client_request(c, &rig.out, &rig.err), 0);
    expect(c, MSG_DATA);
    expect(c, MSG_EOF);
    expect(c, MSG_DONE);
    expect_close(c);

    c = request(MSG_PUT);
    msg_add_text(&rig.out, MSG_PATH, "/tmp");
    assert_int_equal(client_request(c, &rig.out, &rig.err), 0);
    assert_int_equal(client_send(c, MSG_DATA, "tar", 3, &rig.err), 0);
    assert_int_equal(client_send(c, MSG_EOF, NULL, 0, &rig.err), 0);
    expect(c, MSG_DONE);
    expect_close(c);

    struct box_state st = expect_ended(ask(MSG_KILL));

    assert_string_equal(st.reason, "killed");
    assert_int_equal(st.exit_code, 128 + SIGKILL);
    expect_gone();
}

static void status_attach_and_signals(void **s)
{
    struct box_state st;

    (void)s;
    rig_start(false, "wait", false);

    struct client *a = ask(MSG_ATTACH), *w = ask(MSG_WAIT), *c = ask(MSG_STATUS);

    expect(c, MSG_STATE);
    assert_int_equal(box_state_parse((const char *)rig.in.body, rig.in.len, &st, &rig.err), 0);
    assert_true(st.vmm_pid > 0 && st.keeper_pid == rig.keeper);
    expect_close(c);

    c = request(MSG_KILL);
    msg_add_u32(&rig.out, MSG_SIGNO, SIGUSR1);
    assert_int_equal(client_request(c, &rig.out, &rig.err), 0);
    expect(c, MSG_DONE);
    expect_close(c);
    expect(a, MSG_STARTED); /* it joined before the guest was up */
    expect_exit(a, MSG_SIGNALED, SIGUSR1);
    expect_ended(a);
    st = expect_ended(w);
    assert_int_equal(st.exit_code, 128 + SIGUSR1);
    expect_gone();
}

/* The client of an ephemeral run goes: its command gets HUP, and nothing is left. */
static void a_vanished_client_takes_its_sandbox_along(void **s)
{
    (void)s;
    rig_start(true, NULL, true);

    struct client *c = exec_it("wait", MSG_F_MAIN | MSG_F_HANGUP), *w = ask(MSG_WAIT);

    expect(c, MSG_STARTED);
    hang_up(c);

    struct box_state st = expect_ended(w);

    assert_string_equal(st.reason, "stopped");
    assert_int_equal(st.exit_code, 128 + SIGHUP);
    expect_gone();
}

/* How many commands the guest still has, for those who went away. */
static int waiting_in_guest(void)
{
    struct client *c = exec_it("count", 0);

    expect(c, MSG_STARTED);
    expect(c, MSG_EXIT);

    int n = rig.in.body[1];

    expect_close(c);
    return n;
}

static void the_guest_learns_that_a_client_went(void **s)
{
    (void)s;
    rig_start(false, NULL, false);

    struct client *c = exec_it("wait", MSG_F_HANGUP);

    expect(c, MSG_STARTED);
    assert_int_equal(waiting_in_guest(), 1);
    hang_up(c);
    while (waiting_in_guest() > 0) /* as soon as the keeper has seen it */
        ;
    expect_ended(ask(MSG_STOP));
    expect_gone();
}

static void a_kept_command_outlives_its_client(void **s)
{
    (void)s;
    rig_start(false, NULL, true);

    struct client *c = exec_it("wait", MSG_F_MAIN);

    expect(c, MSG_STARTED);
    hang_up(c);
    for (int i = 0; i < 5; i++)
        assert_int_equal(waiting_in_guest(), 1);
    c = ask(MSG_STOP);
    assert_int_equal(expect_ended(c).exit_code, 128 + SIGTERM);
    expect_gone();
}

/* Another policy: all but "count" is denied. */
static void narrow(void)
{
    static const char text[] =
        "carrel: 1\nname: test\nlimits: {wall: 1h, idle: 1h}\ntools:\n  commands:\n"
        "    - {id: all, exec: {path: \"/**/count\"}, argv: [{allow: [{any: {count: 0..256}}]}],\n"
        "       env: {allow: [\"*\"]}, user: 0, paths: {ro: [/], rw: [/]}}\n";
    struct client *c;

    rig.policy = text;
    keep_policy_as(DOSSIER_NEXT);
    c = ask(MSG_POLICY);
    expect(c, MSG_DONE);
    expect_close(c);
}

/* P10: also what nobody listens to any more, and what has not started yet. */
static void p10_detached_commands_are_ended_too(void **s)
{
    struct client *late;

    (void)s;
    rig_start(false, NULL, false);
    hang_up(exec_started("wait", 0));
    late = exec_it("late", 0);
    assert_int_equal(waiting_in_guest(), 2);
    hang_up(late);
    late = exec_it("late", 0);
    narrow();
    while (waiting_in_guest() > 0)
        ;
    hang_up(late);
    expect_ended(ask(MSG_STOP));
    expect_gone();
}

static void run_it(const char *what)
{
    struct client *c = exec_started(what, 0);

    expect_exit(c, MSG_EXITED, 0);
    expect_close(c);
}

static unsigned daemons_in_guest(void)
{
    struct client *c = exec_started("daemons", 0);

    while (client_next(c, &rig.in, &rig.err) == 1 && rig.in.type != MSG_EXIT)
        ;
    assert_int_equal(rig.in.type, MSG_EXIT);

    unsigned n = rig.in.body[1];

    hang_up(c);
    return n;
}

/* All rules but those of these names are gone; what is left may change `trees` only. */
static void apply(const char *names, const char *trees)
{
    static char text[1024];
    struct client *c;

    snprintf(
        text, sizeof(text),
        "carrel: 1\nname: test\nlimits: {wall: 1h, idle: 1h}\ntools:\n  commands:\n"
        "    - {id: all, exec: {path: \"/**/%s\"}, argv: [{allow: [{any: {count: 0..256}}]}],\n"
        "       env: {allow: [\"*\"]}, user: 0, paths: {ro: [/], rw: [%s]}}\n",
        names, trees);
    rig.policy = text;
    keep_policy_as(DOSSIER_NEXT);
    c = ask(MSG_POLICY);
    expect(c, MSG_DONE);
    expect_close(c);
}

static void log_has(const char *what)
{
    static char text[65536];
    char path[160];
    ssize_t n;

    snprintf(path, sizeof(path), "%s/audit/%s/log", rig.root, rig.cfg.id);
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

    n = read(fd, text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = '\0';
    if (!strstr(text, what))
        fail_msg("no %s in %s", what, text);
}

/* P10: a command that has ended is not over while something is left of it. */
static void p10_what_a_command_left_behind_is_ended(void **s)
{
    (void)s;
    rig_start(false, NULL, false);
    run_it("daemon");
    hang_up(exec_started("wait", 0));
    assert_int_equal(daemons_in_guest(), 1);
    apply("daemons", "/");
    while (daemons_in_guest() > 0)
        ;
    log_has("what its command left behind: denied");
    expect_ended(ask(MSG_STOP));
    expect_gone();
}

/* P10: denied before it has started, and its client does not wait for that. */
static void p10_who_hangs_up_early_leaves_nothing_running(void **s)
{
    struct client *c;

    (void)s;
    rig_start(false, NULL, false);
    c = exec_it("late-daemon", MSG_F_HANGUP);
    while (daemons_in_guest() == 0)
        ;
    apply("daemons", "/");
    assert_int_equal(daemons_in_guest(), 1);
    hang_up(c);
    for (int i = 0; daemons_in_guest() > 0; i++)
        assert_true(i < 1000);
    expect_ended(ask(MSG_STOP));
    expect_gone();
}

/* P10: what is still allowed, but has more than it would get now. */
static void p10_what_has_more_than_it_would_get_is_ended(void **s)
{
    struct client *c;

    (void)s;
    rig_start(false, NULL, false);
    hang_up(exec_started("wait", 0));
    run_it("daemon");
    apply("*", "/"); /* the same for each of them */
    assert_int_equal(waiting_in_guest(), 1);
    assert_int_equal(daemons_in_guest(), 1);
    apply("*", "/tmp");
    while (waiting_in_guest() > 0 || daemons_in_guest() > 0)
        ;
    log_has("rw /");
    c = exec_started("wait", 0); /* with what it gets now */
    assert_int_equal(waiting_in_guest(), 1);
    hang_up(c);
    expect_ended(ask(MSG_STOP));
    expect_gone();
}

static void apply_rules(const char *file, const char *rules)
{
    static char text[1024];
    struct client *c;

    snprintf(text, sizeof(text),
             "carrel: 1\nname: test\nlimits: {wall: 1h, idle: 1h}\ntools:\n  commands:\n%s", rules);
    rig.policy = text;
    if (rig.box < 0)
        return; /* the first: it is not there yet */
    keep_policy_as(file);
    c = ask(MSG_POLICY);
    expect(c, MSG_DONE);
    expect_close(c);
}

/* P10: the rule that it may start programs of names fewer of them. */
static void p10_what_may_execute_fewer_programs_is_ended(void **s)
{
    static const char rest[] = "argv: [{allow: [{any: {count: 0..256}}]}], env: {allow: [\"*\"]}, "
                               "user: 0, paths: {ro: [/], rw: [/]}";
    char wide[640], narrow[640];

    (void)s;
    snprintf(wide, sizeof(wide),
             "    - {id: all, exec: {path: \"/bin/*\"}, spawn: [x], %s}\n"
             "    - {id: x, exec: {path: \"/x/*\"}, %s}\n",
             rest, rest);
    snprintf(narrow, sizeof(narrow),
             "    - {id: all, exec: {path: \"/bin/*\"}, spawn: [x], %s}\n"
             "    - {id: x, exec: {path: \"/x/y*\"}, %s}\n",
             rest, rest);
    apply_rules(NULL, wide);
    rig_start(false, NULL, false);
    hang_up(exec_started("wait", 0));
    apply_rules(DOSSIER_NEXT, wide);
    assert_int_equal(waiting_in_guest(), 1);
    apply_rules(DOSSIER_NEXT, narrow);
    while (waiting_in_guest() > 0)
        ;
    log_has("fewer programs");
    expect_ended(ask(MSG_STOP));
    expect_gone();
}

/* P10: the guest's kernel is the one to end it; one that does not is ended itself. */
static void p10_a_guest_that_ends_nothing(void **s)
{
    struct client *w;

    (void)s;
    setenv("CARREL_END_MS", "200", 1);
    rig_start(false, NULL, false);
    unsetenv("CARREL_END_MS");
    w = ask(MSG_WAIT);
    run_it("daemon");
    run_it("deaf");
    apply("count", "/");
    assert_string_equal(expect_ended(w).reason, "watchdog");
    expect_gone();
}

/* R06, R07: that nothing is left is not believed of what runs. */
static void r07_a_job_that_is_said_to_be_gone(void **s)
{
    (void)s;
    rig_start(false, NULL, false);
    hang_up(exec_started("false-gone", 0));
    assert_int_equal(waiting_in_guest(), 1);
    apply("count", "/");
    while (waiting_in_guest() > 0)
        ;
    expect_ended(ask(MSG_STOP));
    expect_gone();
}

/* R11: what is left behind is bounded; what has gone does not count. */
static void r11_commands_that_leave_too_much_behind(void **s)
{
    struct client *c;

    (void)s;
    rig_start(false, NULL, false);
    for (unsigned i = 0; i < KEEPER_JOBS + 20; i++)
        run_it("true");
    for (unsigned i = 0; i < KEEPER_JOBS; i++) /* more daemons than the guest knows how to end */
        run_it("daemon");
    c = exec_it("true", 0);
    expect(c, MSG_ERROR);
    assert_int_equal(rig.in.body[0], EAGAIN);
    expect_close(c);
    expect_ended(ask(MSG_STOP));
    expect_gone();
}

/* R11: whose client went before it started does not count for ever: perhaps it never ran. */
static void r11_commands_that_nobody_waits_to_see_start(void **s)
{
    (void)s;
    rig_start(false, NULL, false);
    for (unsigned i = 0; i < KEEPER_JOBS + 20; i++) {
        struct client *c = exec_it("late", MSG_F_HANGUP);

        run_it("true"); /* the guest has heard of it by now */
        hang_up(c);
    }
    run_it("true");
    expect_ended(ask(MSG_STOP));
    expect_gone();
}

/* Commands that nobody waits for fill all there is; the end is in order all the same. */
static void r11_detached_commands_leave_room_for_the_end(void **s)
{
    char text[4096] = "";
    unsigned refused = 0;
    int fd;

    (void)s;
    rig.disk_bytes = 1u << 20;
    rig_start(false, NULL, false);
    for (unsigned i = 0; i < KEEPER_SESSIONS + 5; i++) {
        struct client *c = exec_it("wait", 0);

        assert_int_equal(client_next(c, &rig.in, &rig.err), 1);
        refused += rig.in.type == MSG_ERROR;
        hang_up(c);
    }
    assert_true(refused > 0);
    assert_string_equal(expect_ended(ask(MSG_STOP)).reason, "stopped");
    expect_gone();
    fd = openat(rig.box, "keeper.log", O_RDONLY | O_CLOEXEC);
    assert_true(read(fd, text, sizeof(text) - 1) >= 0);
    close(fd);
    assert_null(strstr(text, "power-off"));
}

static void a_shorter_life_is_taken_at_its_word(void **s)
{
    struct client *c, *w;

    (void)s;
    rig_start(false, "wait", false);
    w = ask(MSG_WAIT);
    rig.policy =
        "carrel: 1\nname: test\nlimits: {wall: 1s, idle: 1h}\ntools:\n  commands:\n"
        "    - {id: all, exec: {path: \"/**\"}, argv: [{allow: [{any: {count: 0..256}}]}],\n"
        "       env: {allow: [\"*\"]}, user: 0, paths: {ro: [/], rw: [/]}}\n";
    keep_policy_as(DOSSIER_NEXT);
    c = ask(MSG_POLICY);
    expect(c, MSG_DONE);
    expect_close(c);
    assert_string_equal(expect_ended(w).reason, "limit");
    expect_gone();
}

static void what_is_done_to_a_sandbox_is_on_record(void **s)
{
    static char text[65536];
    char path[160];
    struct client *a;
    FILE *file;
    size_t n;

    (void)s;
    rig_start(false, "wait", false);
    a = request(MSG_ATTACH);
    msg_add_u32(&rig.out, MSG_FLAGS, MSG_F_STDIN);
    assert_int_equal(client_request(a, &rig.out, &rig.err), 0);
    expect_ended(ask(MSG_STOP));
    hang_up(a);
    expect_gone();
    snprintf(path, sizeof(path), "%s/audit/%s/log", rig.root, rig.cfg.id);
    file = fopen(path, "re");
    assert_non_null(file);
    n = fread(text, 1, sizeof(text) - 1, file);
    assert_int_equal(fclose(file), 0);
    text[n] = '\0';
    assert_non_null(strstr(text, "sandbox.attach"));
    assert_non_null(strstr(text, "sandbox.stop"));
}

static void processor_time_is_counted_to_the_end(void **s)
{
    char path[160];
    uint64_t account[4] = { 0 };
    FILE *file;

    (void)s;
    rig_start(false, "burn", false);
    expect_gone();
    snprintf(path, sizeof(path), "%s/audit/%s/spent", rig.root, rig.cfg.id);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fread(account, sizeof(account), 1, file), 1);
    assert_int_equal(fclose(file), 0);
    assert_true(account[3] >= 200); /* ms */
}

/* What was said before the machine died is not lost. */
static void last_words_are_passed_on(void **s)
{
    (void)s;
    rig_start(true, NULL, true);

    struct client *c = exec_it("last-words", MSG_F_MAIN);

    expect(c, MSG_STARTED);
    for (int i = 0; i < 100; i++) {
        expect(c, MSG_STDOUT);
        assert_int_equal(rig.in.len, 1000);
    }
    expect_exit(c, MSG_EXITED, 3);
    assert_int_equal(expect_ended(c).exit_code, 3);
    expect_gone();
}

static void other_clients_may_come_and_go(void **s)
{
    (void)s;
    rig_start(true, NULL, true);

    struct client *c = exec_it("wait", MSG_F_MAIN), *x = exec_it("wait", MSG_F_HANGUP),
                  *a = ask(MSG_ATTACH);

    expect(x, MSG_STARTED);
    hang_up(x);
    hang_up(a);
    x = exec_it("true", 0); /* still there */
    expect(x, MSG_STARTED);
    expect_exit(x, MSG_EXITED, 0);
    expect_close(x);
    x = ask(MSG_STOP);
    expect_ended(x);
    expect(c, MSG_STARTED);
    expect_exit(c, MSG_SIGNALED, SIGTERM);
    expect_ended(c);
    expect_gone();
}

static void an_idle_sandbox_waits_for_its_command_only_so_long(void **s)
{
    (void)s;
    struct box_state st;

    setenv("CARREL_AWAIT_MS", "50", 1);
    rig_start(false, NULL, true);
    expect_gone();
    assert_int_equal(box_load_state(rig.box, &st, &rig.err), 0);
    assert_string_equal(st.reason, "stopped");
    assert_string_equal(st.text, "no command came");
}

static void terms_to_the_keeper_stop_in_order(void **s)
{
    (void)s;
    rig_start(false, "wait", false);

    struct client *a = ask(MSG_ATTACH);

    expect(a, MSG_STARTED);
    kill(rig.keeper, SIGTERM);
    expect_exit(a, MSG_SIGNALED, SIGTERM);
    assert_string_equal(expect_ended(a).reason, "stopped");
    expect_gone();
}

/* Killing what is left of a machine does not rewrite how its command ended. */
static void a_late_kill_keeps_the_exit_code(void **s)
{
    struct box_state st;

    (void)s;
    rig.disk_bytes = 1 << 20;
    rig_start(false, NULL, true);

    struct client *c = exec_started("seven-stays", MSG_F_MAIN);

    expect_exit(c, MSG_EXITED, 7);
    st = expect_ended(ask(MSG_KILL));
    assert_string_equal(st.reason, "exited");
    assert_int_equal(st.exit_code, 7);
    expect_ended(c);
    expect_gone();
}

static void output_is_capped(void **s)
{
    struct journal j;
    struct stat st;
    char tail[16] = "";
    FILE *file = tmpfile();

    (void)s;
    journal_init(&j, dup(fileno(file)), 1000);
    for (int i = 0; i < 500; i++)
        journal_write(&j, "0123456789", 10);
    journal_fini(&j);
    assert_int_equal(fstat(fileno(file), &st), 0);
    assert_int_equal(st.st_size, 1000 + 13);
    assert_int_equal(pread(fileno(file), tail, 13, 1000), 13);
    assert_string_equal(tail, "\n[truncated]\n");
    /* Another keeper must not take the last line for output. */
    journal_init(&j, dup(fileno(file)), 1000);
    journal_go_on(&j);
    assert_int_equal(j.size, 1000);
    journal_write(&j, "more", 4);
    assert_int_equal(j.size, 1000);
    journal_fini(&j);
    assert_int_equal(fstat(fileno(file), &st), 0);
    assert_int_equal(st.st_size, 1000 + 13);
    fclose(file);
}

/* h07, h03: what another keeper finds there was taken. */
static void half_a_line_on_a_full_disk_counts(void **s)
{
    const struct rlimit small = { 15, RLIM_INFINITY };
    struct rlimit before;
    struct journal j;
    FILE *file = tmpfile();
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);

    (void)s;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    journal_init(&j, dup(fileno(file)), 1000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    journal_write(&j, "0123456789", 10);
    assert_int_equal(j.size, 10);
    journal_write(&j, "0123456789", 10);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(j.full);
    assert_int_equal(j.size, 15);
    journal_fini(&j);
    signal(SIGXFSZ, handler);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_run_leaves_nothing),
        RIG_TEST(r07_exit_codes_are_passed_on),
        RIG_TEST(a_command_that_is_missing),
        RIG_TEST(a_detached_command_is_logged),
        RIG_TEST(p10_detached_commands_are_ended_too),
        RIG_TEST(p10_what_a_command_left_behind_is_ended),
        RIG_TEST(p10_what_has_more_than_it_would_get_is_ended),
        RIG_TEST(p10_what_may_execute_fewer_programs_is_ended),
        RIG_TEST(p10_a_guest_that_ends_nothing),
        RIG_TEST(r07_a_job_that_is_said_to_be_gone),
        RIG_TEST(p10_who_hangs_up_early_leaves_nothing_running),
        RIG_TEST(r11_commands_that_nobody_waits_to_see_start),
        RIG_TEST(r11_commands_that_leave_too_much_behind),
        RIG_TEST(r11_detached_commands_leave_room_for_the_end),
        RIG_TEST(a_shorter_life_is_taken_at_its_word),
        RIG_TEST(what_is_done_to_a_sandbox_is_on_record),
        RIG_TEST(processor_time_is_counted_to_the_end),
        RIG_TEST(many_commands_at_once),
        RIG_TEST(files_go_in_and_out),
        RIG_TEST(status_attach_and_signals),
        RIG_TEST(a_vanished_client_takes_its_sandbox_along),
        RIG_TEST(the_guest_learns_that_a_client_went),
        RIG_TEST(a_kept_command_outlives_its_client),
        RIG_TEST(last_words_are_passed_on),
        RIG_TEST(other_clients_may_come_and_go),
        RIG_TEST(an_idle_sandbox_waits_for_its_command_only_so_long),
        RIG_TEST(terms_to_the_keeper_stop_in_order),
        RIG_TEST(a_late_kill_keeps_the_exit_code),
        cmocka_unit_test(output_is_capped),
        cmocka_unit_test(half_a_line_on_a_full_disk_counts),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
