/* guest_client.c - see guest_client.h. */
#include "tests/integration/guest_client.h"

#include "base/yamux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STREAMS 128u

struct stream {
    uint32_t id;
    bool reset;
    size_t have, used;
    uint8_t buf[MSG_HEADER + MSG_MAX];
};

struct client {
    int fd;
    struct yamux *mux;
    struct stream *streams[STREAMS];
    uint8_t out[65536];
    size_t out_at, out_len;
    bool gone;
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "guest client: %s\n", what);
    exit(1);
}

static void *grow(void *p, size_t size)
{
    void *q = realloc(p, size);

    if (!q)
        die("out of memory");
    return q;
}

struct client *client_new(int fd)
{
    const struct yamux_config cfg = { .client = true, .max_streams = STREAMS };
    struct client *c = calloc(1, sizeof(*c));

    if (!c || fcntl(fd, F_SETFL, O_NONBLOCK))
        die("no client");
    c->fd = fd;
    c->mux = yamux_new(&cfg);
    if (!c->mux)
        die("out of memory");
    return c;
}

int client_leave(struct client *c)
{
    int fd = dup(c->fd);

    client_free(c);
    return fd;
}

void client_cut(struct client *c, uint32_t id, unsigned bytes)
{
    const uint8_t head[YAMUX_HEADER] = { [7] = (uint8_t)id, [10] = 0xff }; /* DATA, 65280 bytes */
    uint8_t begun[64] = { 0 };

    memcpy(begun, head, sizeof(head));
    if (c->out_at < c->out_len || bytes > sizeof(begun) || write(c->fd, begun, bytes) != bytes)
        die("cut");
}

void client_free(struct client *c)
{
    close(c->fd);
    yamux_free(c->mux);
    for (unsigned i = 0; i < STREAMS; i++)
        free(c->streams[i]);
    free(c);
}

void client_greet(struct client *c, const uint8_t mark[MARK_BYTES])
{
    uint8_t words[2 * MARK_BYTES], byte;
    struct mark_search s = { 0 };
    struct pollfd p = { .fd = c->fd, .events = POLLIN };

    memcpy(words, mark, MARK_BYTES);
    if (!mark_make(words + MARK_BYTES) || write(c->fd, words, sizeof(words)) != sizeof(words))
        die("no greeting");
    while (s.have < MARK_BYTES) {
        if (poll(&p, 1, CLIENT_WAIT_MS) != 1 || read(c->fd, &byte, 1) != 1)
            die("the greeting is not answered");
        mark_find(&s, words + MARK_BYTES, &byte, 1);
    }
}

static struct stream *find(const struct client *c, uint32_t id)
{
    for (unsigned i = 0; i < STREAMS; i++)
        if (c->streams[i] && c->streams[i]->id == id)
            return c->streams[i];
    return NULL;
}

static void take_input(struct client *c)
{
    static uint8_t in[65536];
    ssize_t n = read(c->fd, in, sizeof(in));
    struct yamux_event ev;

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        c->gone = true;
        return;
    }
    for (ssize_t at = 0; at < n;) {
        ssize_t took = yamux_input(c->mux, in + at, (size_t)(n - at));

        if (took < 0)
            die(yamux_why(c->mux));
        at += took;
        if (took == 0)
            die("input refused");
    }
    while (yamux_next_event(c->mux, &ev)) {
        struct stream *s = find(c, ev.id);

        if (s && ev.type == YAMUX_RESET)
            s->reset = true;
    }
}

static void give_output(struct client *c)
{
    for (;;) {
        ssize_t n;

        if (c->out_at == c->out_len) {
            c->out_at = 0;
            c->out_len = yamux_output(c->mux, c->out, sizeof(c->out));
            if (c->out_len == 0)
                return;
        }
        n = write(c->fd, c->out + c->out_at, c->out_len - c->out_at);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            c->gone = true;
        if (n <= 0)
            return;
        c->out_at += (size_t)n;
    }
}

bool client_pump(struct client *c, int timeout_ms)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };

    if (c->gone)
        return false;
    give_output(c);
    if (c->out_at < c->out_len)
        p.events |= POLLOUT;
    if (poll(&p, 1, timeout_ms) > 0 && (p.revents & (POLLIN | POLLHUP)))
        take_input(c);
    give_output(c);
    return !c->gone;
}

uint32_t client_open(struct client *c)
{
    uint32_t id = yamux_open(c->mux);

    for (unsigned i = 0; id && i < STREAMS; i++)
        if (!c->streams[i]) {
            c->streams[i] = grow(NULL, sizeof(struct stream));
            c->streams[i]->id = id;
            c->streams[i]->reset = false;
            c->streams[i]->have = c->streams[i]->used = 0;
            return id;
        }
    die("no stream");
}

static void forget(struct client *c, uint32_t id)
{
    for (unsigned i = 0; i < STREAMS; i++)
        if (c->streams[i] && c->streams[i]->id == id) {
            free(c->streams[i]);
            c->streams[i] = NULL;
        }
}

void client_close(struct client *c, uint32_t id)
{
    yamux_close(c->mux, id);
}

void client_reset(struct client *c, uint32_t id)
{
    yamux_reset(c->mux, id);
    forget(c, id);
}

void client_send_raw(struct client *c, uint32_t id, const void *bytes, size_t len)
{
    const struct stream *s = find(c, id);
    size_t at = 0;

    while (at < len && s && !s->reset) {
        ssize_t n = yamux_write(c->mux, id, (const uint8_t *)bytes + at, len - at);

        if (n < 0)
            return; /* reset by the guest: client_recv will tell */
        at += (size_t)n;
        if (!client_pump(c, at < len ? CLIENT_WAIT_MS : 0))
            return;
    }
}

void client_send(struct client *c, uint32_t id, enum msg_type type, const void *body, size_t len)
{
    uint8_t head[MSG_HEADER];

    msg_header(head, type, (uint32_t)len);
    client_send_raw(c, id, head, sizeof(head));
    client_send_raw(c, id, body, len);
}

size_t client_offer(struct client *c, uint32_t id, enum msg_type type, const void *body, size_t len)
{
    size_t room = yamux_writable(c->mux, id);
    uint8_t head[MSG_HEADER];

    if (room <= MSG_HEADER)
        return 0;
    room -= MSG_HEADER;
    len = len < room ? len : room;
    len = len < MSG_MAX ? len : MSG_MAX;
    msg_header(head, type, (uint32_t)len);
    if (yamux_write(c->mux, id, head, sizeof(head)) != (ssize_t)sizeof(head) ||
        yamux_write(c->mux, id, body, len) != (ssize_t)len)
        die("a write was short");
    return len;
}

void client_request(struct client *c, uint32_t id, struct msg_builder *b)
{
    ssize_t n = msg_seal(b);

    if (n < 0)
        die("request too large");
    client_send_raw(c, id, b->bytes, (size_t)n);
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int client_recv(struct client *c, uint32_t id, struct msg_frame *f, int timeout_ms)
{
    struct stream *s = find(c, id);
    int64_t end = now_ms() + timeout_ms;

    if (!s)
        return 0;
    memmove(s->buf, s->buf + s->used, s->have - s->used);
    s->have -= s->used;
    s->used = 0;
    for (;;) {
        ssize_t n = msg_parse(s->buf, s->have, f);

        if (n < 0)
            die("a malformed frame");
        if (n > 0) {
            s->used = (size_t)n;
            return 1;
        }
        n = yamux_read(c->mux, id, s->buf + s->have, sizeof(s->buf) - s->have);
        if (n > 0) {
            s->have += (size_t)n;
            continue;
        }
        if (s->reset || n < 0 || yamux_at_eof(c->mux, id)) {
            if (s->have)
                die("the stream ended in mid-frame");
            yamux_close(c->mux, id);
            forget(c, id);
            (void)client_pump(c, 0);
            return 0;
        }
        int64_t left = end - now_ms();

        if (left <= 0)
            return -ETIMEDOUT;
        if (!client_pump(c, (int)left) && yamux_readable(c->mux, id) == 0)
            return 0;
    }
}

uint32_t client_start(struct client *c, const struct client_exec *x)
{
    static struct msg_builder b;
    uint32_t id = client_open(c);

    msg_begin(&b, MSG_EXEC);
    for (const char *const *a = x->argv; *a; a++)
        msg_add_text(&b, MSG_ARG, *a);
    for (const char *const *a = x->envp; a && *a; a++)
        msg_add_text(&b, MSG_ENV, *a);
    if (x->cwd)
        msg_add_text(&b, MSG_CWD, x->cwd);
    if (x->user)
        msg_add_text(&b, MSG_USER, x->user);
    if (x->flags)
        msg_add_u32(&b, MSG_FLAGS, x->flags);
    if (x->timeout_ms)
        msg_add_u32(&b, MSG_TIMEOUT, x->timeout_ms);
    if (x->rows)
        msg_add_u16(&b, MSG_ROWS, x->rows);
    if (x->cols)
        msg_add_u16(&b, MSG_COLS, x->cols);
    if (x->more)
        x->more(&b);
    client_request(c, id, &b);
    return id;
}

static uint32_t get32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void append(uint8_t **to, size_t *len, const struct msg_frame *f)
{
    *to = grow(*to, *len + f->len + 1);
    memcpy(*to + *len, f->body, f->len);
    *len += f->len;
    (*to)[*len] = '\0';
}

static uint32_t error_of(const struct msg_frame *f, char text[256])
{
    if (f->len < 4)
        die("a short ERROR");
    snprintf(text, 256, "%.*s", (int)f->len - 4, (const char *)f->body + 4);
    return get32(f->body);
}

static void take_frame(struct client_result *r, const struct msg_frame *f)
{
    switch (f->type) {
    case MSG_STARTED:
        r->started = true;
        r->pid = f->len == 4 ? get32(f->body) : 0;
        break;
    case MSG_STDOUT: append(&r->out, &r->out_len, f); break;
    case MSG_STDERR: append(&r->err, &r->err_len, f); break;
    case MSG_EXIT:
        r->ended = f->len == 2;
        r->kind = f->body[0];
        r->code = f->body[1];
        break;
    case MSG_ERROR:
        r->ended = true;
        r->error = error_of(f, r->text);
        break;
    default: die("an unexpected frame");
    }
}

void client_finish(struct client *c, uint32_t id, const struct client_exec *x,
                   struct client_result *r)
{
    bool sending = x->flags & MSG_F_STDIN;
    struct msg_frame f;
    size_t at = 0;

    *r = (struct client_result){ .out = grow(NULL, 1), .err = grow(NULL, 1) };
    r->out[0] = r->err[0] = '\0';
    for (;;) {
        int got;

        while (sending) {
            size_t n = at < x->in_len ? client_offer(c, id, MSG_STDIN, (const uint8_t *)x->in + at,
                                                     x->in_len - at)
                                      : 0;

            at += n;
            if (at == x->in_len) {
                client_send(c, id, MSG_STDIN_EOF, NULL, 0);
                sending = false;
            }
            if (n == 0)
                break;
        }
        got = client_recv(c, id, &f, sending ? 20 : CLIENT_WAIT_MS);
        if (got == -ETIMEDOUT && sending)
            continue;
        if (got < 0)
            die("the command did not end in time");
        if (got == 0)
            return;
        if (r->ended)
            die("a frame after the last one");
        take_frame(r, &f);
        sending = sending && !r->ended;
    }
}

void client_run(struct client *c, const struct client_exec *x, struct client_result *r)
{
    client_finish(c, client_start(c, x), x, r);
}

void client_result_fini(struct client_result *r)
{
    free(r->out);
    free(r->err);
}

/* Waits for DONE or ERROR; DATA goes to *tar. */
static uint32_t finish(struct client *c, uint32_t id, uint8_t **tar, size_t *len, char text[256])
{
    struct msg_frame f;
    bool eof = false;
    int got;

    while ((got = client_recv(c, id, &f, CLIENT_WAIT_MS)) > 0) {
        if (f.type == MSG_DATA && tar && len && !eof) {
            append(tar, len, &f);
        } else if (f.type == MSG_EOF && tar) {
            eof = true;
        } else if (f.type == MSG_DONE && (!tar || eof)) {
            if (client_recv(c, id, &f, CLIENT_WAIT_MS) != 0)
                die("a frame after DONE");
            return 0;
        } else if (f.type == MSG_ERROR) {
            uint32_t code = error_of(&f, text);

            if (client_recv(c, id, &f, CLIENT_WAIT_MS) != 0)
                die("a frame after ERROR");
            return code;
        } else {
            die("an unexpected frame");
        }
    }
    snprintf(text, 256, got ? "no answer in time" : "the stream ended without an answer");
    return ECONNRESET;
}

uint32_t client_put(struct client *c, const char *path, const char *user, const void *tar,
                    size_t len, char text[256])
{
    static struct msg_builder b;
    uint32_t id = client_open(c);

    msg_begin(&b, MSG_PUT);
    msg_add_text(&b, MSG_PATH, path);
    if (user) {
        msg_add_u32(&b, MSG_FLAGS, MSG_F_NOBODY);
        msg_add_text(&b, MSG_USER, user);
    }
    client_request(c, id, &b);
    for (size_t at = 0; at < len; at += MSG_MAX)
        client_send(c, id, MSG_DATA, (const uint8_t *)tar + at,
                    len - at < MSG_MAX ? len - at : MSG_MAX);
    client_send(c, id, MSG_EOF, NULL, 0);
    return finish(c, id, NULL, NULL, text);
}

uint32_t client_get(struct client *c, const char *path, uint8_t **tar, size_t *len, char text[256])
{
    static struct msg_builder b;
    uint32_t id = client_open(c);

    *tar = NULL;
    *len = 0;
    msg_begin(&b, MSG_GET);
    msg_add_text(&b, MSG_PATH, path);
    client_request(c, id, &b);
    return finish(c, id, tar, len, text);
}

uint32_t client_simple(struct client *c, struct msg_builder *b, char text[256])
{
    uint32_t id = client_open(c);

    client_request(c, id, b);
    return finish(c, id, NULL, NULL, text);
}
