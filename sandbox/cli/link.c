/* link.c - see link.h. */
#include "sandbox/cli/link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct link *link_new(int fd, struct err *e)
{
    struct link *l = malloc(sizeof(*l));

    if (!l) {
        close(fd);
        err_set(e, ENOMEM, "out of memory");
        return NULL;
    }
    l->fd = fd;
    l->in_at = l->in_len = l->out_at = l->out_len = 0;
    l->closed = false;
    return l;
}

void link_free(struct link *l)
{
    if (!l)
        return;
    close(l->fd);
    free(l);
}

size_t link_room(const struct link *l)
{
    size_t room = sizeof(l->out) - (l->out_len - l->out_at);

    if (room <= MSG_HEADER)
        return 0;
    room -= MSG_HEADER;
    return room < MSG_MAX ? room : MSG_MAX;
}

/* Makes what is queued begin at the buffer's start. */
static void compact(struct link *l)
{
    memmove(l->out, l->out + l->out_at, l->out_len - l->out_at);
    l->out_len -= l->out_at;
    l->out_at = 0;
}

bool link_send(struct link *l, enum msg_type type, const void *body, size_t len)
{
    if (len > link_room(l))
        return false;
    compact(l);
    msg_header(l->out + l->out_len, type, (uint32_t)len);
    if (len)
        memcpy(l->out + l->out_len + MSG_HEADER, body, len);
    l->out_len += MSG_HEADER + len;
    return true;
}

bool link_send_request(struct link *l, struct msg_builder *b)
{
    ssize_t n = msg_seal(b);

    if (n < 0 || (size_t)n - MSG_HEADER > link_room(l))
        return false;
    compact(l);
    memcpy(l->out + l->out_len, b->bytes, (size_t)n);
    l->out_len += (size_t)n;
    return true;
}

short link_events(const struct link *l)
{
    bool reads = !l->closed && l->in_len - l->in_at < sizeof(l->in);

    return (short)((reads ? POLLIN : 0) | (l->out_at < l->out_len ? POLLOUT : 0));
}

int link_pump(struct link *l, struct err *e)
{
    if (l->out_at < l->out_len) {
        ssize_t n =
            send(l->fd, l->out + l->out_at, l->out_len - l->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n >= 0)
            l->out_at += (size_t)n;
        else if (errno == EPIPE || errno == ECONNRESET)
            l->out_at = l->out_len; /* what it still had to say can be read below */
        else if (errno != EAGAIN && errno != EINTR)
            return err_sys(e, "keeper");
    }
    if (l->in_at) {
        memmove(l->in, l->in + l->in_at, l->in_len - l->in_at);
        l->in_len -= l->in_at;
        l->in_at = 0;
    }
    if (l->closed || l->in_len == sizeof(l->in))
        return 0;

    ssize_t n = recv(l->fd, l->in + l->in_len, sizeof(l->in) - l->in_len, MSG_DONTWAIT);

    if (n > 0)
        l->in_len += (size_t)n;
    else if (n == 0 || errno == ECONNRESET)
        l->closed = true;
    else if (errno != EAGAIN && errno != EINTR)
        return err_sys(e, "keeper");
    return 0;
}

int link_next(struct link *l, struct msg_frame *f, struct err *e)
{
    ssize_t n = msg_parse(l->in + l->in_at, l->in_len - l->in_at, f);

    if (n < 0)
        return err_set(e, EBADMSG, "the keeper sent what is not a message");
    l->in_at += (size_t)n;
    return n > 0;
}
