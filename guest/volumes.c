/*
 * volumes.c - disks that a policy puts at a place of their own: see mounts.h. A disk is found by
 * its serial number, which the host chose, and never by its order.
 */
#include "guest/mounts.h"

#include "guest/kmsg.h"
#include "guest/uevent.h"

#include "base/fd.h"
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    int fd; /* of its root */
    char target[CMDLINE_TARGET];
} writable[CMDLINE_MOUNTS];
static unsigned nwritable;

/* A disk that is waited for. */
struct wanted {
    const char *serial;
    char node[32];
};

static bool has_serial(const char *disk, const char *serial)
{
    char path[64], text[24] = "";
    auto_fd int fd = -1;
    ssize_t n;

    if (snprintf(path, sizeof(path), "/sys/block/%s/serial", disk) >= (int)sizeof(path))
        return false;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : io_read_full(fd, text, sizeof(text) - 1);
    if (n < 0)
        return false;
    text[strcspn(text, "\n")] = '\0';
    return strcmp(text, serial) == 0;
}

static bool find(void *arg)
{
    struct wanted *w = arg;
    DIR *dir = opendir("/sys/block");
    const struct dirent *d;
    bool found = false;

    while (dir && !found && (d = readdir(dir)))
        found = strncmp(d->d_name, "vd", 2) == 0 && has_serial(d->d_name, w->serial) &&
                snprintf(w->node, sizeof(w->node), "/dev/%s", d->d_name) < (int)sizeof(w->node) &&
                access(w->node, F_OK) == 0;
    if (dir)
        closedir(dir);
    return found;
}

/* The last one that cannot be made says why. */
int mounts_make_target(const char *target, struct err *e)
{
    char path[CMDLINE_TARGET];
    struct stat st;
    int err = 0;

    snprintf(path, sizeof(path), "%s", target);
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        (void)mkdir(path, 0755);
        *p = '/';
    }
    if (mkdir(path, 0755) && errno != EEXIST)
        err = errno;
    if (stat(path, &st) || !S_ISDIR(st.st_mode))
        return err == EROFS ? err_set(e, EROFS,
                                      "%s: the image has no such directory, and the root is "
                                      "read-only",
                                      target)
                            : err_set(e, err ? err : ENOTDIR, "%s: %s", target,
                                      strerror(err ? err : ENOTDIR));
    return 0;
}

static int mount_volume(const struct cmdline_mount *m, int uevents, struct err *e)
{
    unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOATIME | (m->read_only ? MS_RDONLY : 0);
    struct wanted w = { .serial = m->serial };
    int err = uevent_wait(uevents, find, &w, m->serial, e);

    if (!err)
        err = mounts_make_target(m->target, e);
    if (err)
        return err;
    if (mount(w.node, m->target, "ext4", flags, NULL))
        return err_sys(e, "mounting %s (%s) at %s", m->serial, w.node, m->target);
    if (m->read_only)
        return 0;
    writable[nwritable].fd = open(m->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (writable[nwritable].fd < 0)
        return err_sys(e, "%s", m->target);
    snprintf(writable[nwritable].target, CMDLINE_TARGET, "%s", m->target);
    nwritable++;
    return 0;
}

int mounts_volumes(const struct cmdline *c, int uevents, struct err *e)
{
    int err = 0;

    for (unsigned i = 0; !err && i < c->nmounts; i++)
        err = mount_volume(&c->mounts[i], uevents, e);
    if (!err && c->nmounts)
        kmsg_trace("volumes");
    return err;
}

void mounts_rest(void)
{
    char path[32];

    for (unsigned i = 0; i < nwritable; i++) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", writable[i].fd);
        if (mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL))
            kmsg(KMSG_WARNING, "%s stays mounted: %s", writable[i].target, strerror(errno));
    }
}
