/* loop.c - see loop.h. */
#include "base/loop.h"

#include "base/fd.h"

#include <errno.h>
#include <sys/epoll.h>

int loop_init(struct loop *l, struct err *e)
{
    *l = (struct loop){ .epfd = epoll_create1(EPOLL_CLOEXEC) };
    return l->epfd < 0 ? err_sys(e, "event loop") : 0;
}

void loop_fini(struct loop *l)
{
    fd_closep(&l->epfd);
}

static int control(struct loop *l, int op, struct loop_source *s, uint32_t events, struct err *e)
{
    struct epoll_event ev = { .events = events, .data.ptr = s };

    return epoll_ctl(l->epfd, op, s->fd, &ev) ? err_sys(e, "event loop: descriptor %d", s->fd) : 0;
}

int loop_add(struct loop *l, struct loop_source *s, uint32_t events, struct err *e)
{
    return control(l, EPOLL_CTL_ADD, s, events, e);
}

int loop_change(struct loop *l, struct loop_source *s, uint32_t events, struct err *e)
{
    return control(l, EPOLL_CTL_MOD, s, events, e);
}

void loop_remove(struct loop *l, struct loop_source *s)
{
    epoll_ctl(l->epfd, EPOLL_CTL_DEL, s->fd, NULL);
    for (int i = 0; i < l->nbatch; i++)
        if (l->batch[i] == s)
            l->batch[i] = NULL;
}

int loop_once(struct loop *l, int timeout_ms, struct err *e)
{
    struct epoll_event got[LOOP_BATCH];
    /* This form by name: what epoll_wait becomes depends on the C library, and filters must know.
     */
    int n = epoll_pwait(l->epfd, got, LOOP_BATCH, timeout_ms, NULL);

    if (n < 0)
        return errno == EINTR ? 0 : err_sys(e, "event loop: wait");
    for (int i = 0; i < n; i++) {
        l->batch[i] = got[i].data.ptr;
        l->events[i] = got[i].events;
    }
    l->nbatch = n;
    for (int i = 0; i < n; i++)
        if (l->batch[i])
            l->batch[i]->ready(l->batch[i], l->events[i]);
    l->nbatch = 0;
    return 0;
}

int loop_run(struct loop *l, struct err *e)
{
    l->stopped = false;
    while (!l->stopped) {
        int err = loop_once(l, -1, e);

        if (err)
            return err;
    }
    return 0;
}

void loop_stop(struct loop *l)
{
    l->stopped = true;
}
