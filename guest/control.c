/* control.c - see control.h. */
#include "guest/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READS 16 /* a port gives at most a page a read; the loop's other sources wait meanwhile */

/* Nobody talks now. A port whose host is gone is readable for ever: it is looked at when something
 * happens there, and not in between. */
static void await_host(struct control *c)
{
    c->watched = EPOLLIN | (uint32_t)EPOLLET;
    if (loop_change(c->loop, &c->port, c->watched, NULL))
        loop_remove(c->loop, &c->port); /* nobody is heard any more: the host ends the machine */
}

static void forget_session(struct control *c)
{
    while (c->calls) {
        struct call *call = c->calls;

        c->calls = call->next;
        call_free(call);
    }
    c->ncalls = 0;
    c->out_at = c->out_len = 0;
    yamux_free(c->mux);
    c->mux = NULL;
}

static void lose(struct control *c, const char *why)
{
    char text[128]; /* it may be mux's */

    snprintf(text, sizeof(text), "%s", why);
    forget_session(c);
    c->in_at = c->in_len = 0;
    await_host(c);
    c->host->lost(c->host->arg, text);
}

static bool begin_session(struct control *c)
{
    const struct yamux_config cfg = { .max_streams = CONTROL_STREAMS, .accept = true };

    c->mux = yamux_new(&cfg);
    return c->mux;
}

static void drop(struct control *c, struct call *call)
{
    for (struct call **p = &c->calls; *p; p = &(*p)->next)
        if (*p == call) {
            *p = call->next;
            break;
        }
    c->ncalls--;
    call_free(call);
}

/* Frees a stream for a new one: the oldest finished call whose host side is still open. */
static void make_room(struct control *c)
{
    struct call *oldest = NULL;

    if (c->ncalls + CONTROL_ENDED < CONTROL_STREAMS)
        return;
    for (struct call *k = c->calls; k; k = k->next)
        if (k->state == CALL_ENDED)
            oldest = k;
    if (oldest) {
        yamux_reset(c->mux, oldest->id);
        drop(c, oldest);
    }
}

static void opened(struct control *c, uint32_t id)
{
    struct call *call;

    make_room(c);
    call = call_new(c, id);
    if (!call) {
        yamux_reset(c->mux, id);
        return;
    }
    call->next = c->calls;
    c->calls = call;
    c->ncalls++;
    call_pump(call);
}

static void events(struct control *c)
{
    struct yamux_event ev;

    while (yamux_next_event(c->mux, &ev)) {
        struct call *call = c->calls;

        if (ev.type == YAMUX_OPENED) {
            opened(c, ev.id);
            continue;
        }
        while (call && call->id != ev.id)
            call = call->next;
        if (!call)
            continue; /* finished and forgotten */
        if (ev.type == YAMUX_RESET)
            drop(c, call);
        else
            call_pump(call);
    }
}

/* Tells who listens of groups that are empty; those that nobody can hear of are forgotten. */
static void tell_gone(struct control *c)
{
    struct call *listener = c->calls;
    struct group *g;

    while (listener && listener->state != CALL_LISTENS)
        listener = listener->next;
    while ((g = groups_empty(&c->jobs.groups)) && (!listener || call_gone(listener, g->job)))
        group_free(g);
}

static void sweep(struct control *c)
{
    tell_gone(c);
    for (struct call *call = c->calls, *next; call; call = next) {
        next = call->next;
        if (call_sweep(call))
            drop(c, call);
    }
}

/* Gives mux what was read; false when the session ended. */
static bool feed(struct control *c)
{
    while (c->in_at < c->in_len) {
        ssize_t n = yamux_input(c->mux, c->in + c->in_at, c->in_len - c->in_at);

        if (n < 0)
            return false;
        if (n == 0)
            break;
        c->in_at += (size_t)n;
    }
    return true;
}

/* Writes what mux has: 1 when some went out, 0 when none, -1 when the port is gone. */
static int flush(struct control *c)
{
    int wrote = 0;

    for (;;) {
        ssize_t n;

        if (c->out_at == c->out_len) {
            c->out_at = 0;
            c->out_len = yamux_output(c->mux, c->out, sizeof(c->out));
            if (c->out_len == 0)
                return wrote;
        }
        n = write(c->port.fd, c->out + c->out_at, c->out_len - c->out_at);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -1;
        if (n <= 0)
            return wrote;
        c->out_at += (size_t)n;
        wrote = 1;
    }
}

static void watch(struct control *c)
{
    uint32_t want = (c->in_at < c->in_len ? 0 : EPOLLIN) | (c->out_at < c->out_len ? EPOLLOUT : 0);
    struct err why = ERR_INIT;

    if (want == c->watched)
        return;
    c->watched = want;
    if (loop_change(c->loop, &c->port, want, &why))
        lose(c, why.msg);
}

void control_settle(struct control *c)
{
    int wrote = 1;

    /* Writing makes room for calls that wait for it, and for input that waits for answers. */
    while (c->mux && wrote) {
        if (!feed(c)) {
            (void)flush(c); /* the go-away */
            lose(c, yamux_why(c->mux));
            return;
        }
        events(c);
        sweep(c);
        wrote = flush(c);
        if (wrote < 0) {
            lose(c, "");
            return;
        }
    }
    if (c->mux)
        watch(c);
}

/* A host that knows the mark, whatever became of the one before: its session begins with the answer
 * that only it can expect. */
static void welcome(struct control *c)
{
    c->search.have = c->nnonce = 0;
    if (!begin_session(c))
        return;
    memcpy(c->out, c->nonce, MARK_BYTES);
    c->out_len = MARK_BYTES;
}

/* In what was read. Where the mark is, the session ends; in_at is then where the next begins. */
static void look_for_mark(struct control *c)
{
    size_t at = 0;

    while (c->marked && at < c->in_len) {
        size_t left = c->in_len - at, n = MARK_BYTES - c->nnonce;

        if (c->search.have < MARK_BYTES) {
            at += mark_find(&c->search, c->mark, c->in + at, left);
            if (c->search.have == MARK_BYTES)
                forget_session(c);
            continue;
        }
        n = n < left ? n : left;
        memcpy(c->nonce + c->nnonce, c->in + at, n);
        c->nnonce += n;
        at += n;
        if (c->nnonce == MARK_BYTES)
            welcome(c);
        c->in_at = at;
    }
}

static void port_ready(struct loop_source *s, uint32_t ready)
{
    struct control *c = container_of(s, struct control, port);

    for (int i = 0; i < READS && c->in_at == c->in_len; i++) {
        ssize_t n = read(s->fd, c->in, sizeof(c->in));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            if (c->mux)
                lose(c, "");
            return;
        }
        c->in_at = 0;
        c->in_len = (size_t)n;
        look_for_mark(c);
        if (!c->mux && (c->marked || !begin_session(c)))
            c->in_at = c->in_len; /* nobody's */
        else if (!feed(c))
            return; /* control_settle ends the session */
    }
    if (!c->mux)
        await_host(c); /* there may be more */
    else if ((ready & EPOLLHUP) && c->in_at < c->in_len)
        lose(c, ""); /* the host has gone while its bytes wait: there is nobody to answer */
}

int control_attach(struct control *c, int fd, struct err *e)
{
    if (c->port.fd >= 0)
        loop_remove(c->loop, &c->port);
    c->in_at = c->in_len = c->out_at = c->out_len = 0;
    c->port = (struct loop_source){ fd, port_ready };
    c->watched = EPOLLIN | (c->marked ? (uint32_t)EPOLLET : 0);
    if (!c->marked && !begin_session(c))
        return err_set(e, ENOMEM, "no memory for a session");
    return loop_add(c->loop, &c->port, c->watched, e);
}

void control_set_mark(struct control *c, const uint8_t mark[MARK_BYTES])
{
    memcpy(c->mark, mark, MARK_BYTES);
    c->marked = true;
    c->search.have = c->nnonce = 0;
}

void control_init(struct control *c, struct loop *l, struct alarms *a,
                  const struct control_host *host)
{
    *c = (struct control){ .loop = l, .host = host };
    jobs_init(&c->jobs, l, a);
    c->port.fd = -1;
}

void control_refuse(struct control *c)
{
    c->closing = true;
}

bool control_pending(const struct control *c)
{
    return c->mux && (c->out_at < c->out_len || yamux_has_output(c->mux));
}

void control_fini(struct control *c)
{
    forget_session(c);
    jobs_fini(&c->jobs);
    if (c->port.fd >= 0)
        loop_remove(c->loop, &c->port);
}
