/* fake_machine.c - see fake_machine.h */
#include "tests/unit/fake_machine.h"

#include "sandbox/engine/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum boot boot;

struct call {
    uint32_t id;
    size_t have;
    char what[32]; /* the command's first argument */
    uint32_t job;  /* its number */
    uint8_t buf[FRAME_MAX];
};

static struct guest {
    int fd;
    struct yamux *y;
    bool stuck;         /* as a whole: says nothing any more, not even to a ping */
    uint32_t roster;    /* the stream on which jobs are told of */
    uint32_t daemon[8]; /* jobs whose command has ended and that are not gone */
    bool deaf;          /* ends no job */
    bool stays;         /* although it is asked to power off */
    struct call calls[KEEPER_SESSIONS];
} g;

static void send_all(void);

static void say(uint32_t id, enum msg_type type, const void *body, size_t len)
{
    uint8_t head[MSG_HEADER];

    msg_header(head, type, (uint32_t)len);
    if (yamux_write(g.y, id, head, sizeof(head)) != sizeof(head) ||
        (len && yamux_write(g.y, id, body, len) != (ssize_t)len))
        _exit(70);
}

static void gone(uint32_t job)
{
    const uint8_t body[4] = { (uint8_t)job, (uint8_t)(job >> 8) };

    say(g.roster, MSG_GONE, body, sizeof(body));
}

static void leave_something(struct call *c, uint8_t kind, uint8_t code)
{
    const uint8_t body[2] = { kind, code };

    say(c->id, MSG_EXIT, body, 2);
    yamux_close(g.y, c->id);
    c->what[0] = '\0';
}

static void leave(struct call *c, uint8_t kind, uint8_t code)
{
    leave_something(c, kind, code);
    gone(c->job);
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

/* A daemon stays when its command ends. */
static void daemonize(const struct call *c)
{
    for (size_t i = 0; i < array_len(g.daemon); i++)
        if (!g.daemon[i]) {
            g.daemon[i] = c->job;
            break;
        }
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
        return;                 /* until "count" */
    if (is(c, "late-daemon")) { /* it runs, and STARTED is still to come */
        daemonize(c);
        return;
    }
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
    } else if (is(c, "daemon")) {
        daemonize(c);
        leave_something(c, MSG_EXITED, 0);
    } else if (is(c, "daemons")) {
        unsigned n = 0;

        for (size_t i = 0; i < array_len(g.daemon); i++)
            n += g.daemon[i] != 0;
        leave(c, MSG_EXITED, (uint8_t)n);
    } else if (is(c, "deaf")) {
        g.deaf = true;
        leave(c, MSG_EXITED, 0);
    } else if (is(c, "false-gone")) {
        gone(c->job); /* while it runs, and one that never was */
        gone(4711);
        snprintf(c->what, sizeof(c->what), "wait");
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

static void on_end(const struct msg_frame *f)
{
    uint32_t job = f->body[0] | (uint32_t)f->body[1] << 8;

    if (g.deaf)
        return;
    for (size_t i = 0; i < KEEPER_SESSIONS; i++)
        if (g.calls[i].id && g.calls[i].job == job && g.calls[i].what[0] &&
            yamux_writable(g.y, g.calls[i].id)) /* who dropped it is told no more there */
            leave_something(&g.calls[i], MSG_SIGNALED, SIGKILL);
    for (size_t i = 0; i < array_len(g.daemon); i++)
        if (g.daemon[i] == job)
            g.daemon[i] = 0;
    gone(job);
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
        while (msg_next_field(f, &pos, &field) == 1) {
            if (field.tag == MSG_ARG && !c->what[0])
                snprintf(c->what, sizeof(c->what), "%.*s", (int)field.len, (const char *)field.at);
            if (field.tag == MSG_JOB && !msg_field_u32(&field, &c->job))
                _exit(70);
        }
        on_exec(c);
        break;
    case MSG_GET:
        say(c->id, MSG_DATA, "tar", 3);
        say(c->id, MSG_EOF, NULL, 0);
        say(c->id, MSG_DONE, NULL, 0);
        yamux_close(g.y, c->id);
        break;
    case MSG_JOBS: g.roster = c->id; break;
    case MSG_END: on_end(f); break;
    case MSG_EOF: say(c->id, MSG_DONE, NULL, 0); break; /* of a PUT */
    case MSG_POWEROFF:
        if (!is(&g.calls[2], "stubborn") && !g.stays)
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
    run->pid = (pid_t)syscall(SYS_clone, (spec->sibling ? CLONE_PARENT : 0) | SIGCHLD, NULL, NULL,
                              NULL, 0);
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

const struct engine fake_machine = {
    .name = "fake",
    .check = fake_check,
    .connect = connect_pairs,
    .start = fake_start,
    .report = fake_report,
    .end = fake_end,
    .outlives_files = true,
};
