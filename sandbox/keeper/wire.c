/* wire.c - the control port: bytes between its socket and yamux, events to sessions. */
#include "sandbox/keeper/keeper.h"

#include "base/failpoint.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define HUNG_UP_MS   3000
#define DRAIN_ROUNDS 64 /* of 64 KiB: more than a socket holds */

static bool detach(struct keeper *k)
{
    struct wire *w = &k->wire;

    if (w->dead)
        return false;
    w->dead = true;
    loop_remove(&k->loop, &w->src);
    return true;
}

static void die(struct keeper *k, const char *why)
{
    if (detach(k))
        keeper_broken(k, why);
}

/* The engine's end of the port is closed: it is ending, and its own end will say why. */
static void hung_up(struct keeper *k)
{
    if (detach(k))
        k->port_due = keeper_now() + keeper_setting("CARREL_HUNG_UP_MS", HUNG_UP_MS);
}

/* Reads while there is room; false when nothing came. */
static bool fill(struct keeper *k)
{
    struct wire *w = &k->wire;

    if (w->dead || w->in_end > w->in_at)
        return false;

    keeper_settle(k, true);
    if (k->open) {
        detach(k);
        return false;
    }

    ssize_t n = recv(w->src.fd, w->in, sizeof(w->in), MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        hung_up(k);
    w->in_at = 0;
    w->in_end = n > 0 ? (size_t)n : 0;
    if (w->greets) { /* what comes before the answer was for another keeper */
        w->in_at = mark_find(&w->answer, w->nonce, w->in, w->in_end);
        w->greets = w->answer.have < MARK_BYTES;
    }
    return n > 0;
}

/* Hands what was read to yamux, as far as it takes it. */
static bool digest(struct keeper *k)
{
    struct wire *w = &k->wire;

    if (w->in_end == w->in_at)
        return false; /* what was read before the port closed still counts */

    ssize_t n = yamux_input(w->y, w->in + w->in_at, w->in_end - w->in_at);

    if (n < 0)
        w->in_at = w->in_end; /* a rule was broken: nothing of it is taken any more */
    else
        w->in_at += (size_t)n;
    return n > 0;
}

static bool flush(struct keeper *k)
{
    struct wire *w = &k->wire;

    if (w->dead || w->deaf)
        return false;
    if (w->out_at == w->out_end && !w->greets) {
        w->out_at = 0;
        w->out_end = yamux_output(w->y, w->out, sizeof(w->out));
    }
    if (w->out_at == w->out_end)
        return false;

    ssize_t n =
        send(w->src.fd, w->out + w->out_at, w->out_end - w->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN && errno != EINTR)
        w->deaf = true; /* what it said before is still to be read, up to the end */
    if (n > 0)
        w->out_at += (size_t)n;
    return n > 0;
}

static struct session *find(struct keeper *k, uint32_t id)
{
    for (size_t i = 0; i < KEEPER_SESSIONS; i++)
        if (k->sessions[i].id == id)
            return &k->sessions[i];
    return NULL;
}

static void deliver(struct keeper *k, const struct yamux_event *ev)
{
    struct session *s = ev->id ? find(k, ev->id) : NULL;

    if (ev->type == YAMUX_PONG) {
        k->silent_since = 0;
        return;
    }
    if (!s)
        return;                /* R06: late words of a conversation that is over */
    if (ev->type == YAMUX_EOF) /* close ours too: what is still unread then stays readable */
        yamux_close(k->wire.y, ev->id);
    if (ev->type == YAMUX_RESET)
        session_lost(s, "the guest dropped the request");
    else
        session_pull(s);
}

static void watch(struct keeper *k)
{
    struct wire *w = &k->wire;
    uint32_t want = w->in_end > w->in_at ? 0 : EPOLLIN;

    if (!w->deaf && (w->out_at < w->out_end || (!w->greets && yamux_has_output(w->y))))
        want |= EPOLLOUT;
    if (w->dead || want == w->events)
        return;
    w->events = want;
    if (loop_change(&k->loop, &w->src, want, NULL))
        die(k, "the control port failed");
}

void wire_pump(struct keeper *k)
{
    struct wire *w = &k->wire;
    struct yamux_event ev;
    bool moved;

    if (!w->y)
        return;
    do {
        moved = digest(k);
        while (yamux_next_event(w->y, &ev))
            deliver(k, &ev);
        for (struct link *l = k->links, *next; l; l = next) {
            next = l->next;
            link_retry(l); /* a client's frame may fit now */
        }
        moved |= flush(k);
    } while (moved);
    if (yamux_why(w->y)[0])
        die(k, yamux_why(w->y)); /* R10; the go-away is on its way */
    watch(k);
}

static void ready(struct loop_source *s, uint32_t events)
{
    struct keeper *k = container_of(s, struct keeper, wire.src);

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        fill(k);
    wire_pump(k);
}

void wire_drain(struct keeper *k)
{
    for (int i = 0; i < DRAIN_ROUNDS && fill(k); i++)
        wire_pump(k);
    wire_pump(k);
}

int wire_open(struct keeper *k, int fd, struct err *e)
{
    static const struct yamux_config cfg = { .client = true, .max_streams = KEEPER_SESSIONS + 8 };
    struct wire *w = &k->wire;

    w->src = (struct loop_source){ .fd = fd, .ready = ready };
    w->events = EPOLLIN;
    w->y = yamux_new(&cfg);
    if (!w->y)
        return err_set(e, ENOMEM, "out of memory");
    if (FAILPOINT("wire.watch"))
        return err_sys(e, "control port");
    return loop_add(&k->loop, &w->src, EPOLLIN, e);
}

int wire_greet(struct wire *w, const uint8_t mark[MARK_BYTES], struct err *e)
{
    if (!mark_make(w->nonce))
        return err_sys(e, "random numbers");
    memcpy(w->out, mark, MARK_BYTES);
    memcpy(w->out + MARK_BYTES, w->nonce, MARK_BYTES);
    w->out_end = MARK_BYTES + sizeof(w->nonce);
    w->greets = true;
    return 0;
}

void wire_close(struct wire *w)
{
    w->dead = true;
    fd_closep(&w->src.fd);
    yamux_free(w->y);
    w->y = NULL;
}
