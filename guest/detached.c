/* detached.c - see detached.h. */
#include "guest/detached.h"

#include "base/fd.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/mount.h, which does not go with sys/mount.h everywhere */
#define OPEN_CLOEXEC  1u
#define MOUNT_CLOEXEC 1u
#define SET_STRING    1u
#define CMD_CREATE    6u

int detached_mount(const char *type, const char *const *options, unsigned attributes)
{
    auto_fd int fs = (int)syscall(SYS_fsopen, type, OPEN_CLOEXEC);
    int root;

    if (fs < 0)
        return -errno;
    for (; options && options[0]; options += 2)
        if (syscall(SYS_fsconfig, fs, SET_STRING, options[0], options[1], 0))
            return -errno;
    if (syscall(SYS_fsconfig, fs, CMD_CREATE, NULL, NULL, 0))
        return -errno;
    root = (int)syscall(SYS_fsmount, fs, MOUNT_CLOEXEC, attributes);
    return root < 0 ? -errno : root;
}
