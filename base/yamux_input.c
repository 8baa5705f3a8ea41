/*
 * yamux_input.c - what the peer sends: each frame header judged before a byte of its body is taken.
 *
 * Everything here is said by an adversary. Room for a body is guaranteed by the window that was
 * granted, so a frame within its window always fits and one past it never touches a buffer.
 */
#include "base/yamux_session.h"

#include <errno.h>
#include <string.h>

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static int broken(struct yamux *y, const char *rule)
{
    y->why = rule;
    y->away_due = true;
    return -EPROTO;
}

static void answer_later(struct yamux *y, bool refusal, uint32_t value)
{
    y->ctl[(y->ctl_head + y->ctl_len++) % YM_CTL] =
        (struct yamux_ctl){ .value = value, .refusal = refusal };
}

static void skip(struct yamux *y, uint32_t len)
{
    y->in_slot = YM_NONE;
    y->in_left = len;
    y->in_fin = false;
}

/* The peer opens a stream. *out is NULL when it was refused. */
static int on_syn(struct yamux *y, uint16_t flags, uint32_t id, struct yamux_stream **out)
{
    if (yamux_is_ours(y, id))
        return broken(y, "SYN with a stream id of the wrong parity");
    if (id <= y->last_peer)
        return broken(y, yamux_find(y, id) ? "SYN on a live stream" : "stream id used again");
    y->last_peer = id;

    struct yamux_stream *s = y->cfg.accept ? yamux_stream_new(y, id) : NULL;

    *out = s;
    if (!s) {
        if (!(flags & YM_RST)) {
            yamux_allow_late(y, YAMUX_INITIAL_WINDOW);
            answer_later(y, true, id);
        }
        return 0;
    }
    s->state = ST_ACK_DUE;
    yamux_enqueue(y, Q_OUT, s);
    yamux_raise(y, s, YAMUX_OPENED);
    return 0;
}

/*
 * A frame for an id without a stream. Late window updates, FIN and RST are ordinary; late data is
 * when we reset the stream, as far as its window went.
 */
static int on_gone(struct yamux *y, uint8_t type, uint32_t id, uint32_t len)
{
    bool opened = yamux_is_ours(y, id) ? id < y->next_id : id <= y->last_peer;

    if (!opened)
        return broken(y, "frame for a stream that was never opened");
    if (type != YM_DATA || len == 0)
        return 0;
    if (len > y->late)
        return broken(y, "data for a stream that has ended");
    y->late -= len;
    skip(y, len);
    return 0;
}

static void on_fin(struct yamux *y, struct yamux_stream *s)
{
    s->state |= ST_PEER_FIN;
    yamux_raise(y, s, YAMUX_EOF);
    yamux_settle(y, s);
}

static int on_window(struct yamux *y, struct yamux_stream *s, uint16_t flags, uint32_t delta)
{
    if (add_overflows(s->send_window, delta, &s->send_window))
        return broken(y, "window overflow");
    if (s->send_window && s->tx.len)
        yamux_enqueue(y, Q_OUT, s);
    if (flags & YM_FIN)
        on_fin(y, s);
    return 0;
}

static int on_data(struct yamux *y, struct yamux_stream *s, uint16_t flags, uint32_t len)
{
    if (len > s->recv_window)
        return broken(y, "data past the window");
    if (flags & YM_RST) {
        skip(y, len);
        yamux_kill(y, s, false, true);
        return 0;
    }
    s->recv_window -= len;
    if (len && !yamux_ring_take(y, &s->rx)) {
        skip(y, len);
        yamux_kill(y, s, true, true); /* no memory for this one stream */
        return 0;
    }
    if (len == 0) {
        if (flags & YM_FIN)
            on_fin(y, s);
        return 0;
    }
    y->in_slot = yamux_slot(y, s);
    y->in_left = len;
    y->in_fin = flags & YM_FIN;
    return 0;
}

static int on_stream(struct yamux *y, uint8_t type, uint16_t flags, uint32_t id, uint32_t len)
{
    struct yamux_stream *s;

    if (id == 0)
        return broken(y, "stream frame with the session's id");
    if (flags & YM_SYN) {
        int err = on_syn(y, flags, id, &s);

        if (err)
            return err;
    } else {
        s = yamux_find(y, id);
    }
    if (!s)
        return on_gone(y, type, id, len);
    if (s->state & ST_SYN_DUE)
        return broken(y, "frame for a stream that was never opened");
    if ((s->state & ST_PEER_FIN) && (type == YM_DATA || (flags & YM_FIN)) && !(flags & YM_RST))
        return broken(y, "data after FIN");
    if (type == YM_DATA)
        return on_data(y, s, flags, len);
    if (flags & YM_RST) {
        yamux_kill(y, s, false, true);
        return 0;
    }
    return on_window(y, s, flags, len);
}

static int on_ping(struct yamux *y, uint16_t flags, uint32_t value)
{
    if (flags == YM_SYN) {
        answer_later(y, false, value);
        return 0;
    }
    if (flags != YM_ACK)
        return broken(y, "ping that neither asks nor answers");
    if (y->ping_out && value == y->ping_value) {
        y->ping_out = false;
        y->pong_event = true;
        y->pong_value = value;
    }
    return 0;
}

static int on_go_away(struct yamux *y, uint32_t code)
{
    switch (code) {
    case YM_AWAY_NORMAL: y->away_received = true; return 0;
    case YM_AWAY_PROTOCOL: return broken(y, "the peer went away: protocol error");
    case YM_AWAY_INTERNAL: return broken(y, "the peer went away: internal error");
    default: return broken(y, "unknown go-away code");
    }
}

static int on_header(struct yamux *y, const uint8_t *h)
{
    uint16_t flags = get16(h + 2);
    uint32_t id = get32(h + 4), len = get32(h + 8);

    if (h[0] != 0)
        return broken(y, "unknown version");
    if (h[1] > YM_GO_AWAY)
        return broken(y, "unknown frame type");
    if (flags & ~(YM_SYN | YM_ACK | YM_FIN | YM_RST))
        return broken(y, "unknown flag");
    if (h[1] <= YM_WINDOW)
        return on_stream(y, h[1], flags, id, len);
    if (id != 0)
        return broken(y, "session frame with a stream's id");
    return h[1] == YM_PING ? on_ping(y, flags, len) : on_go_away(y, len);
}

/* Bytes of the body that is coming: the count taken. */
static size_t on_body(struct yamux *y, const uint8_t *p, size_t len)
{
    uint32_t n = len < y->in_left ? (uint32_t)len : y->in_left;

    y->in_left -= n;
    if (y->in_slot == YM_NONE)
        return n;

    struct yamux_stream *s = &y->streams[y->in_slot];

    /* The owner may have emptied, and so given back, the buffer in mid-frame. */
    if (!yamux_ring_take(y, &s->rx)) {
        yamux_kill(y, s, true, true);
        return n;
    }
    ring_put(&s->rx, p, n);
    yamux_raise(y, s, YAMUX_READABLE);
    if (y->in_left == 0) {
        y->in_slot = YM_NONE;
        if (y->in_fin)
            on_fin(y, s);
    }
    return n;
}

/* The next header, from as many pieces as it takes: bytes taken, or -EPROTO. */
static ssize_t take_header(struct yamux *y, const uint8_t *p, size_t len)
{
    if (y->in_have == 0 && len >= YAMUX_HEADER) {
        int err = on_header(y, p);

        return err ? err : (ssize_t)YAMUX_HEADER;
    }

    size_t n = YAMUX_HEADER - y->in_have;

    if (n > len)
        n = len;
    memcpy(y->in_header + y->in_have, p, n);
    y->in_have += (unsigned)n;
    if (y->in_have == YAMUX_HEADER) {
        int err = on_header(y, y->in_header);

        y->in_have = 0;
        if (err)
            return err;
    }
    return (ssize_t)n;
}

ssize_t yamux_input(struct yamux *y, const void *buf, size_t len)
{
    const uint8_t *p = buf;
    size_t done = 0;

    if (y->why)
        return -EPROTO;
    while (done < len) {
        if (y->in_left) {
            done += on_body(y, p + done, len - done);
            continue;
        }
        if (y->ctl_len == YM_CTL)
            break; /* no room for one more answer: the peer must take those that wait */

        ssize_t n = take_header(y, p + done, len - done);

        if (n < 0)
            return n;
        done += (size_t)n;
    }
    return (ssize_t)done;
}
