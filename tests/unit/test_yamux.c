/*
 * test_yamux.c - the wire: a session against hand-made frames (the hostile peer), and two sessions
 * back to back with random chunking. The sources are included, so that a test can begin near the
 * end of the stream ids.
 */
#include "base/yamux.c"        /* NOLINT(bugprone-suspicious-include) */
#include "base/yamux_input.c"  /* NOLINT(bugprone-suspicious-include) */
#include "base/yamux_output.c" /* NOLINT(bugprone-suspicious-include) */

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WINDOW YAMUX_INITIAL_WINDOW

static uint8_t bulk[4 * WINDOW]; /* bytes without meaning */

static struct yamux *session(bool client, uint16_t max_streams)
{
    struct yamux_config cfg = { .client = client, .max_streams = max_streams, .accept = true };
    struct yamux *y = yamux_new(&cfg);

    assert_non_null(y);
    return y;
}

/* A server, so that the hand-made peer opens odd ids. */
static struct yamux *server(void)
{
    return session(false, 8);
}

/* Feeds one frame; the verdict of yamux_input, which must have taken all of it unless it failed. */
static ssize_t feed(struct yamux *y, uint8_t type, unsigned flags, uint32_t id, uint32_t len,
                    uint32_t body)
{
    uint8_t h[YAMUX_HEADER];

    header(h, type, flags, id, len);

    ssize_t n = yamux_input(y, h, sizeof(h));

    if (n < 0)
        return n;
    assert_int_equal(n, sizeof(h));
    if (body == 0)
        return 0;
    n = yamux_input(y, bulk, body);
    if (n < 0)
        return n;
    assert_int_equal(n, body);
    return 0;
}

static void must_feed(struct yamux *y, uint8_t type, unsigned flags, uint32_t id, uint32_t len)
{
    assert_int_equal(feed(y, type, flags, id, len, type == YM_DATA ? len : 0), 0);
}

/* The next frame a session sends; its body, if any, lands in bulk. */
struct frame {
    unsigned type, flags;
    uint32_t id, len;
};

static bool next_sent(struct yamux *y, struct frame *f)
{
    uint8_t h[YAMUX_HEADER];
    size_t n = yamux_output(y, h, sizeof(h));

    if (n == 0)
        return false;
    assert_int_equal(n, sizeof(h));
    *f = (struct frame){ .type = h[1], .flags = h[3], .id = get32(h + 4), .len = get32(h + 8) };
    assert_int_equal(h[0], 0);
    for (uint32_t left = f->type == YM_DATA ? f->len : 0; left;) {
        n = yamux_output(y, bulk, left);
        assert_true(n > 0);
        left -= (uint32_t)n;
    }
    return true;
}

#define assert_sent(y, t, fl, i, l)     \
    do {                                \
        struct frame f_;                \
        assert_true(next_sent(y, &f_)); \
        assert_int_equal(f_.type, t);   \
        assert_int_equal(f_.flags, fl); \
        assert_int_equal(f_.id, i);     \
        assert_int_equal(f_.len, l);    \
    } while (0)

#define assert_quiet(y) assert_false(next_sent(y, &(struct frame){ 0 }))

#define assert_event(y, t, i)                  \
    do {                                       \
        struct yamux_event e_;                 \
        assert_true(yamux_next_event(y, &e_)); \
        assert_int_equal(e_.type, t);          \
        assert_int_equal(e_.id, i);            \
    } while (0)

#define assert_no_event(y) assert_false(yamux_next_event(y, &(struct yamux_event){ 0 }))

/* The session is over: the rule is named, one go-away is sent, nothing more is taken. */
static void assert_broken(struct yamux *y, const char *rule)
{
    uint8_t out[64];

    assert_string_equal(yamux_why(y), rule);
    assert_int_equal(yamux_input(y, bulk, 1), -EPROTO);
    while (y->stage_len)
        assert_true(yamux_output(y, out, 1) == 1);
    assert_true(yamux_has_output(y));
    assert_int_equal(yamux_output(y, out, sizeof(out)), YAMUX_HEADER);
    assert_int_equal(out[1], YM_GO_AWAY);
    assert_int_equal(get32(out + 8), YM_AWAY_PROTOCOL);
    assert_false(yamux_has_output(y));
    assert_int_equal(yamux_output(y, out, sizeof(out)), 0);
    assert_int_equal(yamux_open(y), 0);
    yamux_free(y);
}

#define breaks(rule, ...)                             \
    do {                                              \
        assert_int_equal(feed(__VA_ARGS__), -EPROTO); \
        assert_broken(y, rule);                       \
    } while (0)

/* ---- R10: broken rules ---- */

static void r10_unknown_version(void **state)
{
    struct yamux *y = server();
    uint8_t h[YAMUX_HEADER] = { 1, YM_PING, 0, YM_SYN };

    (void)state;
    assert_int_equal(yamux_input(y, h, sizeof(h)), -EPROTO);
    assert_broken(y, "unknown version");
}

static void r10_unknown_type(void **state)
{
    (void)state;
    for (unsigned type = YM_GO_AWAY + 1; type < 256; type += 63) {
        struct yamux *y = server();

        breaks("unknown frame type", y, (uint8_t)type, YM_SYN, 1, 0, 0);
    }
}

static void r10_unknown_flag(void **state)
{
    (void)state;
    for (unsigned bit = 4; bit < 8; bit++) {
        struct yamux *y = server();

        breaks("unknown flag", y, YM_WINDOW, YM_SYN | 1u << bit, 1, 0, 0);
    }

    struct yamux *y = server();
    uint8_t h[YAMUX_HEADER] = { 0, YM_WINDOW, 1, YM_SYN, 0, 0, 0, 1 };

    assert_int_equal(yamux_input(y, h, sizeof(h)), -EPROTO);
    assert_broken(y, "unknown flag");
}

static void r10_wrong_parity(void **state)
{
    struct yamux *y = server();

    (void)state;
    breaks("SYN with a stream id of the wrong parity", y, YM_WINDOW, YM_SYN, 2, 0, 0);
    y = session(true, 8);
    breaks("SYN with a stream id of the wrong parity", y, YM_DATA, YM_SYN, 1, 0, 0);
}

static void r10_session_id(void **state)
{
    struct yamux *y = server();

    (void)state;
    breaks("stream frame with the session's id", y, YM_WINDOW, YM_SYN, 0, 0, 0);
    y = server();
    breaks("stream frame with the session's id", y, YM_DATA, 0, 0, 5, 0);
    y = server();
    breaks("session frame with a stream's id", y, YM_PING, YM_SYN, 1, 0, 0);
    y = server();
    breaks("session frame with a stream's id", y, YM_GO_AWAY, 0, 1, 0, 0);
}

static void r10_never_opened(void **state)
{
    struct yamux *y = server();

    (void)state;
    breaks("frame for a stream that was never opened", y, YM_DATA, 0, 1, 1, 0);
    y = server();
    breaks("frame for a stream that was never opened", y, YM_WINDOW, 0, 2, 1, 0);
    y = server();
    must_feed(y, YM_WINDOW, YM_SYN, 5, 0);
    breaks("frame for a stream that was never opened", y, YM_WINDOW, YM_RST, 7, 0, 0);

    /* Ours, but its SYN has not left: the peer cannot know the id. */
    y = server();
    assert_int_equal(yamux_open(y), 2);
    breaks("frame for a stream that was never opened", y, YM_WINDOW, YM_ACK, 2, 0, 0);
    y = server();
    assert_int_equal(yamux_open(y), 2);
    assert_sent(y, YM_WINDOW, YM_SYN, 2, 0);
    must_feed(y, YM_WINDOW, YM_ACK, 2, 0);
    breaks("frame for a stream that was never opened", y, YM_WINDOW, YM_ACK, 4, 0, 0);
}

static void r10_window_overflow(void **state)
{
    struct yamux *y = server();

    (void)state;
    must_feed(y, YM_WINDOW, YM_SYN, 1, UINT32_MAX - WINDOW); /* just fits */
    breaks("window overflow", y, YM_WINDOW, 0, 1, 1, 0);
    y = server();
    breaks("window overflow", y, YM_WINDOW, YM_SYN, 1, UINT32_MAX - WINDOW + 1, 0);
}

static void r10_window_underflow(void **state)
{
    struct yamux *y = server();

    (void)state;
    must_feed(y, YM_WINDOW, YM_SYN, 1, 0);
    must_feed(y, YM_DATA, 0, 1, WINDOW - 1);
    assert_int_equal(yamux_readable(y, 1), WINDOW - 1);
    must_feed(y, YM_DATA, 0, 1, 1); /* exactly the window */
    assert_int_equal(yamux_readable(y, 1), WINDOW);
    breaks("data past the window", y, YM_DATA, 0, 1, 1, 0);
}

static void r10_data_past_window(void **state)
{
    struct yamux *y = server();

    (void)state;
    must_feed(y, YM_WINDOW, YM_SYN, 1, 0);
    breaks("data past the window", y, YM_DATA, 0, 1, WINDOW + 1, 0);
    y = server();
    must_feed(y, YM_WINDOW, YM_SYN, 1, 0);
    breaks("data past the window", y, YM_DATA, 0, 1, UINT32_MAX, 0);
    y = server();
    breaks("data past the window", y, YM_DATA, YM_SYN | YM_RST, 1, UINT32_MAX, 0);

    /* What was read is not granted before the update is on its way. */
    y = server();
    must_feed(y, YM_WINDOW, YM_SYN, 1, 0);
    must_feed(y, YM_DATA, 0, 1, WINDOW);
    assert_int_equal(yamux_read(y, 1, bulk, WINDOW), WINDOW);
    breaks("data past the window", y, YM_DATA, 0, 1, 1, 0);
}

static void r10_syn_on_live_stream(void **state)
{
    struct yamux *y = server();

    (void)state;
    must_feed(y, YM_WINDOW, YM_SYN, 1, 0);
    breaks("SYN on a live stream", y, YM_DATA, YM_SYN, 1, 0, 0);
    y = server();
    must_feed(y, YM_WINDOW, YM_SYN, 3, 0);
    breaks("stream id used again", y, YM_WINDOW, YM_SYN, 1, 0, 0);
    y = server();
    must_feed(y, YM_WINDOW, YM_SYN, 1, 0);
    must_feed(y, YM_WINDOW, YM_RST, 1, 0);
    breaks("stream id used again", y, YM_WINDOW, YM_SYN, 1, 0, 0);
}

static void r10_data_after_fin(void **state)
{
    struct yamux *y = server();

    (void)state;
    must_feed(y, YM_DATA, YM_SYN | YM_FIN, 1, 5);
    must_feed(y, YM_WINDOW, 0, 1, 7); /* it still takes bytes */
    breaks("data after FIN", y, YM_DATA, 0, 1, 1, 0);
    y = server();
    must_feed(y, YM_WINDOW, YM_SYN | YM_FIN, 1, 0);
    breaks("data after FIN", y, YM_DATA, 0, 1, 0, 0);
    y = server();
    must_feed(y, YM_WINDOW, YM_SYN | YM_FIN, 1, 0);
    breaks("data after FIN", y, YM_WINDOW, YM_FIN, 1, 0, 0);

    /* Also once the stream is over. */
    y = server();
    must_feed(y, YM_WINDOW, YM_SYN | YM_FIN, 1, 0);
    yamux_close(y, 1);
    assert_sent(y, YM_WINDOW, YM_ACK | YM_FIN, 1, 0);
    assert_event(y, YAMUX_OPENED, 1);
    assert_event(y, YAMUX_EOF, 1);
    assert_true(yamux_at_eof(y, 1));
    assert_no_event(y);
    assert_int_equal(yamux_read(y, 1, bulk, 1), -ENOENT);
    must_feed(y, YM_WINDOW, 0, 1, 7);
    breaks("data for a stream that has ended", y, YM_DATA, 0, 1, 1, 0);
}

static void r10_data_after_rst(void **state)
{
    struct yamux *y = server();

    (void)state;
    must_feed(y, YM_WINDOW, YM_SYN, 1, 0);
    assert_event(y, YAMUX_OPENED, 1);
    must_feed(y, YM_WINDOW, YM_RST, 1, 0);
    breaks("data for a stream that has ended", y, YM_DATA, 0, 1, 1, 0);
    y = server();
    must_feed(y, YM_WINDOW, YM_SYN | YM_RST, 1, 0);
    breaks("data for a stream that has ended", y, YM_DATA, 0, 1, 1, 0);
}

static void r10_ping_without_sense(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 16; flags++) {
        struct yamux *y = server();

        if (flags == YM_SYN || flags == YM_ACK)
            yamux_free(y);
        else
            breaks("ping that neither asks nor answers", y, YM_PING, flags, 0, 7, 0);
    }
}

static void r10_go_away(void **state)
{
    struct yamux *y = server();

    (void)state;
    must_feed(y, YM_WINDOW, YM_SYN, 1, 0);
    assert_int_equal(yamux_open(y), 2);
    must_feed(y, YM_GO_AWAY, 0, 0, YM_AWAY_NORMAL);
    assert_int_equal(yamux_open(y), 0); /* no new ones, but those that live go on */
    assert_int_equal(yamux_write(y, 1, "x", 1), 1);
    must_feed(y, YM_DATA, 0, 1, 3);
    assert_int_equal(yamux_readable(y, 1), 3);
    breaks("the peer went away: protocol error", y, YM_GO_AWAY, 0, 0, 1, 0);
    y = server();
    breaks("the peer went away: internal error", y, YM_GO_AWAY, 0, 0, 2, 0);
    y = server();
    breaks("unknown go-away code", y, YM_GO_AWAY, 0, 0, 3, 0);
}

static void r10_go_away_after_half_a_frame(void **state)
{
    struct yamux *y = server();
    uint8_t out[4];

    (void)state;
    must_feed(y, YM_WINDOW, YM_SYN, 1, 0);
    assert_int_equal(yamux_write(y, 1, "abcdef", 6), 6);
    assert_int_equal(yamux_output(y, out, 4), 4); /* the frame has begun: it must be whole */
    assert_int_equal(feed(y, YM_DATA, 0, 9, 1, 0), -EPROTO);
    assert_int_equal(y->stage_len, YAMUX_HEADER + 6 - 4);
    assert_broken(y, "frame for a stream that was never opened");
}

/* ---- R10: what is not broken ---- */

static void late_data_is_dropped_within_bounds(void **state)
{
    struct yamux *y = server();

    (void)state;
    must_feed(y, YM_WINDOW, YM_SYN, 1, 0);
    must_feed(y, YM_DATA, 0, 1, 1000);
    must_feed(y, YM_WINDOW, YM_SYN, 3, 0);
    assert_sent(y, YM_WINDOW, YM_ACK, 1, 0);
    assert_sent(y, YM_WINDOW, YM_ACK, 3, 0);
    yamux_reset(y, 1);
    assert_int_equal(yamux_read(y, 1, bulk, 1), -ENOENT);
    assert_int_equal(yamux_write(y, 1, bulk, 1), -EPIPE);
    must_feed(y, YM_DATA, 0, 1, WINDOW - 2000);
    must_feed(y, YM_WINDOW, 0, 1, 500);
    must_feed(y, YM_DATA, YM_FIN, 1, 999);
    must_feed(y, YM_WINDOW, YM_RST, 1, 0);
    assert_sent(y, YM_WINDOW, YM_RST, 1, 0);
    assert_quiet(y);
    must_feed(y, YM_DATA, 0, 3, 4); /* the other stream is not touched */
    assert_int_equal(yamux_readable(y, 3), 4);
    must_feed(y, YM_DATA, 0, 1, 1); /* the last byte of its window */
    breaks("data for a stream that has ended", y, YM_DATA, 0, 1, 1, 0);
}

/* An owner that resets in the middle of a body loses that body, not the frame after it. */
static void reset_in_mid_frame(void **state)
{
    struct yamux *y = server();

    (void)state;
    must_feed(y, YM_WINDOW, YM_SYN, 1, 0);
    must_feed(y, YM_WINDOW, YM_SYN, 3, 0);
    assert_int_equal(feed(y, YM_DATA, YM_FIN, 1, 100, 40), 0);
    yamux_reset(y, 1);
    assert_int_equal(yamux_input(y, bulk, 60), 60);
    must_feed(y, YM_DATA, 0, 3, 9);
    assert_int_equal(yamux_readable(y, 3), 9);
    assert_event(y, YAMUX_OPENED, 3);
    assert_event(y, YAMUX_READABLE, 3);
    assert_no_event(y);
    yamux_free(y);
}

/* Read to the last byte, in the middle of a frame. */
static void read_in_mid_frame(void **state)
{
    struct yamux *y = server();
    char got[8];

    (void)state;
    memcpy(bulk, "abcdef", 6);
    assert_int_equal(feed(y, YM_DATA, YM_SYN | YM_FIN, 1, 6, 3), 0);
    assert_int_equal(yamux_read(y, 1, got, 8), 3);
    assert_false(yamux_at_eof(y, 1));
    assert_int_equal(yamux_input(y, bulk + 3, 3), 3);
    assert_int_equal(yamux_read(y, 1, got + 3, 5), 3);
    assert_memory_equal(got, "abcdef", 6);
    assert_true(yamux_at_eof(y, 1));
    yamux_free(y);
}

static void reset_before_the_peer_knew(void **state)
{
    struct yamux *y = session(true, 2);

    (void)state;
    assert_int_equal(yamux_open(y), 1);
    assert_int_equal(yamux_write(y, 1, "x", 1), 1);
    yamux_reset(y, 1);
    assert_quiet(y); /* neither SYN nor RST */
    assert_int_equal(yamux_open(y), 3);
    assert_int_equal(yamux_open(y), 5);
    assert_int_equal(yamux_open(y), 0);
    yamux_free(y);
}

static void peer_reset(void **state)
{
    struct yamux *y = server();

    (void)state;
    must_feed(y, YM_DATA, YM_SYN, 1, 10);
    assert_event(y, YAMUX_OPENED, 1);
    assert_int_equal(yamux_write(y, 1, "x", 1), 1);
    must_feed(y, YM_DATA, YM_RST, 1, 20); /* with a body, which goes nowhere */
    assert_event(y, YAMUX_RESET, 1);      /* and not READABLE: its bytes are gone */
    assert_no_event(y);
    assert_int_equal(yamux_read(y, 1, bulk, 1), -ENOENT);
    assert_quiet(y);
    must_feed(y, YM_WINDOW, YM_SYN, 3, 0);
    must_feed(y, YM_WINDOW, YM_RST, 3, 0); /* never seen by the owner: no word of it */
    assert_no_event(y);
    yamux_free(y);
}

/* A reset after both sides have finished is no news for an owner that has read everything. */
static void peer_reset_after_the_end(void **state)
{
    struct yamux *y = server();

    (void)state;
    must_feed(y, YM_WINDOW, YM_SYN | YM_FIN, 1, 0);
    yamux_close(y, 1);
    assert_sent(y, YM_WINDOW, YM_ACK | YM_FIN, 1, 0);
    assert_event(y, YAMUX_OPENED, 1);
    assert_event(y, YAMUX_EOF, 1);
    must_feed(y, YM_WINDOW, YM_RST, 1, 0);
    assert_no_event(y);
    yamux_free(y);
}

static void pings(void **state)
{
    struct yamux *y = server();

    (void)state;
    must_feed(y, YM_PING, YM_SYN, 0, 0xdeadbeef);
    assert_sent(y, YM_PING, YM_ACK, 0, 0xdeadbeef);
    must_feed(y, YM_PING, YM_ACK, 0, 7); /* asked by nobody */
    assert_no_event(y);
    assert_true(yamux_ping(y, 7));
    assert_false(yamux_ping(y, 8));
    assert_sent(y, YM_PING, YM_SYN, 0, 7);
    assert_false(yamux_ping(y, 8));
    must_feed(y, YM_PING, YM_ACK, 0, 8); /* not what was asked */
    assert_no_event(y);
    must_feed(y, YM_PING, YM_ACK, 0, 7);
    assert_event(y, YAMUX_PONG, 7);
    assert_true(yamux_ping(y, 8));
    yamux_free(y);
}

/* ---- flow control ---- */

static void window_is_honoured_and_granted(void **state)
{
    struct yamux *y = session(true, 4);
    struct frame f;
    uint32_t sent = 0;

    (void)state;
    assert_int_equal(yamux_open(y), 1);
    assert_int_equal(yamux_writable(y, 1), WINDOW);
    assert_int_equal(yamux_write(y, 1, bulk, sizeof(bulk)), WINDOW);
    assert_int_equal(yamux_writable(y, 1), 0);
    assert_int_equal(yamux_write(y, 1, bulk, 1), 0);
    while (next_sent(y, &f)) {
        assert_int_equal(f.type, YM_DATA);
        assert_int_equal(f.flags, sent ? 0 : YM_SYN);
        sent += f.len;
    }
    assert_int_equal(sent, WINDOW); /* all the peer's window, and no byte more */
    assert_event(y, YAMUX_WRITABLE, 1);
    assert_no_event(y);
    assert_int_equal(yamux_write(y, 1, bulk, 100), 100);
    assert_false(yamux_has_output(y));
    must_feed(y, YM_WINDOW, 0, 1, 40);
    assert_sent(y, YM_DATA, 0, 1, 40);
    assert_quiet(y);
    yamux_close(y, 1);
    assert_quiet(y); /* FIN comes after the last byte */
    must_feed(y, YM_WINDOW, 0, 1, 60);
    assert_sent(y, YM_DATA, 0, 1, 52); /* frames are small because the buffer here is */
    assert_sent(y, YM_DATA, 0, 1, 8);
    assert_sent(y, YM_WINDOW, YM_FIN, 1, 0);
    assert_quiet(y);
    assert_int_equal(yamux_write(y, 1, bulk, 1), -EPIPE);

    must_feed(y, YM_DATA, 0, 1, WINDOW);
    assert_int_equal(yamux_read(y, 1, bulk, WINDOW / 2 - 1), WINDOW / 2 - 1);
    assert_quiet(y);
    assert_int_equal(yamux_read(y, 1, bulk, 1), 1);
    assert_sent(y, YM_WINDOW, 0, 1, WINDOW / 2);
    assert_int_equal(yamux_read(y, 1, bulk, WINDOW), WINDOW / 2);
    assert_sent(y, YM_WINDOW, 0, 1, WINDOW / 2);
    must_feed(y, YM_DATA, YM_FIN, 1, WINDOW);
    assert_int_equal(yamux_read(y, 1, bulk, WINDOW), WINDOW);
    assert_quiet(y); /* nothing to grant after FIN */
    yamux_free(y);
}

static void half_close(void **state)
{
    struct yamux *y = server();
    struct yamux_event ev;

    (void)state;
    must_feed(y, YM_DATA, YM_SYN | YM_FIN, 1, 5);
    assert_event(y, YAMUX_OPENED, 1);
    assert_event(y, YAMUX_READABLE, 1);
    assert_event(y, YAMUX_EOF, 1);
    assert_false(yamux_at_eof(y, 1));
    assert_int_equal(yamux_read(y, 1, bulk, 9), 5);
    assert_true(yamux_at_eof(y, 1));
    assert_int_equal(yamux_write(y, 1, "pong", 4), 4);
    assert_sent(y, YM_DATA, YM_ACK, 1, 4);
    yamux_close(y, 1);
    yamux_close(y, 1);
    assert_int_equal(yamux_write(y, 1, "x", 1), -EPIPE);
    assert_sent(y, YM_WINDOW, YM_FIN, 1, 0);
    assert_quiet(y);
    assert_true(yamux_at_eof(y, 1)); /* still there, until the next event is asked for */
    assert_false(yamux_next_event(y, &ev));
    assert_false(yamux_at_eof(y, 1));
    assert_int_equal(yamux_read(y, 1, bulk, 1), -ENOENT);
    yamux_free(y);
}

/* A stream that has both to say grants first: the peer may be waiting for it. */
static void grant_before_data(void **state)
{
    struct yamux *y = server();

    (void)state;
    must_feed(y, YM_DATA, YM_SYN, 1, WINDOW);
    assert_int_equal(yamux_read(y, 1, bulk, WINDOW), WINDOW);
    assert_int_equal(yamux_write(y, 1, "abc", 3), 3);
    assert_sent(y, YM_WINDOW, YM_ACK, 1, WINDOW);
    assert_sent(y, YM_DATA, 0, 1, 3);
    assert_quiet(y);
    yamux_free(y);
}

static void turns_are_taken(void **state)
{
    struct yamux *y = session(true, 4);
    static uint8_t out[3 * (YAMUX_HEADER + FRAME_MAX)];

    (void)state;
    for (uint32_t id = 1; id < 6; id += 2) {
        assert_int_equal(yamux_open(y), id);
        assert_int_equal(yamux_write(y, id, bulk, WINDOW), WINDOW);
    }
    assert_int_equal(yamux_output(y, out, sizeof(out)), sizeof(out));
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(get32(out + i * (YAMUX_HEADER + FRAME_MAX) + 4), 1 + 2 * i);
    yamux_free(y);
}

/* ---- R11: many, and much ---- */

static void r11_100k_streams(void **state)
{
    struct yamux *y = session(false, 16);
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    uint32_t id = 1;
    unsigned refused = 0, stalls = 0;

    (void)state;
    for (unsigned i = 0; i < 100000; i++, id += 2) {
        uint8_t h[YAMUX_HEADER + 1] = { 0 };
        struct frame f;

        header(h, YM_DATA, YM_SYN, id, 1);
        for (size_t at = 0; at < sizeof(h);) {
            ssize_t n = yamux_input(y, h + at, sizeof(h) - at);

            assert_true(n >= 0);
            at += (size_t)n;
            if (at == sizeof(h))
                break;
            stalls++; /* 64 refusals wait: the peer has to take them */
            while (next_sent(y, &f))
                refused += f.flags == YM_RST;
        }
    }

    struct frame f;

    while (next_sent(y, &f))
        refused += f.flags == YM_RST;
    assert_int_equal(refused, 100000 - 16);
    assert_true(stalls >= 100000 / (YM_CTL + 1) - 1);
    assert_true(mallinfo2().uordblks + mallinfo2().hblkhd - before <= 17u * (WINDOW + 8192));

    /* The sixteen that live go on. */
    must_feed(y, YM_DATA, 0, 1, 100);
    assert_int_equal(yamux_readable(y, 1), 101);
    assert_int_equal(yamux_write(y, 31, "x", 1), 1);
    assert_sent(y, YM_DATA, 0, 31, 1);
    yamux_free(y);
}

static void r11_100k_streams_in_turn(void **state)
{
    struct yamux *y = session(false, 4);
    size_t before = 0;

    (void)state;
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t id = 1 + 2 * i;

        must_feed(y, YM_DATA, YM_SYN | (i & 1 ? YM_FIN : 0u), id, 2000);
        assert_event(y, YAMUX_OPENED, id);
        assert_event(y, YAMUX_READABLE, id);
        assert_int_equal(yamux_write(y, id, bulk, 100), 100);
        if (i & 1) {
            assert_event(y, YAMUX_EOF, id);
            yamux_close(y, id);
            assert_int_equal(yamux_read(y, id, bulk, 3000), 2000);
        } else {
            yamux_reset(y, id);
        }
        assert_no_event(y);
        while (yamux_output(y, bulk, sizeof(bulk)))
            ;
        assert_no_event(y);
        if (i == 100)
            before = mallinfo2().uordblks + mallinfo2().hblkhd;
    }
    assert_int_equal(mallinfo2().uordblks + mallinfo2().hblkhd, before);
    yamux_free(y);
}

static void r11_never_read(void **state)
{
    struct yamux *y = server();
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;

    (void)state;
    for (uint32_t id = 1; id < 16; id += 2)
        must_feed(y, YM_DATA, YM_SYN, id, id == 15 ? 1 : WINDOW);
    for (uint32_t id = 1; id < 16; id += 2)
        while (yamux_write(y, id, bulk, WINDOW) > 0)
            ;
    assert_true(mallinfo2().uordblks + mallinfo2().hblkhd - before <= 16u * (WINDOW + 8192));
    assert_int_equal(yamux_read(y, 15, bulk, 9), 1); /* one is read: it goes on alone */
    must_feed(y, YM_DATA, 0, 15, 1000);
    assert_int_equal(yamux_read(y, 15, bulk, 9999), 1000);
    for (uint32_t id = 1; id < 16; id += 2)
        yamux_reset(y, id);
    assert_true(mallinfo2().uordblks + mallinfo2().hblkhd - before <= YM_SPARES * (WINDOW + 8192));
    yamux_free(y);
}

static void r03_pipelined_frames(void **state)
{
    struct yamux *y = server();
    static uint8_t flood[10000 * YAMUX_HEADER];
    uint8_t out[YAMUX_HEADER];
    uint32_t answered = 0;
    size_t at = 0;

    (void)state;
    for (uint32_t i = 0; i < 10000; i++)
        header(flood + i * YAMUX_HEADER, YM_PING, YM_SYN, 0, i);
    while (at < sizeof(flood)) {
        ssize_t n = yamux_input(y, flood + at, sizeof(flood) - at);

        assert_true(n >= 0);
        at += (size_t)n;
        if (answered == 0)
            assert_int_equal(at, YM_CTL * YAMUX_HEADER);
        assert_int_equal(yamux_input(y, flood + at, 0), 0);
        while (yamux_output(y, out, sizeof(out)))
            assert_int_equal(get32(out + 8), answered++); /* in order, none lost */
    }
    assert_int_equal(answered, 10000);
    yamux_free(y);
}

static void r12_sessions_left_in_mid_frame(void **state)
{
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;

    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        struct yamux *y = server();
        unsigned cut = i % (YAMUX_HEADER - 1) + 1;
        uint8_t h[YAMUX_HEADER];

        if (i & 1)
            must_feed(y, YM_DATA, YM_SYN, 1, 50);
        assert_int_equal(feed(y, YM_DATA, YM_SYN, 3, 100, 60), 0);
        header(h, YM_DATA, YM_SYN, 5, 100);
        assert_int_equal(yamux_input(y, bulk, 40), 40);
        assert_int_equal(yamux_input(y, h, cut), cut);
        yamux_free(y);
    }
    assert_int_equal(mallinfo2().uordblks + mallinfo2().hblkhd, before);
}

/* ---- ids ---- */

static void r10_our_ids_end(void **state)
{
    struct yamux *y = session(true, 4);

    (void)state;
    y->next_id = UINT32_MAX - 2;
    assert_int_equal(yamux_open(y), UINT32_MAX - 2);
    assert_int_equal(yamux_open(y), UINT32_MAX);
    assert_int_equal(yamux_open(y), 0);
    assert_sent(y, YM_WINDOW, YM_SYN, UINT32_MAX - 2, 0);
    assert_sent(y, YM_WINDOW, YM_SYN, UINT32_MAX, 0);
    must_feed(y, YM_DATA, YM_ACK, UINT32_MAX, 3);
    assert_int_equal(yamux_readable(y, UINT32_MAX), 3);
    yamux_free(y);

    y = session(false, 4);
    y->next_id = UINT32_MAX - 1;
    assert_int_equal(yamux_open(y), UINT32_MAX - 1);
    assert_int_equal(yamux_open(y), 0);
    yamux_free(y);
}

static void r10_peer_ids_wrap(void **state)
{
    struct yamux *y = server();

    (void)state;
    must_feed(y, YM_WINDOW, YM_SYN, UINT32_MAX, 0);
    must_feed(y, YM_DATA, 0, UINT32_MAX, 3);
    breaks("stream id used again", y, YM_WINDOW, YM_SYN, 1, 0, 0);
}

static void opening_is_refused_where_not_wanted(void **state)
{
    struct yamux_config cfg = { .client = false, .max_streams = 4, .accept = false };
    struct yamux *y = yamux_new(&cfg);

    (void)state;
    assert_non_null(y);
    must_feed(y, YM_DATA, YM_SYN, 1, 10);
    assert_no_event(y);
    assert_sent(y, YM_WINDOW, YM_RST, 1, 0);
    must_feed(y, YM_DATA, 0, 1, WINDOW - 10);
    breaks("data for a stream that has ended", y, YM_DATA, 0, 1, 1, 0);

    cfg = (struct yamux_config){ .client = true, .max_streams = 0, .accept = true };
    y = yamux_new(&cfg);
    assert_non_null(y);
    assert_int_equal(yamux_open(y), 0);
    must_feed(y, YM_WINDOW, YM_SYN, 2, 0);
    assert_sent(y, YM_WINDOW, YM_RST, 2, 0);
    yamux_free(y);
}

/* However many streams were refused, what may still come for them has a bound. */
static void r11_late_data_has_a_bound(void **state)
{
    struct yamux_config cfg = { .max_streams = 1 };
    struct yamux *y = yamux_new(&cfg);

    (void)state;
    assert_non_null(y);
    for (uint32_t i = 0; i < 100; i++) {
        must_feed(y, YM_WINDOW, YM_SYN, 1 + 2 * i, 0);
        assert_sent(y, YM_WINDOW, YM_RST, 1 + 2 * i, 0);
    }
    for (uint32_t i = 0; i < 64; i++)
        must_feed(y, YM_DATA, 0, 1 + 2 * i, WINDOW);
    breaks("data for a stream that has ended", y, YM_DATA, 0, 199, 1, 0);
}

/* Ids far apart, and alike in their low bits: each is found, none is mistaken for another. */
static void ids_that_collide(void **state)
{
    struct yamux *y = server();

    (void)state;
    for (uint32_t i = 0; i < 8; i++)
        must_feed(y, YM_DATA, YM_SYN, 1 + i * 0x10000000u, i + 1);
    yamux_reset(y, 1 + 3 * 0x10000000u);
    yamux_reset(y, 1 + 7 * 0x10000000u);
    yamux_reset(y, 1);
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(yamux_readable(y, 1 + i * 0x10000000u), i % 4 == 3 || !i ? 0 : i + 1);
    yamux_free(y);
}

/* ---- back to back ---- */

static uint32_t dice_state;

static uint32_t dice(uint32_t sides)
{
    dice_state ^= dice_state << 13;
    dice_state ^= dice_state >> 17;
    dice_state ^= dice_state << 5;
    return dice_state % sides;
}

/* What byte n of a stream must be, on the way to the side named. */
static uint8_t expected(uint32_t id, unsigned side, uint64_t n)
{
    return (uint8_t)(n * 31 + (n >> 8) * 7 + id * 5 + side);
}

#define LINKS 6 /* streams a side opens */

struct flow {
    uint64_t sent, got, total;
    bool closed, ended;
};

struct end {
    struct yamux *y;
    unsigned side;
    struct flow out[2 * LINKS]; /* by index_of(id): what this end writes … */
    uint8_t pipe[70000];        /* … and bytes on their way to this end */
    size_t held;
};

static unsigned index_of(uint32_t id)
{
    return (id - 1) % (2 * LINKS);
}

static void write_some(struct end *e, uint32_t id)
{
    struct flow *f = &e->out[index_of(id)];
    uint8_t chunk[9000];
    size_t n = dice(sizeof(chunk)) + 1;

    if (f->closed)
        return;
    if (n > f->total - f->sent)
        n = (size_t)(f->total - f->sent);
    for (size_t i = 0; i < n; i++)
        chunk[i] = expected(id, e->side, f->sent + i);

    ssize_t took = yamux_write(e->y, id, chunk, n);

    assert_true(took >= 0);
    f->sent += (uint64_t)took;
    if (f->sent == f->total) {
        yamux_close(e->y, id);
        f->closed = true;
    }
}

static void read_some(struct end *e, uint32_t id, struct flow *from)
{
    uint8_t chunk[9000];
    ssize_t n = yamux_read(e->y, id, chunk, dice(sizeof(chunk)) + 1);

    if (n == -ENOENT)
        return;
    assert_true(n >= 0);
    for (ssize_t i = 0; i < n; i++)
        assert_int_equal(chunk[i], expected(id, !e->side, from->got + (uint64_t)i));
    from->got += (uint64_t)n;
    if (yamux_at_eof(e->y, id)) {
        assert_int_equal(from->got, from->total);
        from->ended = true;
    }
}

static void carry(struct end *from, struct end *to)
{
    size_t room = dice((uint32_t)(sizeof(to->pipe) - to->held)) + 1;

    to->held += yamux_output(from->y, to->pipe + to->held, dice(4) ? room : room % 40);

    size_t give = to->held ? dice((uint32_t)to->held) + 1 : 0;
    ssize_t took = yamux_input(to->y, to->pipe, give);

    assert_true(took >= 0);
    to->held -= (size_t)took;
    memmove(to->pipe, to->pipe + took, to->held);
}

static bool all_ended(const struct end *e)
{
    for (unsigned i = 0; i < 2 * LINKS; i++)
        if (!e->out[i].ended)
            return false;
    return true;
}

static void bytes_arrive(void **state)
{
    static struct end ends[2];

    (void)state;
    for (uint32_t seed = 1; seed <= 24; seed++) {
        uint32_t id;

        dice_state = seed * 2654435761u;
        for (unsigned s = 0; s < 2; s++) {
            ends[s] = (struct end){ .y = session(s == 0, 2 * LINKS), .side = s };
            for (unsigned i = 0; i < 2 * LINKS; i++)
                ends[s].out[i].total = dice(3) ? dice(20000) : dice(1200000);
        }
        for (unsigned i = 0; i < LINKS; i++)
            for (unsigned s = 0; s < 2; s++)
                assert_int_equal(yamux_open(ends[s].y), 1 + s + 2 * i);
        for (unsigned round = 0; !all_ended(&ends[0]) || !all_ended(&ends[1]); round++) {
            struct end *me = &ends[dice(2)], *other = me == ends ? &ends[1] : ends;
            struct yamux_event ev;

            assert_true(round < 2000000);
            id = 1 + dice(2 * LINKS);
            if (yamux_is_ours(me->y, id) || yamux_find(me->y, id))
                write_some(me, id);
            id = 1 + dice(2 * LINKS);
            read_some(me, id, &other->out[index_of(id)]);
            carry(me, other);
            while (dice(2) && yamux_next_event(me->y, &ev)) {
                assert_int_not_equal(ev.type, YAMUX_RESET);
                if (ev.type == YAMUX_EOF)
                    read_some(me, ev.id, &other->out[index_of(ev.id)]);
            }
        }
        for (unsigned s = 0; s < 2; s++) {
            struct yamux_event ev;

            while (yamux_next_event(ends[s].y, &ev))
                ;
            for (id = 1; id <= 2 * LINKS; id++)
                assert_null(yamux_find(ends[s].y, id)); /* each slot was given back */
            yamux_free(ends[s].y);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(r10_unknown_version),
        cmocka_unit_test(r10_unknown_type),
        cmocka_unit_test(r10_unknown_flag),
        cmocka_unit_test(r10_wrong_parity),
        cmocka_unit_test(r10_session_id),
        cmocka_unit_test(r10_never_opened),
        cmocka_unit_test(r10_window_overflow),
        cmocka_unit_test(r10_window_underflow),
        cmocka_unit_test(r10_data_past_window),
        cmocka_unit_test(r10_syn_on_live_stream),
        cmocka_unit_test(r10_data_after_fin),
        cmocka_unit_test(r10_data_after_rst),
        cmocka_unit_test(r10_ping_without_sense),
        cmocka_unit_test(r10_go_away),
        cmocka_unit_test(r10_go_away_after_half_a_frame),
        cmocka_unit_test(late_data_is_dropped_within_bounds),
        cmocka_unit_test(reset_in_mid_frame),
        cmocka_unit_test(read_in_mid_frame),
        cmocka_unit_test(reset_before_the_peer_knew),
        cmocka_unit_test(peer_reset),
        cmocka_unit_test(peer_reset_after_the_end),
        cmocka_unit_test(pings),
        cmocka_unit_test(window_is_honoured_and_granted),
        cmocka_unit_test(half_close),
        cmocka_unit_test(grant_before_data),
        cmocka_unit_test(turns_are_taken),
        cmocka_unit_test(r11_100k_streams),
        cmocka_unit_test(r11_100k_streams_in_turn),
        cmocka_unit_test(r11_never_read),
        cmocka_unit_test(r03_pipelined_frames),
        cmocka_unit_test(r12_sessions_left_in_mid_frame),
        cmocka_unit_test(r10_our_ids_end),
        cmocka_unit_test(r10_peer_ids_wrap),
        cmocka_unit_test(opening_is_refused_where_not_wanted),
        cmocka_unit_test(r11_late_data_has_a_bound),
        cmocka_unit_test(ids_that_collide),
        cmocka_unit_test(bytes_arrive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
