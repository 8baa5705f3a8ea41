/* transfer.c - see transfer.h. */
#include "sandbox/cli/transfer.h"

#include "sandbox/cli/denial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int transfer_open(struct transfer *t, const struct box *b, struct msg_builder *request,
                  char hint[HINT_MAX], struct err *e)
{
    int fd = box_connect(b, hint, e);

    *t = (struct transfer){ .hint = hint, .box = b };
    if (fd < 0)
        return fd;
    t->link = link_new(fd, e);
    if (!t->link)
        return -ENOMEM;
    return link_send_request(t->link, request) ? 0 : err_set(e, E2BIG, "the path is too long");
}

void transfer_fini(struct transfer *t)
{
    link_free(t->link);
    t->link = NULL;
}

static int on_error(struct transfer *t, const struct msg_frame *f, struct err *e)
{
    if (f->len < 4)
        return err_set(e, EBADMSG, "the keeper sent a malformed error");

    uint32_t code = f->body[0] | (uint32_t)f->body[1] << 8 | (uint32_t)f->body[2] << 16 |
                    (uint32_t)f->body[3] << 24;

    t->ended = true;
    err_set(&t->guest, code && code < 4096 ? (int)code : EIO, "in the sandbox: %.*s",
            f->len < 204 ? (int)f->len - 4 : 200, (const char *)f->body + 4);
    *e = t->guest;
    return -t->guest.code;
}

/* One frame that is no DATA. */
static int on_frame(struct transfer *t, const struct msg_frame *f, struct err *e)
{
    switch (f->type) {
    case MSG_EOF: t->all_read = true; return 0;
    case MSG_DONE: t->ended = true; return 0;
    case MSG_ERROR: return on_error(t, f, e);
    case MSG_DENIED: return denial_read(f, t->hint, e);
    case MSG_ENDED: return err_set(e, EPIPE, "the sandbox ended meanwhile");
    default: return err_set(e, EBADMSG, "the keeper sent a message of type %u", f->type);
    }
}

/* Waits until something can be read or written, and does it. */
static int turn(struct transfer *t, struct err *e)
{
    struct pollfd p = { .fd = t->link->fd, .events = link_events(t->link) };

    if (t->link->closed)
        return err_set(e, EPIPE, "the sandbox's keeper went away");

    int err = box_await(t->box, &p, t->hint, e);

    return err ? err : link_pump(t->link, e);
}

/* Frames that came while we write: there should be none but a refusal. */
static int look(struct transfer *t, struct err *e)
{
    struct msg_frame f;
    int got;

    while (!t->ended && (got = link_next(t->link, &f, e)) != 0) {
        int err = got < 0 ? got : on_frame(t, &f, e);

        if (err)
            return err;
    }
    return 0;
}

int transfer_write(struct transfer *t, const void *buf, size_t len, struct err *e)
{
    const uint8_t *p = buf;

    while (len) {
        size_t n = len < MSG_MAX ? len : MSG_MAX;
        int err;

        if (link_room(t->link) < n) {
            err = turn(t, e);
            if (!err)
                err = look(t, e);
            if (err)
                return err;
            continue;
        }
        if (!link_send(t->link, MSG_DATA, p, n))
            return err_set(e, EIO, "no room"); /* there was room above */
        p += n;
        len -= n;
        err = link_pump(t->link, e);
        if (!err)
            err = look(t, e);
        if (err)
            return err;
    }
    return 0;
}

int transfer_finish(struct transfer *t, struct err *e)
{
    while (!link_send(t->link, MSG_EOF, NULL, 0)) {
        int err = turn(t, e);

        if (err)
            return err;
    }
    while (!t->ended) {
        int err = look(t, e);

        if (!err && !t->ended)
            err = turn(t, e);
        if (err)
            return err;
    }
    return 0;
}

ssize_t transfer_read(struct transfer *t, const void **bytes, struct err *e)
{
    struct msg_frame f;

    while (!t->ended) {
        int got = link_next(t->link, &f, e);

        if (got < 0)
            return got;
        if (got > 0 && f.type == MSG_DATA && !t->all_read) {
            if (f.len == 0)
                continue;
            *bytes = f.body;
            return (ssize_t)f.len;
        }

        int err = got > 0 ? on_frame(t, &f, e) : turn(t, e);

        if (err)
            return err;
    }
    return t->guest.code ? -t->guest.code : 0;
}

int transfer_is_dir(const struct box *b, const char *path, char hint[HINT_MAX], struct err *e)
{
    struct msg_builder *m = malloc(sizeof(*m));
    struct transfer t = { 0 };
    struct err why = ERR_INIT;
    const void *bytes;
    char dot[4096];
    ssize_t n;

    if (!m)
        return err_set(e, ENOMEM, "out of memory");
    /* "DIR/." can be read only if DIR is, or leads to, a directory; its first bytes will do. */
    if (snprintf(dot, sizeof(dot), "%s/.", path) >= (int)sizeof(dot)) {
        free(m);
        return err_set(e, ENAMETOOLONG, "%s: too long", path);
    }
    msg_begin(m, MSG_GET);
    msg_add_text(m, MSG_PATH, dot);
    n = transfer_open(&t, b, m, hint, &why);
    if (n == 0)
        n = transfer_read(&t, &bytes, &why);
    transfer_fini(&t);
    free(m);
    if (n >= 0)
        return 1;
    if (why.code == ENOTDIR)
        return 0;
    *e = why;
    return -why.code;
}
