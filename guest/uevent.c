/* uevent.c - see uevent.h. */
#include "guest/uevent.h"

#include "base/fd.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#define KERNEL_GROUP 1u /* lib/kobject_uevent.c: events as the kernel sends them */

int uevent_open(int *fd, struct err *e)
{
    struct sockaddr_nl to = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP };
    auto_fd int s =
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

    if (s < 0 || bind(s, (struct sockaddr *)&to, sizeof(to)))
        return err_sys(e, "device events");
    *fd = fd_steal(&s);
    return 0;
}

/* Events are only a reason to look again; an overflow (ENOBUFS) is one, too. */
static void drain(int fd)
{
    char event[2048];

    while (recv(fd, event, sizeof(event), 0) >= 0 || errno == ENOBUFS || errno == EINTR)
        ;
}

int uevent_wait(int fd, bool (*there)(void *arg), void *arg, const char *what, struct err *e)
{
    struct timespec now;
    time_t end;

    clock_gettime(CLOCK_MONOTONIC, &now);
    end = now.tv_sec + UEVENT_WAIT_S;
    while (!there(arg)) {
        struct pollfd p = { .fd = fd, .events = POLLIN };

        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec >= end)
            return err_set(e, ETIMEDOUT, "%s did not appear within %d s", what, UEVENT_WAIT_S);
        (void)poll(&p, 1, (int)(end - now.tv_sec) * 1000);
        drain(fd);
    }
    return 0;
}
