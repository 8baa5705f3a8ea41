/*
 * yamux_output.c - what the peer gets: frames made at the moment they are taken, straight into the
 * caller's buffer, streams in turn.
 */
#include "base/yamux_session.h"

#include <string.h>

#define FRAME_MAX   16384u /* bytes of one stream before another gets its turn */
#define WORTH_WHILE 1024u  /* a remainder of the caller's buffer not worth a frame of its own */

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static size_t header(uint8_t *out, uint8_t type, unsigned flags, uint32_t id, uint32_t len)
{
    out[0] = 0;
    out[1] = type;
    out[2] = 0;
    out[3] = (uint8_t)flags;
    put32(out + 4, id);
    put32(out + 8, len);
    return YAMUX_HEADER;
}

static bool fin_due(const struct yamux_stream *s)
{
    return (s->state & (ST_CLOSED | ST_FIN_SENT)) == ST_CLOSED && s->tx.len == 0;
}

static bool has_work(const struct yamux_stream *s)
{
    if (s->state & ST_DEAD)
        return s->state & ST_RST_DUE;
    return (s->state & (ST_SYN_DUE | ST_ACK_DUE | ST_GRANT_DUE)) || (s->tx.len && s->send_window) ||
           fin_due(s);
}

static uint32_t sendable(const struct yamux_stream *s, size_t room)
{
    uint32_t n = s->tx.len < s->send_window ? s->tx.len : s->send_window;

    if (n > FRAME_MAX)
        n = FRAME_MAX;
    return n < room ? n : (uint32_t)room;
}

/*
 * FIN travels on a window update, never with the last bytes: there are peers that act on a frame's
 * flags before its body, and would lose them.
 */
static unsigned take_fin(struct yamux_stream *s)
{
    if (!fin_due(s))
        return 0;
    s->state |= ST_FIN_SENT;
    return YM_FIN;
}

static size_t data_frame(struct yamux *y, struct yamux_stream *s, unsigned flags, uint32_t n,
                         uint8_t *out)
{
    ring_get(&s->tx, out + YAMUX_HEADER, n);
    s->send_window -= n;
    header(out, YM_DATA, flags, s->id, n);
    if ((s->state & ST_SHORT_WRITE) && s->tx.len <= YAMUX_INITIAL_WINDOW / 4 * 3) {
        s->state &= (uint16_t)~ST_SHORT_WRITE;
        yamux_raise(y, s, YAMUX_WRITABLE);
    }
    if (s->tx.len == 0)
        yamux_ring_give(y, &s->tx);
    return YAMUX_HEADER + n;
}

/* One frame of s: its size, 0 when s has none. */
static size_t stream_frame(struct yamux *y, struct yamux_stream *s, uint8_t *out, size_t room)
{
    if (!has_work(s))
        return 0;
    if (s->state & ST_DEAD) {
        s->state &= (uint16_t)~ST_RST_DUE;
        return header(out, YM_WINDOW, YM_RST, s->id, 0);
    }

    uint32_t n = sendable(s, room - YAMUX_HEADER);
    uint32_t grant = s->state & ST_GRANT_DUE ? s->consumed : 0;
    unsigned flags = (s->state & ST_SYN_DUE ? YM_SYN : 0u) | (s->state & ST_ACK_DUE ? YM_ACK : 0u);

    s->state &= (uint16_t) ~(ST_SYN_DUE | ST_ACK_DUE | ST_GRANT_DUE);
    if (n && !grant)
        return data_frame(y, s, flags, n, out);
    s->consumed -= grant;
    s->recv_window += grant;
    return header(out, YM_WINDOW, flags | take_fin(s), s->id, grant);
}

/* The answer that has waited longest. */
static size_t ctl_frame(struct yamux *y, uint8_t *out)
{
    struct yamux_ctl c = y->ctl[y->ctl_head];

    y->ctl_head = (y->ctl_head + 1) % YM_CTL;
    y->ctl_len--;
    return c.refusal ? header(out, YM_WINDOW, YM_RST, c.value, 0)
                     : header(out, YM_PING, YM_ACK, 0, c.value);
}

/* The next frame, room being enough for a header and a byte: its size, 0 when there is none. */
static size_t next_frame(struct yamux *y, uint8_t *out, size_t room)
{
    struct yamux_stream *s;

    if (y->why) {
        if (!y->away_due)
            return 0;
        y->away_due = false;
        return header(out, YM_GO_AWAY, 0, 0, YM_AWAY_PROTOCOL);
    }
    if (y->ctl_len)
        return ctl_frame(y, out);
    if (y->ping_due) {
        y->ping_due = false;
        y->ping_out = true;
        return header(out, YM_PING, YM_SYN, 0, y->ping_value);
    }
    while ((s = yamux_head(y, Q_OUT)) != NULL) {
        size_t n = stream_frame(y, s, out, room);

        yamux_dequeue(y, Q_OUT);
        if (has_work(s))
            yamux_enqueue(y, Q_OUT, s);
        yamux_settle(y, s);
        if (n)
            return n;
    }
    return 0;
}

size_t yamux_output(struct yamux *y, void *buf, size_t len)
{
    uint8_t *p = buf;
    size_t done = 0;

    while (done < len) {
        size_t room = len - done;

        if (y->stage_len) {
            size_t n = room < y->stage_len ? room : y->stage_len;

            memcpy(p + done, y->stage + y->stage_at, n);
            y->stage_at += (unsigned)n;
            y->stage_len -= (unsigned)n;
            done += n;
            continue;
        }
        if (done && room < WORTH_WHILE)
            break;

        /* A caller with little room takes a small frame in pieces. */
        bool direct = room >= YM_STAGE;
        size_t n = next_frame(y, direct ? p + done : y->stage, direct ? room : YM_STAGE);

        if (n == 0)
            break;
        if (direct) {
            done += n;
        } else {
            y->stage_at = 0;
            y->stage_len = (unsigned)n;
        }
    }
    return done;
}

bool yamux_has_output(const struct yamux *y)
{
    if (y->stage_len)
        return true;
    if (y->why)
        return y->away_due;
    return y->ctl_len || y->ping_due || yamux_head(y, Q_OUT);
}
