/* escalate.c - see escalate.h. */
#include "sandbox/cli/escalate.h"

#include "base/fd.h"
#include "base/io.h"
#include "sandbox/client.h"

#include <signal.h>
#include <string.h>
#include <time.h>

void escalate_init(struct escalate *s)
{
    memset(s, 0, sizeof(*s));
}

void escalate_fini(struct escalate *s)
{
    while (s->nfds)
        close(s->fds[--s->nfds]);
}

enum escalate_step escalate_step(struct escalate *s, int signo, bool passable, bool owns_box,
                                 int64_t now_ns)
{
    bool ends = signo == SIGINT || signo == SIGTERM || signo == SIGHUP || signo == SIGQUIT;

    if (!ends)
        return passable ? ESCALATE_PASS : ESCALATE_NOTHING;
    if (!passable)
        return owns_box ? ESCALATE_KILL : ESCALATE_LEAVE;
    if (signo == SIGINT && s->interrupts && now_ns - s->last_ns > ESCALATE_WITHIN_NS)
        s->interrupts = 0;
    if (signo == SIGINT) {
        s->last_ns = now_ns;
        s->interrupts++;
    } else if (signo == SIGTERM) {
        s->terms++;
    } else {
        return ESCALATE_PASS;
    }

    unsigned n = s->interrupts + s->terms;

    if (n == 1)
        return ESCALATE_PASS;
    if (!owns_box)
        return n == 2 ? ESCALATE_PASS : ESCALATE_LEAVE;
    return n == 2 ? ESCALATE_STOP : ESCALATE_KILL;
}

enum escalate_step escalate_next(struct escalate *s, int signo, bool passable, bool owns_box)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return escalate_step(s, signo, passable, owns_box,
                         (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
}

void escalate_ask(struct escalate *s, int boxfd, enum msg_type request)
{
    struct msg_builder b;

    if (s->nfds == sizeof(s->fds) / sizeof(s->fds[0]))
        return;

    auto_fd int fd = client_connect(boxfd, NULL);

    msg_begin(&b, request);

    ssize_t n = msg_seal(&b);

    if (fd >= 0 && n > 0 && io_write_full(fd, b.bytes, (size_t)n) == 0)
        s->fds[s->nfds++] = fd_steal(&fd);
}
