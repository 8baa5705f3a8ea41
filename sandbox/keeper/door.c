/*
 * door.c - the keeper's socket: who is let in.
 */
#include "sandbox/keeper/keeper.h"

#include "base/failpoint.h"
#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DOOR_MS 1000 /* until somebody is let in again, when the host had no descriptors left */

/* R08: only the owner of this process, or root. */
static bool is_allowed(int fd, uid_t *user)
{
    struct ucred c = { .uid = (uid_t)-1 };
    socklen_t len = sizeof(c);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len))
        return false;
    *user = c.uid;
    return c.uid == geteuid() || c.uid == 0;
}

/* R02: whoever waits at the door stays readable: while nobody can be let in, nobody looks there.
 * Until a link closes, or for a while: what is missing may be the whole host's. */
static void shut(struct keeper *k)
{
    if (k->door_due)
        return;
    keeper_log(k, "no client can be let in: %s", strerror(errno));
    if (loop_change(&k->loop, &k->listener, 0, NULL))
        keeper_log(k, "keeper.sock: it stays open");
    k->door_due = keeper_now() + DOOR_MS;
}

void door_open(struct keeper *k)
{
    if (!k->door_due)
        return;
    k->door_due = 0;
    if (k->listener.fd >= 0 && loop_change(&k->loop, &k->listener, EPOLLIN, NULL))
        k->door_due = keeper_now() + DOOR_MS;
}

int64_t door_tick(struct keeper *k, int64_t now)
{
    if (k->door_due && now >= k->door_due)
        door_open(k);
    return k->door_due ? k->door_due : INT64_MAX;
}

/* The next one at the door; false when there is none. */
static bool let_in(struct keeper *k)
{
    auto_fd int fd = accept4(k->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    uid_t user = (uid_t)-1;

    if (fd < 0)
        return false;
    if (k->nlinks == KEEPER_LINKS || !is_allowed(fd, &user) || link_new(k, fd_steal(&fd), user))
        keeper_log(k, "a client was turned away");
    return true;
}

static void on_connect(struct loop_source *src, uint32_t events)
{
    struct keeper *k = container_of(src, struct keeper, listener);

    (void)events;
    if (!let_in(k) && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        shut(k);
}

void door_close(struct keeper *k)
{
    if (FAILPOINT("finish.socket") || unlinkat(k->boxfd, "keeper.sock", 0))
        keeper_log(k, "keeper.sock: %s", strerror(errno));
    shutdown(k->listener.fd, SHUT_RDWR); /* the holder has it too */
    /* Whoever came while there was a door is owed the farewell. */
    for (unsigned i = 0; i < KEEPER_LINKS && let_in(k); i++)
        ;
    loop_remove(&k->loop, &k->listener);
    fd_closep(&k->listener.fd);
}

int door_watch(struct keeper *k, int fd, struct err *e)
{
    k->listener = (struct loop_source){ .fd = fd, .ready = on_connect };
    return FAILPOINT("link.watch") ? err_sys(e, "keeper.sock")
                                   : loop_add(&k->loop, &k->listener, EPOLLIN, e);
}

int door_listen(struct keeper *k, struct err *e)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    auto_fd int fd = FAILPOINT("link.socket")
                         ? -1
                         : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return err_sys(e, "keeper.sock");
    snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/keeper.sock", k->boxfd);
    if (unlinkat(k->boxfd, "keeper.sock", 0) && errno != ENOENT)
        return err_sys(e, "keeper.sock");
    if (FAILPOINT("link.bind") || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) ||
        FAILPOINT("link.listen") || listen(fd, KEEPER_LINKS))
        return err_sys(e, "keeper.sock");
    return door_watch(k, fd_steal(&fd), e);
}
