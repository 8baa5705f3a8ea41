/* cgroup.c - see cgroup.h. */
#include "guest/cgroup.h"

#include "base/fd.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/mount.h, which does not go with sys/mount.h everywhere */
#define OPEN_CLOEXEC  1u
#define MOUNT_CLOEXEC 1u
#define CMD_CREATE    6u

int cgroup_write(int dir, const char *file, const char *text)
{
    auto_fd int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);

    return fd < 0 ? -errno : io_write_full(fd, text, strlen(text));
}

int cgroup_open(void)
{
    auto_fd int fs = (int)syscall(SYS_fsopen, "cgroup2", OPEN_CLOEXEC);
    auto_fd int root = -1, dir = -1;

    if (fs < 0 || syscall(SYS_fsconfig, fs, CMD_CREATE, NULL, NULL, 0))
        return -errno;
    root = (int)syscall(SYS_fsmount, fs, MOUNT_CLOEXEC, 0);
    if (root < 0)
        return -errno;
    /* Who lacks the controller has groups all the same; pids.h says what holds then. */
    (void)!cgroup_write(root, "cgroup.subtree_control", "+pids");
    if (mkdirat(root, "commands", 0755) && errno != EEXIST)
        return -errno;
    dir = openat(root, "commands", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || faccessat(dir, "cgroup.kill", F_OK, 0))
        return -errno;
    return fd_steal(&dir);
}
