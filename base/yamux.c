/*
 * yamux.c - streams as their owner sees them: open, read, write, close, events. See yamux.h.
 *
 * A stream is a slot in an array, found by id through a hash table and linked into two queues: one
 * of streams with frames to send, one of streams with events to tell. A slot is given back when
 * the stream is dead or done and no queue holds it.
 */
#include "base/yamux.h"

#include "base/yamux_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct yamux *yamux_new(const struct yamux_config *cfg)
{
    struct yamux *y = calloc(1, sizeof(*y));
    uint32_t buckets = 4;

    if (!y)
        return NULL;
    while (buckets < 2u * cfg->max_streams)
        buckets *= 2;
    y->cfg = *cfg;
    y->next_id = cfg->client ? 1 : 2;
    y->mask = buckets - 1;
    y->free_head = YM_NONE;
    y->in_slot = YM_NONE;
    for (int q = 0; q < Q_COUNT; q++)
        y->queue[q] = (struct yamux_queue){ .head = YM_NONE, .tail = YM_NONE };
    y->streams = calloc(cfg->max_streams ? cfg->max_streams : 1, sizeof(*y->streams));
    y->buckets = malloc(buckets * sizeof(*y->buckets));
    if (!y->streams || !y->buckets) {
        yamux_free(y);
        return NULL;
    }
    memset(y->buckets, 0xff, buckets * sizeof(*y->buckets)); /* YM_NONE everywhere */
    return y;
}

void yamux_free(struct yamux *y)
{
    if (!y)
        return;
    for (uint16_t i = 0; y->streams && i < y->fresh; i++) {
        free(y->streams[i].rx.mem);
        free(y->streams[i].tx.mem);
    }
    while (y->nspare)
        free(y->spare[--y->nspare]);
    free(y->streams);
    free(y->buckets);
    free(y);
}

const char *yamux_why(const struct yamux *y)
{
    return y->why ? y->why : "";
}

/* ---- slots ---- */

static uint16_t *bucket(const struct yamux *y, uint32_t id)
{
    return &y->buckets[(id >> 1) & y->mask];
}

struct yamux_stream *yamux_find(const struct yamux *y, uint32_t id)
{
    for (uint16_t i = *bucket(y, id); i != YM_NONE; i = y->streams[i].chain)
        if (y->streams[i].id == id)
            return &y->streams[i];
    return NULL;
}

struct yamux_stream *yamux_stream_new(struct yamux *y, uint32_t id)
{
    uint16_t slot = y->free_head;

    if (slot != YM_NONE)
        y->free_head = y->streams[slot].chain;
    else if (y->fresh < y->cfg.max_streams)
        slot = y->fresh++;
    else
        return NULL;

    struct yamux_stream *s = &y->streams[slot];
    uint16_t *b = bucket(y, id);

    *s = (struct yamux_stream){ .id = id,
                                .recv_window = YAMUX_INITIAL_WINDOW,
                                .send_window = YAMUX_INITIAL_WINDOW,
                                .chain = *b };
    *b = slot;
    return s;
}

static void unhash(struct yamux *y, const struct yamux_stream *s)
{
    uint16_t *at = bucket(y, s->id);

    while (*at != yamux_slot(y, s))
        at = &y->streams[*at].chain;
    *at = s->chain;
}

bool yamux_ring_take(struct yamux *y, struct ring *r)
{
    if (r->mem)
        return true;

    uint8_t *mem = y->nspare ? y->spare[--y->nspare] : malloc(YAMUX_INITIAL_WINDOW);

    if (!mem)
        return false;
    *r = (struct ring){ .mem = mem, .size = YAMUX_INITIAL_WINDOW };
    return true;
}

void yamux_ring_give(struct yamux *y, struct ring *r)
{
    if (r->mem && y->nspare < YM_SPARES)
        y->spare[y->nspare++] = r->mem;
    else
        free(r->mem);
    *r = (struct ring){ 0 };
}

/* ---- queues ---- */

void yamux_enqueue(struct yamux *y, enum yamux_queue_name name, struct yamux_stream *s)
{
    struct yamux_queue *q = &y->queue[name];
    uint16_t slot = yamux_slot(y, s);

    if (s->queued[name])
        return;
    s->queued[name] = true;
    s->link[name] = YM_NONE;
    if (q->tail == YM_NONE)
        q->head = slot;
    else
        y->streams[q->tail].link[name] = slot;
    q->tail = slot;
}

struct yamux_stream *yamux_head(const struct yamux *y, enum yamux_queue_name name)
{
    uint16_t slot = y->queue[name].head;

    return slot == YM_NONE ? NULL : &y->streams[slot];
}

void yamux_dequeue(struct yamux *y, enum yamux_queue_name name)
{
    struct yamux_queue *q = &y->queue[name];
    struct yamux_stream *s = &y->streams[q->head];

    s->queued[name] = false;
    q->head = s->link[name];
    if (q->head == YM_NONE)
        q->tail = YM_NONE;
}

/* ---- ends ---- */

bool yamux_is_done(const struct yamux_stream *s)
{
    return (s->state & ST_FIN_SENT) && (s->state & ST_PEER_FIN) && s->rx.len == 0 && s->events == 0;
}

static void forget(struct yamux *y, struct yamux_stream *s)
{
    unhash(y, s);
    yamux_ring_give(y, &s->rx);
    yamux_ring_give(y, &s->tx);
    if (y->in_slot == yamux_slot(y, s))
        y->in_slot = YM_NONE; /* the rest of that frame is skipped */
    s->state = (s->state & ST_RST_DUE) | ST_DEAD;
    s->events = 0;
}

void yamux_settle(struct yamux *y, struct yamux_stream *s)
{
    if (!(s->state & ST_DEAD)) {
        /* The owner may still ask about it: the slot goes when it asks for the next event. */
        if (yamux_is_done(s))
            yamux_enqueue(y, Q_EVENT, s);
        return;
    }
    if (s->queued[Q_OUT] || s->queued[Q_EVENT])
        return;
    s->chain = y->free_head;
    y->free_head = yamux_slot(y, s);
}

void yamux_allow_late(struct yamux *y, uint32_t bytes)
{
    uint64_t streams = y->cfg.max_streams < 64 ? 64 : y->cfg.max_streams;
    uint64_t most = streams * YAMUX_INITIAL_WINDOW;

    y->late = y->late + bytes < most ? y->late + bytes : most;
}

void yamux_kill(struct yamux *y, struct yamux_stream *s, bool tell_peer, bool tell_owner)
{
    /* The owner is not told the end of what it never saw begin, or has finished with. */
    bool known = !(s->events & 1u << YAMUX_OPENED) && !yamux_is_done(s);

    if (tell_peer && !(s->state & ST_SYN_DUE)) {
        if (!(s->state & ST_PEER_FIN))
            yamux_allow_late(y, s->recv_window);
        s->state |= ST_RST_DUE;
        yamux_enqueue(y, Q_OUT, s);
    }
    forget(y, s);
    if (tell_owner && known)
        yamux_raise(y, s, YAMUX_RESET);
    yamux_settle(y, s);
}

/* ---- events ---- */

void yamux_raise(struct yamux *y, struct yamux_stream *s, enum yamux_event_type type)
{
    s->events |= (uint8_t)(1u << type);
    yamux_enqueue(y, Q_EVENT, s);
}

/* The stream's first pending event, in the order of the enumeration. */
static enum yamux_event_type take_event(struct yamux_stream *s)
{
    enum yamux_event_type type = (enum yamux_event_type)__builtin_ctz(s->events);

    s->events &= (uint8_t)(s->events - 1);
    return type;
}

bool yamux_next_event(struct yamux *y, struct yamux_event *ev)
{
    struct yamux_stream *s;

    if (y->pong_event) {
        y->pong_event = false;
        *ev = (struct yamux_event){ .type = YAMUX_PONG, .id = y->pong_value };
        return true;
    }
    while ((s = yamux_head(y, Q_EVENT)) != NULL) {
        bool any = s->events != 0;

        if (any)
            *ev = (struct yamux_event){ .id = s->id, .type = take_event(s) };
        else if (!(s->state & ST_DEAD) && yamux_is_done(s))
            forget(y, s);
        if (s->events)
            return true;
        yamux_dequeue(y, Q_EVENT);
        yamux_settle(y, s);
        if (any)
            return true;
    }
    return false;
}

/* ---- what the owner does ---- */

uint32_t yamux_open(struct yamux *y)
{
    if (y->why || y->away_received || y->next_id > UINT32_MAX)
        return 0;

    struct yamux_stream *s = yamux_stream_new(y, (uint32_t)y->next_id);

    if (!s)
        return 0;
    y->next_id += 2;
    s->state = ST_SYN_DUE;
    yamux_enqueue(y, Q_OUT, s);
    return s->id;
}

ssize_t yamux_read(struct yamux *y, uint32_t id, void *buf, size_t len)
{
    struct yamux_stream *s = yamux_find(y, id);

    if (!s)
        return -ENOENT;

    size_t n = ring_get(&s->rx, buf, len);

    if (n == 0)
        return 0;
    s->consumed += (uint32_t)n;
    if (s->consumed >= YAMUX_INITIAL_WINDOW / 2 && !(s->state & ST_PEER_FIN)) {
        s->state |= ST_GRANT_DUE;
        yamux_enqueue(y, Q_OUT, s);
    }
    if (s->rx.len == 0) {
        yamux_ring_give(y, &s->rx);
        yamux_settle(y, s);
    }
    return (ssize_t)n;
}

size_t yamux_readable(const struct yamux *y, uint32_t id)
{
    const struct yamux_stream *s = yamux_find(y, id);

    return s ? s->rx.len : 0;
}

bool yamux_at_eof(const struct yamux *y, uint32_t id)
{
    const struct yamux_stream *s = yamux_find(y, id);

    return s && (s->state & ST_PEER_FIN) && s->rx.len == 0;
}

ssize_t yamux_write(struct yamux *y, uint32_t id, const void *buf, size_t len)
{
    struct yamux_stream *s = yamux_find(y, id);

    if (!s || (s->state & ST_CLOSED))
        return -EPIPE;
    if (len == 0)
        return 0;
    if (!yamux_ring_take(y, &s->tx))
        return -ENOMEM;

    size_t n = ring_put(&s->tx, buf, len);

    if (n < len)
        s->state |= ST_SHORT_WRITE;
    if (s->send_window)
        yamux_enqueue(y, Q_OUT, s);
    return (ssize_t)n;
}

size_t yamux_writable(const struct yamux *y, uint32_t id)
{
    const struct yamux_stream *s = yamux_find(y, id);

    return !s || (s->state & ST_CLOSED) ? 0 : YAMUX_INITIAL_WINDOW - s->tx.len;
}

void yamux_close(struct yamux *y, uint32_t id)
{
    struct yamux_stream *s = yamux_find(y, id);

    if (!s || (s->state & ST_CLOSED))
        return;
    s->state |= ST_CLOSED;
    s->state &= (uint16_t)~ST_SHORT_WRITE;
    if (s->tx.len == 0 || s->send_window)
        yamux_enqueue(y, Q_OUT, s);
}

void yamux_reset(struct yamux *y, uint32_t id)
{
    struct yamux_stream *s = yamux_find(y, id);

    if (s)
        yamux_kill(y, s, true, false);
}

bool yamux_ping(struct yamux *y, uint32_t value)
{
    if (y->ping_due || y->ping_out)
        return false;
    y->ping_value = value;
    y->ping_due = true;
    return true;
}
