/* inlet.c - see inlet.h. */
#include "guest/inlet.h"

#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

/* Writes what is here; false when the rest must wait. */
static bool flush(struct inlet *i)
{
    while (i->at < i->len) {
        ssize_t n = write(i->source.fd, i->buf + i->at, i->len - i->at);

        if (n >= 0) {
            i->at += (size_t)n;
        } else if (errno == EAGAIN) {
            return false;
        } else if (errno != EINTR) {
            inlet_close(i); /* EPIPE: nobody reads any more */
            return true;
        }
    }
    i->at = i->len = 0;
    return true;
}

static void settle(struct inlet *i, bool flushed)
{
    struct err why = ERR_INIT;

    if (i->source.fd < 0)
        return;
    if (flushed && i->ended) {
        inlet_close(i);
    } else if (!flushed && !i->watched) {
        i->watched = true;
        if (loop_add(i->loop, &i->source, EPOLLOUT, &why)) {
            i->watched = false;
            inlet_close(i);
        }
    } else if (flushed && i->watched) {
        i->watched = false;
        loop_remove(i->loop, &i->source);
    }
}

static void ready(struct loop_source *s, uint32_t events)
{
    struct inlet *i = container_of(s, struct inlet, source);
    bool flushed = flush(i);

    (void)events;
    settle(i, flushed);
    if (flushed)
        i->room(i);
}

void inlet_init(struct inlet *i, struct loop *l, int fd, void (*room)(struct inlet *i))
{
    i->source = (struct loop_source){ fd, ready };
    i->loop = l;
    i->room = room;
    i->watched = i->ended = false;
    i->at = i->len = 0;
}

void inlet_close(struct inlet *i)
{
    if (i->watched)
        loop_remove(i->loop, &i->source);
    i->watched = false;
    i->at = i->len = 0;
    fd_closep(&i->source.fd);
}

size_t inlet_room(const struct inlet *i)
{
    return i->len ? 0 : sizeof(i->buf);
}

void inlet_push(struct inlet *i, const void *buf, size_t len)
{
    if (i->source.fd < 0 || i->ended)
        return;
    memcpy(i->buf, buf, len);
    i->len = len;
    i->at = 0;
    settle(i, flush(i));
}

void inlet_end(struct inlet *i)
{
    if (i->source.fd < 0 || i->ended)
        return;
    i->ended = true;
    settle(i, flush(i));
}
