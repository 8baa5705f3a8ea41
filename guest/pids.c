/* pids.c - see pids.h. */
#include "guest/pids.h"

#include "guest/kmsg.h"
#include "guest/setup.h"

#include "base/fd.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define PIDS_MAX 4194304u /* PID_MAX_LIMIT, linux/threads.h: as many as there can be */
#define SPARE    16u      /* threads that the kernel may start later */

/* linux/mount.h, which does not go with sys/mount.h everywhere */
#define OPEN_CLOEXEC  1u
#define MOUNT_CLOEXEC 1u
#define CMD_CREATE    6u

static int write_in(int dir, const char *name, const char *text)
{
    auto_fd int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

    return fd < 0 ? -errno : io_write_full(fd, text, strlen(text));
}

/* A mount without a place: no path leads to it, so no tool can leave the group. */
static int open_group(void)
{
    auto_fd int fs = (int)syscall(SYS_fsopen, "cgroup2", OPEN_CLOEXEC);
    auto_fd int root = -1;
    int err, group;

    if (fs < 0 || syscall(SYS_fsconfig, fs, CMD_CREATE, NULL, NULL, 0))
        return -errno;
    root = (int)syscall(SYS_fsmount, fs, MOUNT_CLOEXEC, 0);
    if (root < 0)
        return -errno;
    err = write_in(root, "cgroup.subtree_control", "+pids");
    if (err)
        return err;
    if (mkdirat(root, "commands", 0755) && errno != EEXIST)
        return -errno;
    group = openat(root, "commands", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return group < 0 ? -errno : group;
}

static int limit_threads(struct limits *all, uint32_t max, struct err *e)
{
    struct sysinfo si;
    char text[16];
    int err;

    if (!all->others) {
        if (sysinfo(&si))
            return err_sys(e, "counting threads");
        all->others = si.procs + SPARE;
    }
    snprintf(text, sizeof(text), "%u", max + all->others);
    err = setup_sysctl("kernel/threads-max", text);
    return err ? err_set(e, -err, "kernel.threads-max: %s", strerror(-err)) : 0;
}

int pids_limit(struct limits *all, uint32_t max, struct err *e)
{
    char text[16];
    int err;

    if (max > PIDS_MAX)
        max = PIDS_MAX;
    if (all->group < 0 && !all->others) {
        err = open_group();
        if (err < 0)
            kmsg(KMSG_INFO, "no pids cgroup (%s): kernel.threads-max it is", strerror(-err));
        else
            all->group = err;
    }
    if (all->group < 0)
        return limit_threads(all, max, e);
    snprintf(text, sizeof(text), "%u", max);
    err = write_in(all->group, "pids.max", text);
    return err ? err_set(e, -err, "pids.max: %s", strerror(-err)) : 0;
}
