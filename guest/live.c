/*
 * live.c - directories of the host, file by file: see mounts.h. One FUSE session for all of them;
 * it is mounted where nobody is yet, and that mount is gone before any tool starts: what stays is
 * what was bound from it.
 */
#include "guest/mounts.h"

#include "guest/kmsg.h"

#include "base/files.h"

#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define SESSION "/run/carrel.files"
#define FLAGS   (MS_NOSUID | MS_NODEV | MS_NOATIME)

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

int mounts_live(const struct cmdline *c, struct err *e)
{
    int err;

    if (!c->nlive)
        return 0;
    if (mkdir(SESSION, 0700))
        return err_sys(e, SESSION);
    err = mount(FILES_NAME, SESSION, "virtiofs", FLAGS, NULL)
              ? err_sys(e, "mounting the session of live mounts")
              : 0;
    for (unsigned i = 0; !err && i < c->nlive; i++)
        err = bind_one(&c->live[i], e);
    if (!err && (umount2(SESSION, MNT_DETACH) || rmdir(SESSION)))
        err = err_sys(e, SESSION);
    if (!err)
        kmsg_trace("live mounts");
    return err;
}
