/*
 * fuzz_yamux.c - a hostile peer and a careless owner: the input is a script of owner's actions and
 * bytes from the peer. Checked: no verdict takes more than was given, a broken session stays
 * broken, what is sent is well-formed and within the windows the peer granted.
 */
#include "base/yamux.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct script {
    const uint8_t *at;
    size_t left;
};

static uint8_t next(struct script *s)
{
    if (!s->left)
        return 0;
    s->left--;
    return *s->at++;
}

/* The frames of what a session sends must parse. */
struct checker {
    uint8_t header[YAMUX_HEADER];
    unsigned have;
    uint32_t body;
};

static void check_sent(struct checker *c, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (c->body) {
            c->body--;
            continue;
        }
        c->header[c->have++] = p[i];
        if (c->have < YAMUX_HEADER)
            continue;
        c->have = 0;
        if (c->header[0] || c->header[1] > 3 || c->header[2] || c->header[3] > 15)
            abort();
        if (c->header[1] == 0)
            c->body = (uint32_t)c->header[8] << 24 | (uint32_t)c->header[9] << 16 |
                      (uint32_t)c->header[10] << 8 | c->header[11];
        if (c->body > YAMUX_INITIAL_WINDOW)
            abort();
    }
}

/* A frame with plausible fields; its body is as long as it says, up to 64 KiB. */
static ssize_t feed_frame(struct yamux *y, struct script *s)
{
    static uint8_t frame[YAMUX_HEADER + 65536];
    uint8_t kind = next(s), id = next(s), size = next(s);
    uint32_t len = size < 128 ? size : (uint32_t)size << 9;

    memset(frame, 0, YAMUX_HEADER);
    frame[1] = kind & 3;
    frame[3] = (kind >> 2) & 15;
    frame[7] = frame[1] < 2 ? id & 15 : 0;
    frame[9] = (uint8_t)(len >> 16);
    frame[10] = (uint8_t)(len >> 8);
    frame[11] = (uint8_t)len;

    size_t total = YAMUX_HEADER + (frame[1] ? 0 : len);

    if (total > sizeof(frame))
        total = sizeof(frame);
    return yamux_input(y, frame, total);
}

static void act(struct yamux *y, struct script *s, struct checker *c)
{
    static uint8_t buf[65536];
    uint8_t what = next(s), arg = next(s);
    uint32_t id = arg & 15;
    size_t len = (size_t)arg << 8 | arg;
    bool was_broken = *yamux_why(y) != '\0';
    ssize_t n = 0;

    switch (what % 11) {
    case 0: n = feed_frame(y, s); break;
    case 1:
        len = arg < s->left ? arg : s->left;
        n = yamux_input(y, s->at, len);
        s->at += len;
        s->left -= len;
        if (n > (ssize_t)len)
            abort();
        break;
    case 2:
        n = (ssize_t)yamux_output(y, buf, arg & 1 ? sizeof(buf) : arg);
        check_sent(c, buf, (size_t)n);
        break;
    case 3: n = yamux_open(y); break;
    case 4: n = yamux_write(y, id, buf, len); break;
    case 5:
        n = yamux_read(y, id, buf, len);
        if (n > 0 && (size_t)n > len)
            abort();
        break;
    case 6: yamux_close(y, id); break;
    case 7: yamux_reset(y, id); break;
    case 8: {
        struct yamux_event ev;

        while (yamux_next_event(y, &ev))
            if (ev.type == YAMUX_RESET && yamux_readable(y, ev.id))
                abort();
        break;
    }
    case 9: n = yamux_ping(y, arg); break;
    case 10:
        if (yamux_readable(y, id) > YAMUX_INITIAL_WINDOW ||
            yamux_writable(y, id) > YAMUX_INITIAL_WINDOW ||
            (yamux_at_eof(y, id) && yamux_readable(y, id)))
            abort();
        break;
    }
    if (was_broken && (*yamux_why(y) == '\0' || yamux_open(y)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = { .at = data, .left = size };
    uint8_t how = next(&s);
    struct yamux_config cfg = { .client = how & 1, .accept = how & 2, .max_streams = how >> 5 };
    struct yamux *y = yamux_new(&cfg);
    struct checker c = { .have = 0 };

    if (!y)
        return 0;
    while (s.left)
        act(y, &s, &c);
    yamux_free(y);
    return 0;
}
