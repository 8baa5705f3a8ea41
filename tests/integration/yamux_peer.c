/*
 * yamux_peer.c - our end of the interoperability test: yamux over standard input and output.
 *
 *   yamux_peer serve    accepts streams. The first byte of a stream says what is wanted of it:
 *                       'e' echo the rest, 'r' reset it, 'h' read nothing until a stream that
 *                       begins with 'g' (go) comes; that one is answered with the number of bytes
 *                       the held stream had received by then, and the held stream then echoes.
 *   yamux_peer drive    opens streams to a peer that does the same, checks what comes back and
 *                       says so on standard error, a line a check; the exit status counts failures.
 */
#include "base/yamux.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STREAMS 64
#define MIB     1048576u

struct stream {
    uint32_t id;
    char kind;          /* 0 until its first byte came */
    bool eof, reset;    /* the peer's end */
    uint64_t got, sent; /* drive: payload bytes */
    uint64_t total;
    uint64_t wrong;
    bool held;
};

static struct yamux *y;
static struct stream streams[STREAMS];
static bool pong, failed;

static struct stream *stream_of(uint32_t id, bool make)
{
    for (int i = 0; i < STREAMS; i++)
        if (streams[i].id == id)
            return &streams[i];
    for (int i = 0; make && i < STREAMS; i++)
        if (streams[i].id == 0) {
            streams[i] = (struct stream){ .id = id };
            return &streams[i];
        }
    return NULL;
}

static uint8_t byte_at(uint32_t id, uint64_t n)
{
    return (uint8_t)(n * 31 + (n >> 8) * 7 + id);
}

/* ---- the bytes ---- */

/* Reads and writes what the descriptors take; false at the end of the session. */
static bool pump(int timeout_ms)
{
    static uint8_t in[65536], out[65536];
    static size_t in_at, in_len, out_at, out_len;

    if (out_at == out_len) {
        out_at = 0;
        out_len = yamux_output(y, out, sizeof(out));
    }

    struct pollfd p[2] = { { .fd = 0, .events = in_at == in_len ? POLLIN : 0 },
                           { .fd = 1, .events = out_at < out_len ? POLLOUT : 0 } };

    if (poll(p, 2, in_at < in_len ? 0 : timeout_ms) < 0)
        return errno == EINTR;
    if (p[1].revents & POLLOUT) {
        ssize_t n = write(1, out + out_at, out_len - out_at);

        if (n < 0)
            return false;
        out_at += (size_t)n;
    }
    if (p[1].revents & (POLLERR | POLLHUP))
        return false;
    if (p[0].revents & (POLLIN | POLLHUP)) {
        ssize_t n = read(0, in, sizeof(in));

        if (n <= 0)
            return false;
        in_at = 0;
        in_len = (size_t)n;
    }
    if (in_at < in_len) {
        ssize_t n = yamux_input(y, in + in_at, in_len - in_at);

        if (n < 0) {
            fprintf(stderr, "not ok: %s\n", yamux_why(y));
            failed = true;
            return false;
        }
        in_at += (size_t)n;
    }
    return true;
}

/* ---- serve ---- */

static void answer_go(struct stream *s)
{
    char text[32];
    size_t held = 0;

    for (int i = 0; i < STREAMS; i++)
        if (streams[i].held) {
            held = yamux_readable(y, streams[i].id);
            streams[i].held = false;
            streams[i].kind = 'e';
        }

    int n = snprintf(text, sizeof(text), "%zu", held);

    if (yamux_write(y, s->id, text, (size_t)n) != n)
        failed = true;
    yamux_close(y, s->id);
}

static void echo(struct stream *s)
{
    static uint8_t buf[65536];

    for (;;) {
        size_t room = yamux_writable(y, s->id);
        ssize_t n = yamux_read(y, s->id, buf, room < sizeof(buf) ? room : sizeof(buf));

        if (n <= 0)
            break;
        if (yamux_write(y, s->id, buf, (size_t)n) != n)
            failed = true;
    }
    if (yamux_at_eof(y, s->id))
        yamux_close(y, s->id);
}

static void serve_stream(struct stream *s)
{
    if (!s->kind) {
        char c;

        if (yamux_read(y, s->id, &c, 1) != 1)
            return;
        s->kind = c;
        if (c == 'r')
            yamux_reset(y, s->id);
        if (c == 'h')
            s->held = true;
        if (c == 'g')
            answer_go(s);
    }
    if (s->kind == 'e')
        echo(s);
}

static void serve(void)
{
    do {
        struct yamux_event ev;

        while (yamux_next_event(y, &ev)) {
            struct stream *s = stream_of(ev.id, ev.type == YAMUX_OPENED);

            if (s && ev.type == YAMUX_RESET)
                *s = (struct stream){ 0 };
        }
        for (int i = 0; i < STREAMS; i++) {
            if (!streams[i].id)
                continue;
            serve_stream(&streams[i]);
            if (yamux_read(y, streams[i].id, NULL, 0) == -ENOENT)
                streams[i] = (struct stream){ 0 };
        }
    } while (pump(yamux_has_output(y) ? 0 : -1));
}

/* ---- drive ---- */

static void result(bool ok, const char *what)
{
    fprintf(stderr, "%s: %s\n", ok ? "ok" : "not ok", what);
    failed |= !ok;
}

static void write_more(struct stream *s)
{
    uint8_t chunk[8192];

    while (s->sent < s->total && yamux_writable(y, s->id)) {
        size_t n = sizeof(chunk);

        if (n > s->total - s->sent)
            n = (size_t)(s->total - s->sent);
        for (size_t i = 0; i < n; i++)
            chunk[i] = byte_at(s->id, s->sent + i);

        ssize_t took = yamux_write(y, s->id, chunk, n);

        if (took <= 0)
            return;
        s->sent += (uint64_t)took;
        if (s->sent == s->total)
            yamux_close(y, s->id);
    }
}

static void read_more(struct stream *s)
{
    uint8_t chunk[8192];
    ssize_t n;

    while ((n = yamux_read(y, s->id, chunk, sizeof(chunk))) > 0) {
        for (ssize_t i = 0; i < n; i++)
            s->wrong += chunk[i] != byte_at(s->id, s->got + (uint64_t)i);
        s->got += (uint64_t)n;
    }
}

/* One turn of the session; false when it ended or nothing happened for ten seconds. */
static bool turn(void)
{
    struct yamux_event ev;

    if (!pump(yamux_has_output(y) ? 0 : 10000))
        return false;
    while (yamux_next_event(y, &ev)) {
        struct stream *s = ev.type == YAMUX_PONG ? NULL : stream_of(ev.id, false);

        pong |= ev.type == YAMUX_PONG;
        if (!s)
            continue;
        s->eof |= ev.type == YAMUX_EOF;
        s->reset |= ev.type == YAMUX_RESET;
    }
    return true;
}

static struct stream *start(char kind, uint64_t total)
{
    struct stream *s = stream_of(yamux_open(y), true);

    if (!s || s->id == 0 || yamux_write(y, s->id, &kind, 1) != 1) {
        failed = true;
        exit(1);
    }
    s->kind = kind;
    s->total = total;
    return s;
}

static bool echoes_done(void)
{
    for (int i = 0; i < STREAMS; i++)
        if (streams[i].kind == 'e' && (streams[i].got < streams[i].total || !streams[i].eof))
            return false;
    return true;
}

static bool run_echoes(void)
{
    uint64_t wrong = 0;

    while (!echoes_done()) {
        for (int i = 0; i < STREAMS; i++)
            if (streams[i].kind == 'e' && !streams[i].held) {
                write_more(&streams[i]);
                read_more(&streams[i]);
            }
        if (!turn())
            return false;
        for (int i = 0; i < STREAMS; i++)
            if (streams[i].kind == 'e')
                read_more(&streams[i]);
    }
    for (int i = 0; i < STREAMS; i++) {
        wrong += streams[i].wrong + (streams[i].got != streams[i].total);
        streams[i] = (struct stream){ 0 };
    }
    return wrong == 0;
}

static void drive(void)
{
    for (int i = 0; i < 20; i++)
        start('e', MIB);
    result(run_echoes(), "20 streams echo 1 MiB each");

    struct stream *s = start('e', 5); /* closed by us at once; the answer comes all the same */

    (void)s;
    result(run_echoes(), "half close");

    s = start('r', 0);
    while (!s->reset && turn())
        ;
    result(s->reset, "the peer resets");
    *s = (struct stream){ 0 };

    s = start('e', 4 * MIB);
    while (s->got < MIB && turn()) {
        write_more(s);
        read_more(s);
    }
    yamux_reset(y, s->id); /* with much in flight towards us */
    *s = (struct stream){ 0 };
    start('e', MIB);
    result(run_echoes(), "we reset, and the session goes on");

    /* We read nothing of one stream: its echo stops at our window, the others go on. */
    struct stream *held = start('e', 2 * MIB);

    held->held = true;
    while (yamux_readable(y, held->id) < YAMUX_INITIAL_WINDOW && turn())
        write_more(held);
    s = start('e', MIB);
    while ((s->got < s->total || !s->eof) && turn()) {
        write_more(s);
        read_more(s);
    }
    result(yamux_readable(y, held->id) == YAMUX_INITIAL_WINDOW && s->got == MIB && !s->wrong,
           "a stream never read stops alone");
    held->held = false;
    result(run_echoes(), "and goes on when it is read");

    if (yamux_ping(y, 12345))
        while (!pong && turn())
            ;
    result(pong, "ping");
}

int main(int argc, char **argv)
{
    bool drives = argc == 2 && !strcmp(argv[1], "drive");

    if (!drives && (argc != 2 || strcmp(argv[1], "serve") != 0)) {
        fprintf(stderr, "usage: yamux_peer serve|drive\n");
        return 2;
    }

    struct yamux_config cfg = { .client = drives, .max_streams = STREAMS, .accept = !drives };

    y = yamux_new(&cfg);
    if (!y)
        return 1;
    if (drives)
        drive();
    else
        serve();
    yamux_free(y);
    return failed;
}
