/* session.c - see session.h. */
#include "sandbox/cli/session.h"

#include "base/fd.h"
#include "sandbox/cli/box.h"
#include "sandbox/cli/denial.h"

#include "sandbox/cli/escalate.h"
#include "sandbox/cli/link.h"
#include "sandbox/cli/output.h"
#include "sandbox/cli/signals.h"
#include "sandbox/proc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define STDIN_CHUNK 61440u /* with keys held back before it still one message */

struct session {
    struct cli *c;
    const struct session_ask *ask;
    struct session_result *r;
    struct link *link; /* owned */
    struct escalate escalate;
    struct output out;
    struct tty_keys keys;
    bool started, exited, over;
    bool reads_stdin;
    bool kill_asked;
    bool pipe_told; /* the command knows that nobody reads its output */
};

bool session_stdin_is_piped(void)
{
    struct stat st;

    if (isatty(STDIN_FILENO) || fstat(STDIN_FILENO, &st))
        return false;
    return !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)); /* /dev/null */
}

static void send_size(struct session *s)
{
    uint16_t rows, cols;

    if (!s->ask->tty || !s->started || s->exited || !tty_size(STDOUT_FILENO, &rows, &cols))
        return;

    uint8_t body[4] = { (uint8_t)rows, (uint8_t)(rows >> 8), (uint8_t)cols, (uint8_t)(cols >> 8) };

    /* No room means that the keeper is far behind; the next change will be sent. */
    (void)!link_send(s->link, MSG_RESIZE, body, sizeof(body));
}

static void send_signal(struct session *s, int signo)
{
    uint8_t body = (uint8_t)signo;

    (void)!link_send(s->link, MSG_SIGNAL, &body, 1);
}

/* What to do about one signal of ours. */
static void on_signal(struct session *s, int signo)
{
    if (signo == SIGWINCH || signo == SIGCONT) {
        if (signo == SIGCONT)
            tty_raw_again();
        send_size(s);
        return;
    }

    bool passable = s->started && !s->exited;

    switch (escalate_next(&s->escalate, signo, passable, s->ask->owns_box)) {
    case ESCALATE_PASS: send_signal(s, signo); break;
    case ESCALATE_LEAVE: /* the keeper ends a command whose requester goes */
        s->r->how = SESSION_KILLED;
        s->r->signo = signo;
        s->over = true;
        break;
    case ESCALATE_STOP:
        cli_note(s->c, "stopping %s; interrupt again to kill it", s->ask->name);
        escalate_ask(&s->escalate, s->ask->boxfd, MSG_STOP);
        break;
    case ESCALATE_KILL:
        if (!s->started) {
            s->r->how = SESSION_KILLED;
            s->r->signo = signo;
        }
        s->kill_asked = true;
        escalate_ask(&s->escalate, s->ask->boxfd, MSG_KILL);
        break;
    case ESCALATE_NOTHING: break;
    }
}

static void take_signals(void *arg)
{
    int signo;

    while ((signo = signals_next()) != 0)
        on_signal(arg, signo);
}

/* ---- from the keeper ---- */

static void on_output(struct session *s, enum output_stream stream, const struct msg_frame *f)
{
    output_write(&s->out, stream, f->body, f->len);
    if (s->out.broken && !s->pipe_told && !s->exited) {
        /* As in a pipeline of ours: who writes where nobody reads gets SIGPIPE. */
        s->pipe_told = true;
        send_signal(s, SIGPIPE);
    }
}

static int on_started(struct session *s, struct err *e)
{
    uint16_t rows, cols;

    if (s->started)
        return 0;
    s->started = true;
    output_started(&s->out, s->ask->name);
    if (s->ask->leaves_when_started) {
        s->r->how = SESSION_EXITED;
        s->over = true;
        return 0;
    }
    if (s->ask->tty && s->ask->forward_stdin && isatty(STDIN_FILENO)) {
        int err = tty_raw(STDIN_FILENO, e);

        if (err)
            return err;
    }
    if (s->ask->tty && tty_size(STDOUT_FILENO, &rows, &cols))
        send_size(s);
    s->reads_stdin = s->ask->forward_stdin;
    return 0;
}

static int on_exit_frame(struct session *s, const struct msg_frame *f, struct err *e)
{
    if (f->len != 2 || f->body[0] > MSG_TIMED_OUT)
        return err_set(e, EBADMSG, "the keeper sent a malformed exit");
    s->exited = true;
    s->reads_stdin = false;
    s->r->how = SESSION_EXITED;
    s->r->kind = (enum msg_exit)f->body[0];
    s->r->code = f->body[1];
    tty_restore();
    s->over = !s->ask->wait_end;
    return 0;
}

static int on_error(struct session *s, const struct msg_frame *f, struct err *e)
{
    if (f->len < 4)
        return err_set(e, EBADMSG, "the keeper sent a malformed error");

    uint32_t code = f->body[0] | (uint32_t)f->body[1] << 8 | (uint32_t)f->body[2] << 16 |
                    (uint32_t)f->body[3] << 24;
    int n = f->len - 4 < 200 ? (int)(f->len - 4) : 200;

    /* Refused because we had asked for the end: that is what the caller is told. */
    if (s->r->how != SESSION_KILLED)
        s->r->how = SESSION_REFUSED;
    err_set(&s->r->why, code && code < 4096 ? (int)code : EIO, "%.*s", n,
            (const char *)f->body + 4);
    s->exited = true;
    s->reads_stdin = false;
    s->over = !s->ask->wait_end;
    return 0;
}

static int on_denied(struct session *s, const struct msg_frame *f)
{
    if (s->r->how != SESSION_KILLED)
        s->r->how = SESSION_DENIED;
    (void)denial_read(f, s->r->hint, &s->r->why);
    s->exited = true;
    s->reads_stdin = false;
    s->over = !s->ask->wait_end;
    return 0;
}

static int on_ended(struct session *s, const struct msg_frame *f, struct err *e)
{
    s->r->has_state = true;
    s->over = true;
    return box_state_parse((const char *)f->body, f->len, &s->r->state, e);
}

static int on_frame(struct session *s, const struct msg_frame *f, struct err *e)
{
    switch (f->type) {
    case MSG_STARTED: return on_started(s, e);
    case MSG_STDOUT:
    case MSG_STDERR:
        if (!s->started)
            return err_set(e, EBADMSG, "the keeper sent output before the command started");
        on_output(s, f->type == MSG_STDOUT ? OUTPUT_OUT : OUTPUT_ERR, f);
        return 0;
    case MSG_EXIT: return on_exit_frame(s, f, e);
    case MSG_ERROR: return on_error(s, f, e);
    case MSG_DENIED: return on_denied(s, f);
    case MSG_ENDED: return on_ended(s, f, e);
    default: return err_set(e, EBADMSG, "the keeper sent a message of type %u", f->type);
    }
}

static int on_link(struct session *s, struct err *e)
{
    struct msg_frame f;
    int got, err = link_pump(s->link, e);

    if (err)
        return err;
    while (!s->over && (got = link_next(s->link, &f, e)) != 0) {
        err = got < 0 ? got : on_frame(s, &f, e);
        if (err)
            return err;
    }
    if (!s->over && s->link->closed && link_events(s->link) == 0)
        s->over = true;
    return 0;
}

/* ---- to the keeper ---- */

static void on_stdin(struct session *s)
{
    uint8_t in[STDIN_CHUNK], out[STDIN_CHUNK + TTY_KEYS_MAX];
    size_t used;
    ssize_t n = read(STDIN_FILENO, in, sizeof(in));

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        s->reads_stdin = false;
        (void)!link_send(s->link, MSG_STDIN_EOF, NULL, 0);
        return;
    }
    if (tty_keys_filter(&s->keys, in, (size_t)n, out, &used)) {
        s->r->how = SESSION_DETACHED;
        s->over = true;
        return;
    }
    if (used)
        (void)!link_send(s->link, MSG_STDIN, out, used); /* there is room: see below */
}

/* Nothing came for a while, which is no news. A keeper that could not tell any is: whoever asked it
 * to end the sandbox for good gets that all the same, as the machine goes with its keeper. */
static int on_silence(struct session *s, struct err *e)
{
    const struct box_holder h = box_holder(s->ask->boxfd);
    int err = client_check(s->ask->boxfd, e);

    if (err != -ETIMEDOUT)
        return err == -EINTR ? 0 : err;
    if (s->kill_asked)
        (void)!box_kill_holder(&h, KEEPER_END_MS, NULL);
    else
        box_hint_silent(s->ask->name, s->r->hint);
    return err;
}

static int pump(struct session *s, int sigfd, struct err *e)
{
    /* Read input only when a whole chunk and a few small frames fit. */
    bool reads = s->reads_stdin && s->link->out_len == s->link->out_at;
    struct pollfd p[] = {
        { .fd = sigfd, .events = POLLIN },
        { .fd = s->link->fd, .events = link_events(s->link) },
        { .fd = reads ? STDIN_FILENO : -1, .events = POLLIN },
    };

    int n = poll(p, array_len(p), client_quiet_ms());

    if (n < 0)
        return errno == EINTR ? 0 : err_sys(e, "poll");
    if (n == 0)
        return on_silence(s, e);
    if (p[0].revents)
        take_signals(s);
    if (p[1].revents && !s->over) {
        int err = on_link(s, e);

        if (err)
            return err;
    }
    if (p[2].revents && s->reads_stdin && !s->over)
        on_stdin(s);
    return 0;
}

/* Cut off without a word: a killed keeper may have been followed by another. */
static void look_for_keeper(const struct session_ask *ask, struct session_result *r)
{
    const bool cut = r->how == SESSION_LOST || (r->how == SESSION_ENDED && !r->has_state);
    auto_fd int sock =
        cut && !*r->hint && !client_check(ask->boxfd, NULL) ? client_connect(ask->boxfd, NULL) : -1;

    if (sock < 0)
        return;
    r->how = SESSION_LOST;
    r->goes_on = true;
    err_set(&r->why, EPIPE, "the keeper of %s was killed, and the command it served here cut off",
            ask->name);
    snprintf(r->hint, sizeof(r->hint), "%s goes on: carrel attach %s joins its main command",
             ask->name, ask->name);
}

int session_run(struct cli *c, int sock, struct msg_builder *request, const struct session_ask *ask,
                struct session_result *r, struct err *e)
{
    struct session s = { .c = c, .ask = ask, .r = r, .keys = ask->detach };
    int sigfd = signals_catch(e);
    int err = 0;

    memset(r, 0, sizeof(*r));
    r->how = SESSION_ENDED;
    s.link = link_new(sock, e);
    if (!s.link || sigfd < 0)
        err = -EIO;
    else if (!link_send_request(s.link, request))
        err = err_set(e, E2BIG, "the command and its environment are longer than 64 KiB");
    output_init(&s.out, c, take_signals, &s);
    escalate_init(&s.escalate);
    if (!err && ask->joins)
        err = on_started(&s, e);
    while (!err && !s.over) {
        err = pump(&s, sigfd, e);
        if (!err)
            continue;
        /* With the command's exit known, a broken connection takes nothing from it. */
        if (!s.exited) {
            r->how = SESSION_LOST;
            r->why = *e;
        }
        err = 0;
        break;
    }
    tty_restore();
    output_end(&s.out);
    escalate_fini(&s.escalate);
    link_free(s.link);
    if (!err && !s.exited)
        look_for_keeper(ask, r);
    if (!err && s.out.error) {
        errno = s.out.error;
        err = err_sys(e, "standard output");
    }
    return err;
}
