/* output.c - see output.h. */
#include "sandbox/cli/output.h"

#include "sandbox/cli/text.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void output_init(struct output *o, struct cli *c, void (*interrupted)(void *), void *arg)
{
    memset(o, 0, sizeof(*o));
    o->c = c;
    o->interrupted = interrupted;
    o->arg = arg;
}

/* Writes everything, however slow the reader is, and lets signals be looked at meanwhile. */
static void write_all(struct output *o, int fd, const char *p, size_t len)
{
    while (len && !o->broken) {
        ssize_t n = write(fd, p, len);

        if (n >= 0) {
            p += n;
            len -= (size_t)n;
        } else if (errno == EINTR) {
            o->interrupted(o->arg);
        } else if (errno == EAGAIN) {
            struct pollfd ready = { .fd = fd, .events = POLLOUT };

            if (poll(&ready, 1, -1) < 0 && errno == EINTR)
                o->interrupted(o->arg);
        } else {
            o->broken = true;
            o->error = errno == EPIPE ? 0 : errno;
        }
    }
}

/* A JSON object as a line; NULL (out of memory) ends the output. */
static void write_json(struct output *o, json_t *v)
{
    char *text = v ? json_dumps(v, JSON_COMPACT) : NULL;

    json_decref(v);
    if (!text) {
        o->broken = true;
        o->error = ENOMEM;
        return;
    }

    size_t len = strlen(text);

    text[len] = '\n'; /* in place of the NUL: one write a line */
    write_all(o, STDOUT_FILENO, text, len + 1);
    free(text);
}

static const char *stream_name(enum output_stream stream)
{
    return stream == OUTPUT_OUT ? "out" : "err";
}

/* Bytes that are no text: "b" holds them in base64 (RFC 4648). */
static void write_binary(struct output *o, enum output_stream stream, const uint8_t *p, size_t len)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    enum { PAD = 64 };
    char *text = malloc((len + 2) / 3 * 4 + 1), *out = text;

    if (!text) {
        write_json(o, NULL);
        return;
    }
    for (size_t i = 0; i < len; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0) |
                     (i + 2 < len ? p[i + 2] : 0);

        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = digits[i + 1 < len ? v >> 6 & 63 : PAD];
        *out++ = digits[i + 2 < len ? v & 63 : PAD];
    }
    *out = '\0';
    write_json(o, json_pack("{s:s, s:s}", "t", stream_name(stream), "b", text));
    free(text);
}

/* A chunk: text as far as it is, the beginning of a character kept for the next, else binary. */
static void write_chunk(struct output *o, enum output_stream stream, const uint8_t *p, size_t len)
{
    size_t partial, good = text_utf8_prefix(p, len, &partial);

    if (good + partial < len) {
        write_binary(o, stream, p, len);
        return;
    }
    if (good)
        write_json(o,
                   json_pack("{s:s, s:s%}", "t", stream_name(stream), "d", (const char *)p, good));
    memcpy(o->streams[stream].held, p + good, partial);
    o->streams[stream].nheld = partial;
}

void output_started(struct output *o, const char *name)
{
    if (o->c->json)
        write_json(o, json_pack("{s:s, s:s}", "t", "started", "name", name));
    else
        cli_progress_end(o->c);
}

void output_write(struct output *o, enum output_stream stream, const void *bytes, size_t len)
{
    if (!o->c->json) {
        write_all(o, stream == OUTPUT_OUT ? STDOUT_FILENO : STDERR_FILENO, bytes, len);
        return;
    }

    size_t held = o->streams[stream].nheld;
    uint8_t *both = malloc(held + len + 1);

    if (!both) {
        write_json(o, NULL);
        return;
    }
    memcpy(both, o->streams[stream].held, held);
    memcpy(both + held, bytes, len);
    o->streams[stream].nheld = 0;
    write_chunk(o, stream, both, held + len);
    free(both);
}

void output_end(struct output *o)
{
    for (int i = OUTPUT_OUT; i <= OUTPUT_ERR; i++) {
        if (o->streams[i].nheld)
            write_binary(o, (enum output_stream)i, o->streams[i].held, o->streams[i].nheld);
        o->streams[i].nheld = 0;
    }
}
