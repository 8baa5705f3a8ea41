/*
 * link.c - clients: each connection of the user's own processes carries one request.
 *
 * What a client sends is judged like what a guest sends; the difference is only that it is told
 * why. Requests that arrive before the guest is up wait in the wire.
 */
#include "sandbox/keeper/keeper.h"

#include "base/fd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ASK_MS  10000 /* from connecting to a whole request */
#define REST_MS 60000 /* from a frame's first byte to its last */

/* ---- to the client ---- */

bool link_has_room(const struct link *l, uint32_t payload)
{
    return sizeof(l->out) - (l->out_end - l->out_at) >= MSG_HEADER + payload;
}

static void watch(struct link *l, bool reads)
{
    uint32_t want = reads ? EPOLLIN | EPOLLRDHUP : 0;

    if (l->out_at < l->out_end)
        want |= EPOLLOUT;
    if (want == l->events)
        return;
    l->events = want;
    if (loop_change(&l->k->loop, &l->src, want, NULL))
        l->state = LINK_LEAVING;
}

/* Sends what it can now. false: the client is gone. */
static bool push(struct link *l)
{
    while (l->out_at < l->out_end) {
        ssize_t n = send(l->src.fd, l->out + l->out_at, l->out_end - l->out_at,
                         MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        l->out_at += (size_t)n;
    }
    l->out_at = l->out_end = 0;
    return true;
}

void link_queue(struct link *l, enum msg_type type, const void *body, size_t len)
{
    if (sizeof(l->out) - l->out_end < MSG_HEADER + len) {
        memmove(l->out, l->out + l->out_at, l->out_end - l->out_at);
        l->out_end -= l->out_at;
        l->out_at = 0;
    }
    if (sizeof(l->out) - l->out_end < MSG_HEADER + len)
        abort(); /* whoever asked had to look first */
    msg_header(l->out + l->out_end, type, (uint32_t)len);
    if (len)
        memcpy(l->out + l->out_end + MSG_HEADER, body, len);
    l->out_end += MSG_HEADER + len;
}

void link_flush(struct link *l)
{
    if (l->out_at == l->out_end || l->events & EPOLLOUT)
        return; /* nothing to send, or its event will say when */
    if (!push(l))
        l->out_at = l->out_end = 0; /* gone: its own event will tell */
    watch(l, l->events & EPOLLIN);
}

void link_put(struct link *l, enum msg_type type, const void *body, size_t len)
{
    link_queue(l, type, body, len);
    link_flush(l);
}

void link_leave(struct link *l)
{
    l->state = LINK_LEAVING;
    l->session = NULL;
    watch(l, false);
    if (l->out_at == l->out_end) /* everything is sent; the descriptor's event frees it */
        shutdown(l->src.fd, SHUT_RDWR);
}

void link_fail(struct link *l, int code, const char *text)
{
    uint8_t body[4 + 240];
    size_t n = strnlen(text, sizeof(body) - 4);

    if (!link_has_room(l, sizeof(body)))
        l->out_at = l->out_end = 0; /* what it did not read is worth less than the reason */
    body[0] = (uint8_t)code;
    body[1] = (uint8_t)(code >> 8);
    body[2] = body[3] = 0;
    memcpy(body + 4, text, n);
    link_put(l, MSG_ERROR, body, 4 + n);
    link_leave(l);
}

void link_deny(struct link *l, const char *json)
{
    link_put(l, MSG_DENIED, json, strlen(json)); /* nothing was sent to it before */
    link_leave(l);
}

/* What was sent and never read would make the client's end fail instead of end. */
static void discard_input(struct link *l)
{
    for (int i = 0; i < 16 && recv(l->src.fd, l->in, sizeof(l->in), MSG_DONTWAIT) > 0; i++)
        ;
}

void link_free(struct link *l)
{
    struct keeper *k = l->k;

    discard_input(l);

    for (struct link **at = &k->links; *at; at = &(*at)->next) {
        if (*at == l) {
            *at = l->next;
            break;
        }
    }
    k->nlinks--;
    loop_remove(&k->loop, &l->src);
    fd_closep(&l->src.fd);
    free(l);
    door_open(k);
}

/* ---- requests ---- */

static void put_done(struct link *l)
{
    link_put(l, MSG_DONE, NULL, 0);
    link_leave(l);
}

static void ask_status(struct link *l)
{
    struct err e = ERR_INIT;
    char *text = box_state_to_json(&l->k->state, &e);

    if (!text) {
        link_fail(l, EIO, e.msg);
        return;
    }
    link_put(l, MSG_STATE, text, strlen(text));
    free(text);
    link_leave(l);
}

static bool has_stdin_owner(const struct keeper *k)
{
    for (const struct link *l = k->links; l; l = l->next)
        if (l->session == k->main && l->may_stdin)
            return true;
    return false;
}

static void ask_attach(struct link *l, const struct request *r)
{
    struct keeper *k = l->k;

    if (!k->main) {
        link_fail(l, ESRCH, "the sandbox has no main command that runs");
        return;
    }
    if ((r->flags & MSG_F_STDIN) && (!k->main->talk.stdin_open || has_stdin_owner(k))) {
        link_fail(l, EBUSY, "the main command's input is closed, or another client has it");
        return;
    }
    l->session = k->main;
    l->state = LINK_TALKING;
    l->is_main = true;
    l->may_stdin = r->flags & MSG_F_STDIN;
    if (k->main->talk.started)
        link_put(l, MSG_STARTED, k->main_pid, sizeof(k->main_pid));
}

static void ask_kill(struct link *l, const struct request *r)
{
    struct keeper *k = l->k;
    uint8_t signo = (uint8_t)r->signo;
    const struct msg_frame f = { .type = MSG_SIGNAL, .len = 1, .body = &signo };

    if (!r->has_signo) {
        keeper_reason(k, "killed", "");
        if (k->state.exit_code < 0) /* a command that has ended keeps its own */
            k->state.exit_code = 128 + SIGKILL;
        l->state = LINK_WAITING; /* until it has ended */
        keeper_event(k, LIFE_KILL);
    } else if (!k->main) {
        link_fail(l, ESRCH, "the sandbox has no main command that runs");
    } else if (!session_send(k->main, &f)) {
        link_fail(l, EAGAIN, "the main command takes nothing now");
    } else {
        put_done(l);
    }
}

static void ask_policy(struct link *l)
{
    struct err e = ERR_INIT;
    int err = guard_reload(l->k->guard, l->k->boxfd, &e);

    /* In force already when only its saving failed. Otherwise what runs goes on; nothing new may
     * begin. */
    if (guard_has_changed(l->k->guard))
        keeper_decide_again(l->k);
    if (err)
        link_fail(l, e.code, e.msg);
    else
        put_done(l);
}

/* The policy said no, or nothing could be recorded. */
static void refuse(struct link *l, const struct request *r, const struct err *e)
{
    struct keeper *k = l->k;
    const char *denial = guard_denial(k->guard);
    bool last = (r->flags & MSG_F_MAIN) && k->cfg.ephemeral && !k->had_main;

    if (last && *denial) {
        link_put(l, MSG_DENIED, denial, strlen(denial));
        l->state = LINK_WAITING; /* for the end of a sandbox that has nothing to live for */
    } else if (*denial) {
        link_deny(l, denial);
    } else {
        link_fail(l, e->code, e->msg);
    }
    keeper_log(k, "denied: %s", e->msg);
    if (last) {
        keeper_reason(k, "refused", e->msg);
        keeper_event(k, LIFE_KILL);
    }
}

static void ask_guest(struct link *l, const struct request *r)
{
    struct keeper *k = l->k;
    struct err e = ERR_INIT;

    if (k->life > LIFE_RUNNING) {
        link_fail(l, ESHUTDOWN, "the sandbox is ending");
        return;
    }
    if (guard_judge(k->guard, &k->builder, &e)) {
        refuse(l, r, &e);
        return;
    }
    if (r->type == MSG_EXEC && (r->flags & MSG_F_MAIN)) {
        if (keeper_start_main(k, r, &k->builder, &e)) {
            link_fail(l, e.code, e.msg);
            return;
        }
        l->session = k->main;
        l->is_main = l->is_origin = true;
    } else {
        l->session = r->type == MSG_EXEC ? keeper_start_command(k, r, &k->builder, &e)
                                         : session_open(k, r, &k->builder, &e);
        if (!l->session) {
            link_fail(l, e.code, e.msg);
            return;
        }
        if (r->type != MSG_EXEC)
            l->session->asked = strdup(guard_asked(k->guard));
    }
    l->state = LINK_TALKING;
    l->may_stdin = r->type == MSG_PUT || (r->flags & MSG_F_STDIN);
}

/* What is done to the sandbox by others than its main command's client, and decided by no rule. */
static void note(struct link *l, const struct request *r)
{
    struct guard *g = l->k->guard;
    char text[32] = "";

    if (r->has_signo)
        snprintf(text, sizeof(text), "signal %u", r->signo);
    else if (r->type == MSG_ATTACH && (r->flags & MSG_F_STDIN))
        snprintf(text, sizeof(text), "with input");
    if (r->type == MSG_STOP)
        guard_note(g, "sandbox.stop", text);
    else if (r->type == MSG_KILL)
        guard_note(g, "sandbox.kill", text);
    else if (r->type == MSG_ATTACH)
        guard_note(g, "sandbox.attach", text);
}

static void ask_as(struct link *l, const struct msg_frame *f)
{
    struct keeper *k = l->k;
    struct request r;
    struct err e = ERR_INIT;
    int err = request_check(f, &r, &k->builder, &e);

    if (err) {
        link_fail(l, -err, e.msg);
        return;
    }
    note(l, &r);
    switch (r.type) {
    case MSG_STATUS: ask_status(l); break;
    case MSG_ATTACH: ask_attach(l, &r); break;
    case MSG_KILL: ask_kill(l, &r); break;
    case MSG_WAIT: l->state = LINK_WAITING; break;
    case MSG_POLICY: ask_policy(l); break;
    case MSG_STOP:
        l->state = LINK_WAITING;
        if (r.has_grace)
            k->grace_ms = r.grace_ms;
        keeper_reason(k, "stopped", "");
        keeper_event(k, LIFE_STOP);
        break;
    default: ask_guest(l, &r); break;
    }
}

static void ask(struct link *l, const struct msg_frame *f)
{
    struct guard *g = l->k->guard;

    guard_acts_for(g, l->user);
    ask_as(l, f);
    guard_acts_for(g, getuid());
}

/* ---- from the client ---- */

/* A frame after the request. false: no room for it now. */
static bool forward(struct link *l, const struct msg_frame *f)
{
    const char *why = "nothing may follow this request";
    bool input = f->type == MSG_STDIN || f->type == MSG_STDIN_EOF;

    if (!l->session && l->is_main)
        return true; /* the command just ended; its client does not know yet */
    if (l->session &&
        yamux_writable(l->k->wire.y, l->session->id) < MSG_HEADER + f->len + (size_t)KEEPER_RESERVE)
        return false;
    if (!l->session || (input && !l->may_stdin) ||
        talk_client(&l->session->talk, f, &why) == TALK_DENY) {
        struct session *s = l->is_main ? NULL : l->session;

        link_fail(l, EPROTO, why);
        if (s)
            session_unheard(s);
        return true;
    }
    return session_send(l->session, f);
}

static void handle(struct link *l)
{
    struct msg_frame f;
    size_t used = 0;
    ssize_t n = 0;
    bool stuck = false;

    while (l->state != LINK_LEAVING && !stuck &&
           (n = msg_parse(l->in + used, l->have - used, &f)) > 0) {
        if (l->state == LINK_ASKING)
            ask(l, &f);
        else
            stuck = !forward(l, &f);
        if (!stuck)
            used += (size_t)n;
    }
    if (l->state == LINK_LEAVING)
        return;
    if (n < 0) {
        struct session *s = l->is_main ? NULL : l->session;

        link_fail(l, EBADMSG, "something that is no message");
        if (s)
            session_unheard(s);
        return;
    }
    memmove(l->in, l->in + used, l->have - used);
    l->have -= used;
    if (l->state != LINK_ASKING && (used || stuck || !l->have || !l->partial_since))
        l->partial_since = l->have && !stuck ? keeper_now() : 0;
    watch(l, !stuck);
}

void link_retry(struct link *l)
{
    if (l->state == LINK_TALKING && l->have)
        handle(l);
}

static void gone(struct link *l)
{
    struct keeper *k = l->k;
    struct session *s = l->session;
    bool is_main = l->is_main, is_origin = l->is_origin;

    link_free(l);
    if (s && !is_main)
        session_unheard(s);
    else if (s && is_origin)
        keeper_client_gone(k);
}

static void ready(struct loop_source *src, uint32_t events)
{
    struct link *l = container_of(src, struct link, src);
    struct keeper *k = l->k;

    if (l->state == LINK_ASKING && events & (EPOLLHUP | EPOLLRDHUP)) {
        gone(l); /* it has given up: what it asked for is not done behind its back */
    } else if (events & EPOLLOUT) {
        if (!push(l)) {
            gone(l);
            wire_pump(k);
            return;
        }
        if (l->state == LINK_LEAVING && l->out_at == l->out_end) {
            link_free(l);
            return;
        }
        watch(l, l->events & EPOLLIN);
        if (l->session)
            session_pull(l->session); /* there may be room for more */
    } else if (events & EPOLLIN) {
        ssize_t n = recv(l->src.fd, l->in + l->have, sizeof(l->in) - l->have, MSG_DONTWAIT);

        if (n > 0) {
            l->have += (size_t)n;
            handle(l);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            gone(l);
        }
    } else if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) {
        if (l->state == LINK_LEAVING)
            link_free(l);
        else
            gone(l);
    }
    wire_pump(k);
}

int link_new(struct keeper *k, int fd, uid_t user)
{
    auto_fd int own = fd;
    struct link *l = malloc(sizeof(*l));

    if (!l)
        return -ENOMEM;
    l->k = k;
    l->state = LINK_ASKING;
    l->session = NULL;
    l->user = user;
    l->is_main = l->is_origin = l->may_stdin = false;
    l->events = EPOLLIN | EPOLLRDHUP;
    l->partial_since = keeper_now();
    l->have = l->out_at = l->out_end = 0;
    l->src = (struct loop_source){ .fd = fd, .ready = ready };

    int err = loop_add(&k->loop, &l->src, l->events, NULL);

    if (err) {
        free(l);
        return err;
    }
    l->src.fd = fd_steal(&own);
    l->next = k->links;
    k->links = l;
    k->nlinks++;
    return 0;
}

int64_t link_expire(struct keeper *k, int64_t now)
{
    int64_t next_due = INT64_MAX;

    for (struct link *l = k->links, *next; l; l = next) {
        int64_t due = l->partial_since + (l->state == LINK_ASKING ? ASK_MS : REST_MS);

        next = l->next;
        if (!l->partial_since || l->state == LINK_LEAVING)
            continue;
        if (due > now)
            next_due = due < next_due ? due : next_due;
        else
            gone(l); /* R02 */
    }
    return next_due;
}
