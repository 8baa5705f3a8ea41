/*
 * yamux_session.h - what yamux.c (streams and their owner), yamux_input.c (the peer speaks) and
 * yamux_output.c (the peer listens) share. Private to those three.
 */
#ifndef BASE_YAMUX_SESSION_H
#define BASE_YAMUX_SESSION_H

#include "base/ring.h"
#include "base/yamux.h"

enum { YM_DATA = 0, YM_WINDOW = 1, YM_PING = 2, YM_GO_AWAY = 3 };        /* frame types */
enum { YM_SYN = 1, YM_ACK = 2, YM_FIN = 4, YM_RST = 8 };                 /* frame flags */
enum { YM_AWAY_NORMAL = 0, YM_AWAY_PROTOCOL = 1, YM_AWAY_INTERNAL = 2 }; /* go-away codes */

#define YM_NONE   UINT16_MAX /* no stream */
#define YM_SPARES 4u         /* idle buffers kept for the next stream that needs one */
#define YM_CTL    64u        /* pongs and refusals that may wait; input stops when they do */
#define YM_STAGE  64u        /* a small frame that the caller takes in smaller pieces */

enum yamux_stream_state {
    ST_SYN_DUE = 1 << 0,     /* ours, and the peer has not been told yet */
    ST_ACK_DUE = 1 << 1,     /* the peer's, not acknowledged yet */
    ST_GRANT_DUE = 1 << 2,   /* enough was consumed to grant it again */
    ST_RST_DUE = 1 << 3,     /* dead, and the peer has not been told yet */
    ST_CLOSED = 1 << 4,      /* the owner will write no more */
    ST_FIN_SENT = 1 << 5,    /* … and the peer knows */
    ST_PEER_FIN = 1 << 6,    /* the peer will send no more */
    ST_SHORT_WRITE = 1 << 7, /* the owner waits for room */
    ST_DEAD = 1 << 8,        /* no id any more; waits in a queue only */
};

enum yamux_queue_name { Q_OUT, Q_EVENT, Q_COUNT };

struct yamux_stream {
    uint32_t id;
    uint32_t recv_window; /* bytes the peer may still send */
    uint32_t send_window; /* bytes the peer still takes */
    uint32_t consumed;    /* read by the owner, not granted again yet */
    struct ring rx, tx;   /* memory owned, taken at first use, given back when empty */
    uint16_t state;
    uint16_t chain; /* next in the same hash bucket, or in the free list */
    uint16_t link[Q_COUNT];
    bool queued[Q_COUNT];
    uint8_t events; /* 1 << enum yamux_event_type, pending */
};

struct yamux_queue {
    uint16_t head, tail;
};

struct yamux_ctl {
    uint32_t value; /* ping value, or id of the refused stream */
    bool refusal;
};

struct yamux {
    struct yamux_config cfg;
    const char *why; /* the rule the peer broke; NULL while it broke none */
    bool away_due, away_received;
    uint64_t next_id;   /* of our next stream */
    uint32_t last_peer; /* highest id the peer opened */

    struct yamux_stream *streams; /* owned, max_streams */
    uint16_t *buckets;            /* owned, mask + 1 */
    uint32_t mask;
    uint16_t free_head, fresh; /* slots given back; slots below fresh were used once */
    struct yamux_queue queue[Q_COUNT];
    uint8_t *spare[YM_SPARES]; /* owned */
    unsigned nspare;

    /*
     * Data that streams which we reset may legitimately still receive: the peer sent it before it
     * could know. What goes beyond is a broken rule.
     */
    uint64_t late;

    struct yamux_ctl ctl[YM_CTL];
    unsigned ctl_head, ctl_len;
    uint32_t ping_value, pong_value;
    bool ping_due, ping_out, pong_event;

    uint8_t in_header[YAMUX_HEADER];
    unsigned in_have; /* header bytes so far; YAMUX_HEADER while a body is coming */
    uint32_t in_left; /* body bytes to come */
    uint16_t in_slot; /* their stream; YM_NONE: they are skipped */
    bool in_fin;      /* FIN takes effect after the body */

    uint8_t stage[YM_STAGE];
    unsigned stage_at, stage_len;
};

static inline uint16_t yamux_slot(const struct yamux *y, const struct yamux_stream *s)
{
    return (uint16_t)(s - y->streams);
}

/* Our own streams are odd for a client, even for a server. */
static inline bool yamux_is_ours(const struct yamux *y, uint32_t id)
{
    return (id & 1) == (y->cfg.client ? 1u : 0u);
}

struct yamux_stream *yamux_find(const struct yamux *y, uint32_t id);
struct yamux_stream *yamux_stream_new(struct yamux *y, uint32_t id); /* NULL: all in use */
bool yamux_ring_take(struct yamux *y, struct ring *r);               /* memory for r; false: none */
void yamux_ring_give(struct yamux *y, struct ring *r);               /* back, contents dropped */

void yamux_enqueue(struct yamux *y, enum yamux_queue_name q, struct yamux_stream *s);
struct yamux_stream *yamux_head(const struct yamux *y, enum yamux_queue_name q);
void yamux_dequeue(struct yamux *y, enum yamux_queue_name q); /* the head */

void yamux_raise(struct yamux *y, struct yamux_stream *s, enum yamux_event_type type);

/* The stream is over for its owner: told by YAMUX_RESET when told is set, and the peer by RST. */
void yamux_kill(struct yamux *y, struct yamux_stream *s, bool tell_peer, bool tell_owner);

/* After anything that may have ended a stream: its slot is given back when nothing needs it. */
void yamux_settle(struct yamux *y, struct yamux_stream *s);
bool yamux_is_done(const struct yamux_stream *s);

void yamux_allow_late(struct yamux *y, uint32_t bytes);

#endif
