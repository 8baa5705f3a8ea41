/* outlet.c - see outlet.h. */
#include "guest/outlet.h"

#include "guest/job.h"

#include "base/fd.h"

#include <errno.h>
#include <sys/epoll.h>

#define CHUNK       MSG_MAX /* a pipe is as large: what a program wrote goes in one frame */
#define ROOM        4096u   /* not read for less: many small frames cost more than they bring */
#define DRAIN_BYTES 65536u  /* pipe(7): the capacity of a pipe */

static bool has_room(const struct call *c)
{
    return !c || call_room(c) >= ROOM;
}

static void source_ready(struct loop_source *s, uint32_t events)
{
    struct outlet *o = container_of(s, struct outlet, source);

    (void)events;
    o->ready(o);
}

void outlet_init(struct outlet *o, struct loop *l, int fd, enum msg_type type)
{
    o->source = (struct loop_source){ fd, source_ready };
    o->loop = l;
    o->type = type;
    o->watched = o->draining = false;
}

bool outlet_is_open(const struct outlet *o)
{
    return o->source.fd >= 0;
}

/* A source that is not read must leave the loop: a pipe without writers is ready for ever. */
void outlet_rest(struct outlet *o)
{
    if (o->watched)
        loop_remove(o->loop, &o->source);
    o->watched = false;
}

void outlet_close(struct outlet *o)
{
    outlet_rest(o);
    fd_closep(&o->source.fd);
}

/* While draining: is n, the result of a read, the last? */
static bool is_last(struct outlet *o, ssize_t n)
{
    if (!o->draining)
        return false;
    if (n < 0 || (size_t)n >= o->left)
        return true;
    o->left -= (size_t)n;
    return false;
}

void outlet_move(struct outlet *o, struct call *c)
{
    static uint8_t buf[CHUNK];
    size_t room = c ? call_room(c) : sizeof(buf);
    ssize_t n;

    if (!has_room(c)) {
        outlet_rest(o);
        return;
    }
    n = read(o->source.fd, buf, room < sizeof(buf) ? room : sizeof(buf));
    if (n > 0 && c) {
        call_send(c, o->type, buf, (size_t)n);
        job_said(o->job, o->type, buf, (size_t)n);
    }
    /* EIO: the last slave of the terminal was closed. */
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || is_last(o, n))
        outlet_close(o);
}

void outlet_resume(struct outlet *o, struct call *c)
{
    struct err why = ERR_INIT;

    if (!outlet_is_open(o) || o->watched || !has_room(c))
        return;
    o->watched = true;
    if (loop_add(o->loop, &o->source, EPOLLIN, &why)) {
        o->watched = false;
        outlet_close(o);
    }
    while (o->draining && o->watched)
        outlet_move(o, c);
}

void outlet_drain(struct outlet *o, struct call *c)
{
    o->draining = true;
    o->left = DRAIN_BYTES;
    while (o->watched)
        outlet_move(o, c);
}
