/*
 * test_keeper_box.c - a whole keeper with a machine that is a child process of this test.
 *
 * The fake engine forks like a real one (gate, pidfd) and runs a guest that speaks yamux and msg on
 * the port, well or badly, as the first argument of each command says. Nothing here waits by the
 * clock; deadlines of the keeper are made short through its environment.
 */
#include "base/fd.h"
#include "policies/canon.h"
#include "sandbox/client.h"
#include "sandbox/guard/dossier.h"
#include "sandbox/keeper/keeper.h"
#include "sandbox/keeper/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

/* ---- the guest ---- */

/* How the machine behaves before any command. */
static enum { UP, NEVER_UP, SETUP_FAILS, SETUP_GARBAGE, PORT_GARBAGE, CRASHES, NO_PING } boot;

struct call {
    uint32_t id;
    size_t have;
    char what[32]; /* the command's first argument */
    uint8_t buf[FRAME_MAX];
};

static struct guest {
    int fd;
    struct yamux *y;
    bool stuck; /* as a whole: says nothing any more, not even to a ping */
    bool stays; /* although it is asked to power off */
    struct call calls[KEEPER_SESSIONS];
} g;

/* More than a client's socket and the keeper's buffer for it hold, by less than one frame's room.
 */
#define SPILL_BYTES  100
#define SPILL_FRAMES 1760

static void send_all(void);

static void say(uint32_t id, enum msg_type type, const void *body, size_t len)
{
    uint8_t head[MSG_HEADER];

    msg_header(head, type, (uint32_t)len);
    if (yamux_write(g.y, id, head, sizeof(head)) != sizeof(head) ||
        (len && yamux_write(g.y, id, body, len) != (ssize_t)len))
        _exit(70);
}

static void leave(struct call *c, uint8_t kind, uint8_t code)
{
    const uint8_t body[2] = { kind, code };

    say(c->id, MSG_EXIT, body, 2);
    yamux_close(g.y, c->id);
    c->what[0] = '\0';
}

static bool is(const struct call *c, const char *what)
{
    return !strcmp(c->what, what);
}

static void flood(struct call *c)
{
    static uint8_t block[32768];

    while (yamux_writable(g.y, c->id) >= MSG_HEADER + sizeof(block))
        say(c->id, MSG_STDOUT, block, sizeof(block));
}

/* Things a guest does right, wrong, or not at all. */
static void on_exec(struct call *c)
{
    static const uint8_t pid[4] = { 7 }, errno_text[] = { ENOENT, 0, 0, 0, 'n', 'o' },
                         bad_exit[2] = { 9, 9 };

    if (is(c, "missing")) {
        say(c->id, MSG_ERROR, errno_text, sizeof(errno_text));
        yamux_close(g.y, c->id);
        return;
    }
    if (is(c, "early-output"))
        say(c->id, MSG_STDOUT, "x", 1);
    if (is(c, "late"))
        return; /* until "count" */
    say(c->id, MSG_STARTED, pid, 4);
    if (is(c, "true"))
        leave(c, MSG_EXITED, 0);
    else if (is(c, "count")) {
        unsigned waiting = 0;

        for (size_t i = 0; i < KEEPER_SESSIONS; i++) {
            if (g.calls[i].id && is(&g.calls[i], "late")) {
                say(g.calls[i].id, MSG_STARTED, pid, 4);
                snprintf(g.calls[i].what, sizeof(g.calls[i].what), "wait");
            }
            waiting += g.calls[i].id && is(&g.calls[i], "wait");
        }
        leave(c, MSG_EXITED, (uint8_t)waiting);
    } else if (is(c, "last-words")) {
        static const uint8_t block[1000];

        for (int i = 0; i < 100; i++)
            say(c->id, MSG_STDOUT, block, sizeof(block));
        leave(c, MSG_EXITED, 3);
        send_all();
        raise(SIGKILL);
    } else if (is(c, "seven"))
        leave(c, MSG_EXITED, 7);
    else if (is(c, "seven-stays")) {
        g.stays = true;
        leave(c, MSG_EXITED, 7);
    } else if (is(c, "spill")) {
        static const uint8_t block[SPILL_BYTES];

        for (int i = 0; i < SPILL_FRAMES; i++)
            say(c->id, MSG_STDOUT, block, sizeof(block));
    } else if (is(c, "dribble")) {
        uint8_t head[MSG_HEADER];

        msg_header(head, MSG_STDOUT, MSG_MAX);
        if (yamux_write(g.y, c->id, head, sizeof(head)) != sizeof(head))
            _exit(70);
    } else if (is(c, "hang-up")) {
        send_all();
        close(g.fd);
        pause();
    } else if (is(c, "segv"))
        leave(c, MSG_SIGNALED, 11);
    else if (is(c, "slow"))
        leave(c, MSG_TIMED_OUT, 9);
    else if (is(c, "hello")) {
        say(c->id, MSG_STDOUT, "hello\n", 6);
        say(c->id, MSG_STDERR, "oops\n", 5);
        leave(c, MSG_EXITED, 0);
    } else if (is(c, "flood"))
        flood(c);
    else if (is(c, "burn")) {
        while (clock() < CLOCKS_PER_SEC / 4)
            ;
        leave(c, MSG_EXITED, 0);
    } else if (is(c, "host-verb"))
        say(c->id, MSG_STOP, NULL, 0);
    else if (is(c, "bad-exit"))
        say(c->id, MSG_EXIT, bad_exit, 2);
    else if (is(c, "two-exits")) {
        leave(c, MSG_EXITED, 1);
    } else if (is(c, "reset"))
        yamux_reset(g.y, c->id);
    else if (is(c, "fin"))
        yamux_close(g.y, c->id);
    else if (is(c, "garbage")) {
        if (yamux_write(g.y, c->id, "\xff\xff\xff\xff\xff\xff\xff\xff", 8) != 8)
            _exit(70);
    } else if (is(c, "half")) {
        uint8_t head[MSG_HEADER];

        msg_header(head, MSG_STDOUT, 100);
        if (yamux_write(g.y, c->id, head, sizeof(head)) != sizeof(head))
            _exit(70);
        yamux_close(g.y, c->id);
    } else if (is(c, "crash"))
        raise(SIGKILL);
    else if (is(c, "off"))
        _exit(0);
}

static void on_request(struct call *c, const struct msg_frame *f)
{
    struct msg_field field;
    uint32_t pos = 0;

    switch (f->type) {
    case MSG_SETUP:
        if (boot == SETUP_FAILS)
            say(c->id, MSG_ERROR, "\5\0\0\0no", 6);
        else if (boot == SETUP_GARBAGE)
            say(c->id, MSG_STATE, "{}", 2);
        else if (boot != NEVER_UP)
            say(c->id, MSG_DONE, NULL, 0);
        break;
    case MSG_EXEC:
        if (boot == NO_PING && !g.stuck) {
            send_all(); /* that it is set up */
            g.stuck = true;
        }
        while (msg_next_field(f, &pos, &field) == 1)
            if (field.tag == MSG_ARG && !c->what[0])
                snprintf(c->what, sizeof(c->what), "%.*s", (int)field.len, (const char *)field.at);
        on_exec(c);
        break;
    case MSG_GET:
        say(c->id, MSG_DATA, "tar", 3);
        say(c->id, MSG_EOF, NULL, 0);
        say(c->id, MSG_DONE, NULL, 0);
        yamux_close(g.y, c->id);
        break;
    case MSG_EOF: say(c->id, MSG_DONE, NULL, 0); break; /* of a PUT */
    case MSG_POWEROFF:
        if (!is(&g.calls[1], "stubborn") && !g.stays)
            _exit(0);
        break;
    case MSG_STDIN:
        if (is(c, "dribble")) {
            if (yamux_write(g.y, c->id, "x", 1) != 1)
                _exit(70);
            break;
        }
        say(c->id, MSG_STDOUT, f->body, f->len);
        break;
    case MSG_STDIN_EOF: leave(c, MSG_EXITED, 0); break;
    case MSG_SIGNAL:
        if (is(c, "wait"))
            leave(c, MSG_SIGNALED, f->body[0]);
        break;
    default: break;
    }
}

static void take(struct call *c)
{
    struct msg_frame f;
    ssize_t n =
        is(c, "no-reading") ? 0 : yamux_read(g.y, c->id, c->buf + c->have, FRAME_MAX - c->have);

    if (n > 0)
        c->have += (size_t)n;
    while ((n = msg_parse(c->buf, c->have, &f)) > 0) {
        on_request(c, &f);
        memmove(c->buf, c->buf + n, c->have - (size_t)n);
        c->have -= (size_t)n;
    }
}

static struct call *call_of(uint32_t id)
{
    for (size_t i = 0; i < KEEPER_SESSIONS; i++)
        if (g.calls[i].id == id)
            return &g.calls[i];
    return NULL;
}

static void on_event(const struct yamux_event *ev)
{
    struct call *c = call_of(ev->type == YAMUX_OPENED ? 0 : ev->id);

    if (!c)
        return;
    if (ev->type == YAMUX_OPENED)
        *c = (struct call){ .id = ev->id };
    else if (ev->type == YAMUX_RESET)
        c->id = 0;
    else if (ev->type == YAMUX_READABLE)
        take(c);
}

static void send_all(void)
{
    uint8_t out[65536];
    size_t n;

    while ((n = yamux_output(g.y, out, sizeof(out))) > 0)
        if (send(g.fd, out, n, MSG_NOSIGNAL) != (ssize_t)n)
            _exit(0);
}

/* The machine is killed while it writes. */
static void die_in_mid_word(int signo)
{
    (void)signo;
    if (write(g.fd, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12) == 12)
        raise(SIGKILL);
    _exit(70);
}

static _Noreturn void be_guest(int fd)
{
    const struct yamux_config cfg = { .max_streams = KEEPER_SESSIONS, .accept = true };
    uint8_t in[65536];
    struct yamux_event ev;

    g.fd = fd;
    g.y = yamux_new(&cfg);
    signal(SIGUSR1, die_in_mid_word);
    if (boot == CRASHES)
        raise(SIGKILL);
    if (boot == PORT_GARBAGE && write(fd, "GET / HTTP/1.1\r\n\r\n", 18) != 18)
        _exit(70);
    for (;;) {
        ssize_t n = read(fd, in, sizeof(in)), used = 0;

        if (n <= 0)
            _exit(0);
        while (used < n) {
            ssize_t got = yamux_input(g.y, in + used, (size_t)(n - used));

            if (got < 0) {
                while (boot == PORT_GARBAGE)
                    pause(); /* its end is the keeper's to bring about */
                _exit(71);
            }
            used += got;
            while (yamux_next_event(g.y, &ev))
                on_event(&ev);
            for (size_t i = 0; i < KEEPER_SESSIONS; i++)
                if (g.calls[i].id && is(&g.calls[i], "flood"))
                    flood(&g.calls[i]);
            if (!g.stuck)
                send_all();
        }
    }
}

/* ---- the engine ---- */

static int fake_check(char hint[240], struct err *e)
{
    (void)hint;
    (void)e;
    return 0;
}

static int fake_start(const struct engine_spec *spec, struct engine_run *run, struct err *e)
{
    int gate[2];
    char go;

    engine_run_init(run);
    if (pipe2(gate, O_CLOEXEC))
        return err_sys(e, "pipe");
    run->pid = fork();
    if (run->pid == 0) {
        sigset_t none;
        int port = dup2(spec->port_fds[0], 5);

        close(gate[1]);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        if (read(gate[0], &go, 1) != 1)
            _exit(0);
        close_range(6, ~0u, 0);
        be_guest(port);
    }
    close(gate[0]);
    run->gate_fd = gate[1];
    run->pidfd = (int)syscall(434 /* pidfd_open */, run->pid, 0);
    return run->pidfd < 0 ? err_sys(e, "pidfd") : 0;
}

static bool fake_report(struct engine_run *run)
{
    (void)run;
    return false;
}

static void fake_end(struct engine_run *run, int status, struct engine_end *out)
{
    (void)run;
    snprintf(out->reason, sizeof(out->reason), "%s",
             WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "poweroff" : "vmm-crash");
    snprintf(out->text, sizeof(out->text), "status %d", status);
}

static const struct engine fake = { "fake", fake_check, fake_start, fake_report, fake_end };

/* ---- a sandbox in the hands of a keeper ---- */

static char root[64];
static struct store *store;
static struct err e;
static struct box_config cfg;
static uint64_t disk_bytes;
static const char *policy; /* NULL: everything is allowed */
static int box = -1;
static pid_t keeper;

static int setup(void **s)
{
    (void)s;
    snprintf(root, sizeof(root), "/tmp/carrel-keeper.XXXXXX");
    if (!mkdtemp(root) || setenv("CARREL_STATE", root, 1))
        return -1;
    unsetenv("CARREL_BOOT_TIMEOUT");
    unsetenv("CARREL_PING_MS");
    unsetenv("CARREL_SILENT_MS");
    unsetenv("CARREL_AWAIT_MS");
    unsetenv("CARREL_FRAME_MS");
    unsetenv("CARREL_HUNG_UP_MS");
    boot = UP;
    disk_bytes = 0;
    policy = NULL;
    e = ERR_INIT;
    keeper = 0;
    store = store_open(&e);
    return store ? 0 : -1;
}

static int teardown(void **s)
{
    char cmd[128];

    (void)s;
    if (keeper > 0) {
        kill(keeper, SIGKILL);
        waitpid(keeper, NULL, 0);
    }
    fd_closep(&box);
    box_config_fini(&cfg);
    store_close(store);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", root);
    return system(cmd); /* NOLINT(cert-env33-c): a directory of our own */
}

/* Everything the fake guest knows, and no user but root. */
static void keep_policy_as(const char *file)
{
    static const char text[] =
        "carrel: 1\nname: test\nlimits: {wall: 1h, idle: 1h}\nstorage: {root: {mode: overlay, "
        "quota: {bytes: 1TiB}}}\ntools:\n  commands:\n"
        "    - {id: all, exec: {path: \"/**\"}, argv: [{allow: [{any: {count: 0..256}}]}],\n"
        "       env: {allow: [\"*\"]}, user: 0, paths: {ro: [/], rw: [/]}}\n";
    struct dossier d = { 0 };
    struct policy *p;

    assert_int_equal(dossier_add(&d, NULL, strdup("test.yaml"), strdup(policy ? policy : text),
                                 strlen(policy ? policy : text), &e),
                     0);
    p = dossier_policy(&d, NULL);
    assert_non_null(p);
    policy_hash(p, d.hash);
    policy_free(p);
    assert_int_equal(dossier_save(&d, box, file, true, &e), 0);
    dossier_fini(&d);
}

static void keep_policy(void)
{
    keep_policy_as(DOSSIER_FILE);
}

static _Noreturn void be_keeper(bool await_main, int ready)
{
    struct keeper_parts p = KEEPER_PARTS_INIT;
    struct keeper_ready r = { .magic = KEEPER_READY_MAGIC };
    struct err why = ERR_INIT;
    int log = openat(box, "keeper.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    sigset_t set;

    dup2(log, 2);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);

    struct keeper *k = keeper_new(box, await_main, &why);

    if (!k || keeper_claim(k, &why))
        _exit(72);
    k->engine = &fake;
    r.code = -keeper_begin(k, &p, r.hint, &why);
    memcpy(r.msg, why.msg, sizeof(r.msg));
    fd_closep(&p.port);
    fd_closep(&p.log);
    if (write(ready, &r, sizeof(r)) != sizeof(r) || r.code || keeper_run(k, &why))
        _exit(73);
    keeper_free(k);
    _exit(0);
}

/* Starts the keeper of a new sandbox; argv0 NULL: the main command will be sent, or never. */
static void start(bool ephemeral, const char *argv0, bool await_main)
{
    struct keeper_ready r;
    char id[BOX_ID_LEN + 1];
    int p[2];

    cfg = (struct box_config){ .ephemeral = ephemeral, .mem_bytes = 64u << 20, .vcpus = 1 };
    cfg.image = strdup("mini");
    snprintf(cfg.name, sizeof(cfg.name), "box");
    cfg.stop_grace_ms = 100;
    cfg.disk_bytes = disk_bytes;
    if (argv0) {
        cfg.argv = calloc(2, sizeof(char *));
        cfg.argv[0] = strdup(argv0);
    }
    assert_int_equal(store_create(store, &cfg, &e), 0);
    box = store_find(store, "box", id, &e);
    assert_true(box >= 0);
    keep_policy();
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    keeper = fork();
    assert_true(keeper >= 0);
    if (keeper == 0) {
        close(p[0]);
        be_keeper(await_main, p[1]);
    }
    close(p[1]);
    assert_int_equal(read(p[0], &r, sizeof(r)), sizeof(r));
    close(p[0]);
    assert_int_equal(r.code, 0);
}

static struct client *dial(void)
{
    struct client *c = calloc(1, sizeof(*c));

    assert_non_null(c);
    c->fd = client_connect(box, &e);
    if (c->fd < 0)
        fail_msg("%s", e.msg);
    return c;
}

static void hang_up(struct client *c)
{
    close(c->fd);
    free(c);
}

static struct msg_builder b;

static struct client *request(enum msg_type type)
{
    struct client *c = dial();

    msg_begin(&b, type);
    return c;
}

static struct client *exec_it(const char *what, uint32_t flags)
{
    struct client *c = request(MSG_EXEC);

    msg_add_text(&b, MSG_ARG, what);
    msg_add_u32(&b, MSG_FLAGS, flags);
    assert_int_equal(client_request(c, &b, &e), 0);
    return c;
}

static struct client *ask(enum msg_type type)
{
    struct client *c = request(type);

    assert_int_equal(client_request(c, &b, &e), 0);
    return c;
}

static struct msg_frame f;

static void expect(struct client *c, enum msg_type type)
{
    int got = client_next(c, &f, &e);

    if (got != 1)
        fail_msg("wanted type %d, got %d: %s", type, got, e.msg);
    if (f.type != type)
        fail_msg("wanted type %d, got type %d: %.*s", type, f.type, f.len > 4 ? (int)f.len - 4 : 0,
                 (const char *)f.body + 4);
}

static struct client *exec_started(const char *what, uint32_t flags)
{
    struct client *c = exec_it(what, flags);

    expect(c, MSG_STARTED);
    return c;
}

static void expect_exit(struct client *c, int kind, int code)
{
    expect(c, MSG_EXIT);
    assert_int_equal(f.body[0], kind);
    assert_int_equal(f.body[1], code);
}

static void expect_close(struct client *c)
{
    assert_int_equal(client_next(c, &f, &e), 0);
    hang_up(c);
}

static struct box_state expect_ended(struct client *c)
{
    struct box_state st;

    expect(c, MSG_ENDED);
    assert_int_equal(box_state_parse((const char *)f.body, f.len, &st, &e), 0);
    assert_int_equal(st.phase, BOX_ENDED);
    assert_int_equal(st.vmm_pid, 0);
    expect_close(c);
    return st;
}

/* The keeper has gone, in order, and its engine with it. */
static void expect_gone(void)
{
    int status;
    struct box_state st;

    assert_int_equal(waitpid(keeper, &status, 0), keeper);
    keeper = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(client_connect(box, &e), -ECONNREFUSED);
    if (cfg.ephemeral) {
        assert_int_equal(store_reconcile(store, cfg.id, &e), -ENOENT);
        return;
    }
    assert_int_equal(box_load_state(box, &st, &e), 0);
    assert_int_equal(st.phase, BOX_ENDED);
    assert_int_equal(store_reconcile(store, cfg.id, &e), 0);
}

/* ---- tests ---- */

static void run_to_the_end(const char *what, int kind, int code, const char *reason, int exit_code)
{
    start(true, NULL, true);

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
    teardown(NULL);
    setup(NULL);
    run_to_the_end("segv", MSG_SIGNALED, 11, "signal", 139);
    teardown(NULL);
    setup(NULL);
    run_to_the_end("slow", MSG_TIMED_OUT, 9, "timeout", 124);
}

static void a_command_that_is_missing(void **s)
{
    (void)s;
    start(true, NULL, true);

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
    start(false, "hello", false);

    /* It may be over before anybody asks: then there is nobody to ask. */
    struct client *c = calloc(1, sizeof(*c));

    c->fd = client_connect(box, &e);
    if (c->fd >= 0) {
        msg_begin(&b, MSG_WAIT);
        if (client_request(c, &b, &e) == 0)
            while (client_next(c, &f, &e) > 0)
                ;
        close(c->fd);
    }
    free(c);
    expect_gone();

    int fd = openat(box, "output.log", O_RDONLY | O_CLOEXEC);

    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    assert_string_equal(text, "hello\noops\n");
    close(fd);
}

static void many_commands_at_once(void **s)
{
    struct client *c[20];

    (void)s;
    start(false, "wait", false);
    for (size_t i = 0; i < 20; i++)
        c[i] = exec_it("echo", MSG_F_STDIN);
    for (size_t i = 0; i < 20; i++) {
        expect(c[i], MSG_STARTED);
        assert_int_equal(client_send(c[i], MSG_STDIN, &i, sizeof(i), &e), 0);
    }
    for (size_t i = 0; i < 20; i++) {
        expect(c[i], MSG_STDOUT);
        assert_memory_equal(f.body, &i, sizeof(i));
        assert_int_equal(client_send(c[i], MSG_STDIN_EOF, NULL, 0, &e), 0);
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
    start(false, "wait", false);

    struct client *c = request(MSG_GET);

    msg_add_text(&b, MSG_PATH, "/etc");
    assert_int_equal(client_request(c, &b, &e), 0);
    expect(c, MSG_DATA);
    expect(c, MSG_EOF);
    expect(c, MSG_DONE);
    expect_close(c);

    c = request(MSG_PUT);
    msg_add_text(&b, MSG_PATH, "/tmp");
    assert_int_equal(client_request(c, &b, &e), 0);
    assert_int_equal(client_send(c, MSG_DATA, "tar", 3, &e), 0);
    assert_int_equal(client_send(c, MSG_EOF, NULL, 0, &e), 0);
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
    start(false, "wait", false);

    struct client *a = ask(MSG_ATTACH), *w = ask(MSG_WAIT), *c = ask(MSG_STATUS);

    expect(c, MSG_STATE);
    assert_int_equal(box_state_parse((const char *)f.body, f.len, &st, &e), 0);
    assert_true(st.vmm_pid > 0 && st.keeper_pid == keeper);
    expect_close(c);

    c = request(MSG_KILL);
    msg_add_u32(&b, MSG_SIGNO, SIGUSR1);
    assert_int_equal(client_request(c, &b, &e), 0);
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
    start(true, NULL, true);

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

    int n = f.body[1];

    expect_close(c);
    return n;
}

static void the_guest_learns_that_a_client_went(void **s)
{
    (void)s;
    start(false, NULL, false);

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
    start(false, NULL, true);

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

    policy = text;
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
    start(false, NULL, false);
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

/* Many short lives cost as much as a long one. */
/* Commands that nobody waits for fill all there is; the end is in order all the same. */
static void r11_detached_commands_leave_room_for_the_end(void **s)
{
    char text[4096] = "";
    unsigned refused = 0;
    int fd;

    (void)s;
    disk_bytes = 1u << 20;
    start(false, NULL, false);
    for (unsigned i = 0; i < KEEPER_SESSIONS + 5; i++) {
        struct client *c = exec_it("wait", 0);

        assert_int_equal(client_next(c, &f, &e), 1);
        refused += f.type == MSG_ERROR;
        hang_up(c);
    }
    assert_true(refused > 0);
    assert_string_equal(expect_ended(ask(MSG_STOP)).reason, "stopped");
    expect_gone();
    fd = openat(box, "keeper.log", O_RDONLY | O_CLOEXEC);
    assert_true(read(fd, text, sizeof(text) - 1) >= 0);
    close(fd);
    assert_null(strstr(text, "power-off"));
}

static void a_shorter_life_is_taken_at_its_word(void **s)
{
    struct client *c, *w;

    (void)s;
    start(false, "wait", false);
    w = ask(MSG_WAIT);
    policy = "carrel: 1\nname: test\nlimits: {wall: 1s, idle: 1h}\ntools:\n  commands:\n"
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
    start(false, "wait", false);
    a = request(MSG_ATTACH);
    msg_add_u32(&b, MSG_FLAGS, MSG_F_STDIN);
    assert_int_equal(client_request(a, &b, &e), 0);
    expect_ended(ask(MSG_STOP));
    hang_up(a);
    expect_gone();
    snprintf(path, sizeof(path), "%s/audit/%s/log", root, cfg.id);
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
    start(false, "burn", false);
    expect_gone();
    snprintf(path, sizeof(path), "%s/audit/%s/spent", root, cfg.id);
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
    start(true, NULL, true);

    struct client *c = exec_it("last-words", MSG_F_MAIN);

    expect(c, MSG_STARTED);
    for (int i = 0; i < 100; i++) {
        expect(c, MSG_STDOUT);
        assert_int_equal(f.len, 1000);
    }
    expect_exit(c, MSG_EXITED, 3);
    assert_int_equal(expect_ended(c).exit_code, 3);
    expect_gone();
}

/* r04: a command's end before the guest was even set up is a lie. */
static void r04_a_command_before_setup(void **s)
{
    struct box_state st;

    (void)s;
    boot = NEVER_UP;
    start(false, "true", false);
    expect_gone();
    assert_int_equal(box_load_state(box, &st, &e), 0);
    assert_string_equal(st.reason, "protocol");
}

static void other_clients_may_come_and_go(void **s)
{
    (void)s;
    start(true, NULL, true);

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

/* It may have ended before anybody can ask: what counts is what is on record. */
static void ended_because(const char *reason)
{
    struct box_state st;

    start(false, NULL, false);
    expect_gone();
    assert_int_equal(box_load_state(box, &st, &e), 0);
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
    start(false, NULL, false);

    struct client *w = ask(MSG_WAIT), *a = exec_it("wait", 0), *c = exec_it("wait", 0);
    struct box_state st = expect_ended(w);

    assert_string_equal(st.reason, "watchdog");
    while (client_next(a, &f, &e) > 0)
        ;
    assert_int_equal(f.type, MSG_ENDED);
    hang_up(a);
    hang_up(c);
    expect_gone();
}

static void an_idle_sandbox_waits_for_its_command_only_so_long(void **s)
{
    (void)s;
    struct box_state st;

    setenv("CARREL_AWAIT_MS", "50", 1);
    start(false, NULL, true);
    expect_gone();
    assert_int_equal(box_load_state(box, &st, &e), 0);
    assert_string_equal(st.reason, "stopped");
    assert_string_equal(st.text, "no command came");
}

/* r04, r06: a guest that misbehaves on one stream loses that stream, and only that. */
static void r04_bad_answers_cost_the_stream(void **s)
{
    static const char *const bad[] = { "early-output", "host-verb", "bad-exit", "reset",
                                       "fin",          "garbage",   "half" };

    (void)s;
    start(false, NULL, false);
    for (size_t i = 0; i < array_len(bad); i++) {
        struct client *c = exec_it(bad[i], 0);

        do
            assert_int_equal(client_next(c, &f, &e), 1);
        while (f.type == MSG_STARTED);
        assert_int_equal(f.type, MSG_ERROR);
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
    start(true, NULL, true);

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
    start(false, NULL, false);

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

    snprintf(path, sizeof(path), "/proc/%d/status", (int)keeper);

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
    start(false, "wait", false);
    for (size_t i = 0; i < array_len(bad); i++) {
        struct client *c = dial();

        assert_int_equal(send(c->fd, bad[i], 8, 0), 8);
        expect(c, MSG_ERROR);
        expect_close(c);
    }

    struct client *c = exec_it("wait", 0); /* without STDIN */

    expect(c, MSG_STARTED);
    assert_int_equal(client_send(c, MSG_STDIN, "x", 1, &e), 0);
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
    start(false, NULL, false);
    for (size_t i = 0; i < KEEPER_LINKS; i++)
        c[i] = ask(MSG_WAIT);

    struct client *one = request(MSG_STATUS);

    if (client_request(one, &b, &e) == 0) /* or it was closed even before that */
        assert_true(client_next(one, &f, &e) <= 0);
    hang_up(one);
    for (size_t i = 0; i < KEEPER_LINKS / 2; i++)
        hang_up(c[i]);
    /* Their places are free as soon as the keeper has seen them go. */
    do {
        one = dial();
        msg_begin(&b, MSG_STATUS);
        if (client_request(one, &b, &e) == 0 && client_next(one, &f, &e) == 1)
            break;
        hang_up(one);
    } while (true);
    assert_int_equal(f.type, MSG_STATE);
    hang_up(one);
    one = ask(MSG_STOP);
    expect_ended(one);
    for (size_t i = KEEPER_LINKS / 2; i < KEEPER_LINKS; i++)
        expect_ended(c[i]);
    expect_gone();
}

static void terms_to_the_keeper_stop_in_order(void **s)
{
    (void)s;
    start(false, "wait", false);

    struct client *a = ask(MSG_ATTACH);

    expect(a, MSG_STARTED);
    kill(keeper, SIGTERM);
    expect_exit(a, MSG_SIGNALED, SIGTERM);
    assert_string_equal(expect_ended(a).reason, "stopped");
    expect_gone();
}

/* A guest that ignores everything: grace, power-off, TERM and KILL follow by themselves. */
static void a_stubborn_guest_is_ended_all_the_same(void **s)
{
    (void)s;
    start(true, "stubborn", false);

    struct client *c = request(MSG_STOP);

    msg_add_u32(&b, MSG_GRACE, 50);
    assert_int_equal(client_request(c, &b, &e), 0);
    assert_string_equal(expect_ended(c).reason, "stopped");
    expect_gone();
}

/* h02: kill -9 of the machine: said to everybody, recorded, reaped. */
static void h02_the_machine_is_killed(void **s)
{
    struct box_state st;

    (void)s;
    start(false, "wait", false);

    struct client *a = ask(MSG_ATTACH);

    expect(a, MSG_STARTED);
    assert_int_equal(box_load_state(box, &st, &e), 0);
    assert_int_equal(kill(st.vmm_pid, SIGKILL), 0);
    st = expect_ended(a);
    assert_string_equal(st.reason, "vmm-crash");
    expect_gone();
}

/* h02: what a killed machine left on the wire is torn, and no lie of its guest. */
static void h02_the_machine_is_killed_in_mid_word(void **s)
{
    struct box_state st;
    int status;

    (void)s;
    start(false, "wait", false);

    struct client *a = ask(MSG_ATTACH);

    expect(a, MSG_STARTED);
    assert_int_equal(box_load_state(box, &st, &e), 0);

    struct pollfd vmm = { .fd = (int)syscall(434 /* pidfd_open */, st.vmm_pid, 0),
                          .events = POLLIN };

    assert_true(vmm.fd >= 0);
    assert_int_equal(kill(keeper, SIGSTOP), 0);
    assert_int_equal(waitpid(keeper, &status, WUNTRACED), keeper);
    assert_int_equal(kill(st.vmm_pid, SIGUSR1), 0);
    assert_int_equal(poll(&vmm, 1, 10000), 1);
    close(vmm.fd);
    assert_int_equal(kill(keeper, SIGCONT), 0);
    st = expect_ended(a);
    assert_string_equal(st.reason, "vmm-crash");
    expect_gone();
}

/* h02: a guest cannot close the port; an engine that does and stays is broken. */
static void h02_the_engine_closes_its_port(void **s)
{
    (void)s;
    setenv("CARREL_HUNG_UP_MS", "20", 1);
    start(false, NULL, true);
    assert_string_equal(expect_ended(exec_started("hang-up", MSG_F_MAIN)).reason, "vmm-crash");
    expect_gone();
}

/* r02, r11: what waits for a slow reader is whole; its guest is not to blame for the delay. */
static void r11_a_slow_reader_costs_nobody_anything(void **s)
{
    (void)s;
    setenv("CARREL_FRAME_MS", "20", 1);
    start(false, NULL, true);

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
    start(false, NULL, false);

    struct client *c = exec_started("dribble", MSG_F_STDIN);
    struct pollfd p = { .fd = c->fd, .events = POLLIN };

    while (poll(&p, 1, 20) == 0 && rounds++ < 200)
        assert_int_equal(client_send(c, MSG_STDIN, "x", 1, &e), 0);
    assert_true(rounds < 200);
    expect(c, MSG_ERROR);
    expect_close(c);
    assert_string_equal(expect_ended(ask(MSG_STOP)).reason, "stopped");
    expect_gone();
}

/* Killing what is left of a machine does not rewrite how its command ended. */
static void a_late_kill_keeps_the_exit_code(void **s)
{
    struct box_state st;

    (void)s;
    disk_bytes = 1 << 20;
    start(false, NULL, true);

    struct client *c = exec_started("seven-stays", MSG_F_MAIN);

    expect_exit(c, MSG_EXITED, 7);
    st = expect_ended(ask(MSG_KILL));
    assert_string_equal(st.reason, "exited");
    assert_int_equal(st.exit_code, 7);
    expect_ended(c);
    expect_gone();
}

/* h02: kill -9 of the keeper: the next command ends what is left and says so. */
static void h02_the_keeper_is_killed(void **s)
{
    struct box_state st;
    pid_t vmm;

    (void)s;
    start(false, "wait", false);

    struct client *a = ask(MSG_ATTACH);

    expect(a, MSG_STARTED);
    assert_int_equal(box_load_state(box, &st, &e), 0);
    vmm = st.vmm_pid;
    assert_int_equal(kill(keeper, SIGKILL), 0);
    assert_int_equal(waitpid(keeper, NULL, 0), keeper);
    keeper = 0;
    assert_true(client_next(a, &f, &e) <= 0);
    hang_up(a);
    assert_true(client_connect(box, &e) < 0);
    assert_int_equal(store_reconcile(store, cfg.id, &e), 1);
    assert_true(kill(vmm, 0) == -1 || waitpid(vmm, NULL, WNOHANG) != 0);
    assert_int_equal(box_load_state(box, &st, &e), 0);
    assert_string_equal(st.reason, "keeper-lost");
}

/* h02: a keeper that comes too early after another's death leaves what reconciling needs. */
static void h02_a_lost_sandbox_is_not_claimed(void **s)
{
    const struct box_state lost = { .phase = BOX_RUNNING, .vmm_pid = 1, .exit_code = -1 };
    char id[BOX_ID_LEN + 1];
    struct keeper *k;

    (void)s;
    cfg = (struct box_config){ .ephemeral = true, .mem_bytes = 64u << 20, .vcpus = 1 };
    assert_int_equal(store_create(store, &cfg, &e), 0);
    box = store_find(store, cfg.id, id, &e);
    assert_true(box >= 0);
    assert_int_equal(box_save_state(box, &lost, true, &e), 0);
    k = keeper_new(box, false, &e);
    assert_non_null(k);
    assert_int_equal(keeper_claim(k, &e), -EBUSY);
    assert_int_equal(k->lock, -1); /* whoever holds it may remove an ephemeral sandbox */
    keeper_free(k);
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
    fclose(file);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_run_leaves_nothing),
        T(r07_exit_codes_are_passed_on),
        T(a_command_that_is_missing),
        T(a_detached_command_is_logged),
        T(p10_detached_commands_are_ended_too),
        T(r11_detached_commands_leave_room_for_the_end),
        T(a_shorter_life_is_taken_at_its_word),
        T(what_is_done_to_a_sandbox_is_on_record),
        T(processor_time_is_counted_to_the_end),
        T(many_commands_at_once),
        T(files_go_in_and_out),
        T(status_attach_and_signals),
        T(a_vanished_client_takes_its_sandbox_along),
        T(the_guest_learns_that_a_client_went),
        T(a_kept_command_outlives_its_client),
        T(last_words_are_passed_on),
        T(r04_a_command_before_setup),
        T(other_clients_may_come_and_go),
        T(a_guest_that_never_comes_up),
        T(a_guest_that_cannot_be_set_up),
        T(r10_garbage_on_the_port),
        T(r04_a_wrong_answer_to_setup),
        T(an_engine_that_crashes),
        T(a_silent_guest_is_ended),
        T(an_idle_sandbox_waits_for_its_command_only_so_long),
        T(r04_bad_answers_cost_the_stream),
        T(r04_a_bad_main_command_ends_the_sandbox),
        T(r11_a_client_that_does_not_read),
        T(r01_bad_clients_are_turned_away),
        T(r11_too_many_clients),
        T(terms_to_the_keeper_stop_in_order),
        T(a_stubborn_guest_is_ended_all_the_same),
        T(h02_the_machine_is_killed_in_mid_word),
        T(h02_the_engine_closes_its_port),
        T(r11_a_slow_reader_costs_nobody_anything),
        T(r02_a_guest_that_dribbles),
        T(a_late_kill_keeps_the_exit_code),
        T(h02_the_machine_is_killed),
        T(h02_the_keeper_is_killed),
        T(h02_a_lost_sandbox_is_not_claimed),
        cmocka_unit_test(output_is_capped),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
