/*
 * live.c - directories of the host, file by file: see mounts.h. One FUSE session for all of them;
 * it is mounted where nobody is yet, and that mount is gone before any tool starts: what stays is
 * what was bound from it.
 */
#include "guest/mounts.h"

#include "guest/kmsg.h"
#include "guest/ports.h"
#include "guest/relay.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define SESSION "/run/carrel.files"
#define FLAGS   (MS_NOSUID | MS_NODEV | MS_NOATIME)
#define WAIT_MS 20000

static char first_target[CMDLINE_TARGET]; /* the relay's, for good */

/* The host opens its end when it likes. */
static int wait_for_host(int port, struct err *e)
{
    auto_fd int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | (uint32_t)EPOLLET };

    if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, port, &ev))
        return err_sys(e, FILES_NAME);
    while (!port_connected(port))
        if (epoll_wait(ep, &ev, 1, WAIT_MS) == 0)
            return err_set(e, ETIMEDOUT, FILES_NAME ": nobody is at the host's end");
    return 0;
}

/* The port as the relay wants it: a read waits. */
static int open_port(int uevents, struct err *e)
{
    char path[64];
    auto_fd int fd = -1;
    int err = port_find(FILES_NAME, uevents, path, e);

    if (!err)
        err = port_open(path, &fd, e);
    if (!err)
        err = wait_for_host(fd, e);
    if (!err && fcntl(fd, F_SETFL, 0))
        err = err_sys(e, FILES_NAME);
    return err ? err : fd_steal(&fd);
}

static int mount_relayed(int uevents, struct err *e)
{
    auto_fd int port = open_port(uevents, e);
    auto_fd int fuse = -1;
    char options[128];

    if (port < 0)
        return port;
    fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fuse < 0)
        return err_sys(e, "/dev/fuse");
    snprintf(options, sizeof(options),
             "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions", fuse);
    if (mount(FILES_NAME, SESSION, "fuse", FLAGS, options))
        return err_sys(e, "mounting the session of live mounts");
    return relay_start(fd_steal(&fuse), fd_steal(&port), first_target, e);
}

static int mount_session(const struct cmdline *c, int uevents, struct err *e)
{
    if (c->files == FILES_PORT)
        return mount_relayed(uevents, e);
    return mount(FILES_NAME, SESSION, "virtiofs", FLAGS, NULL)
               ? err_sys(e, "mounting the session of live mounts")
               : 0;
}

static int bind_one(const struct cmdline_live *l, struct err *e)
{
    char from[sizeof(SESSION) + CMDLINE_ID + 1];
    int err = mounts_make_target(l->target, e);

    if (err)
        return err;
    snprintf(from, sizeof(from), SESSION "/%s", l->id);
    if (mount(from, l->target, NULL, MS_BIND, NULL))
        return err_sys(e, "binding %s at %s", l->id, l->target);
    if (l->read_only &&
        mount(NULL, l->target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | FLAGS, NULL))
        return err_sys(e, "%s, read-only", l->target);
    return 0;
}

/* Held for good: forcing a mount off that nobody uses would take it away, and bare the directory of
 * the image below it, which tools would then write to. */
static int pin(const char *target, struct err *e)
{
    return open(target, O_PATH | O_DIRECTORY | O_CLOEXEC) < 0 ? err_sys(e, "%s", target) : 0;
}

int mounts_live(const struct cmdline *c, int uevents, struct err *e)
{
    int err;

    if (!c->nlive)
        return 0;
    memcpy(first_target, c->live[0].target, sizeof(first_target));
    if (mkdir(SESSION, 0700))
        return err_sys(e, SESSION);
    err = mount_session(c, uevents, e);
    for (unsigned i = 0; !err && i < c->nlive; i++)
        err = bind_one(&c->live[i], e);
    if (!err)
        err = pin(first_target, e);
    if (!err && (umount2(SESSION, MNT_DETACH) || rmdir(SESSION)))
        err = err_sys(e, SESSION);
    if (!err)
        kmsg_trace("live mounts");
    return err;
}
