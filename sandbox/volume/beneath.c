/* beneath.c - see beneath.h. */
#include "sandbox/volume/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int resolve(int dirfd, const char *path, int flags, mode_t mode, uint64_t how_else)
{
    const struct open_how how = {
        .flags = (uint64_t)flags | O_CLOEXEC,
        .mode = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | how_else,
    };
    int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

    return fd < 0 ? -errno : fd;
}

int beneath_open(int dirfd, const char *path, int flags, mode_t mode)
{
    /* No O_NOFOLLOW: with O_PATH it would let a last link through. */
    return resolve(dirfd, path, flags, mode, 0);
}

int beneath_stay(int dirfd, const char *path, int flags, mode_t mode)
{
    return resolve(dirfd, path, flags, mode, RESOLVE_NO_XDEV);
}

int beneath_parent(int dirfd, const char *path, const char **last)
{
    const char *slash = strrchr(path, '/');
    char above[PATH_MAX];

    *last = slash ? slash + 1 : path;
    if (!slash)
        return beneath_open(dirfd, ".", O_RDONLY | O_DIRECTORY, 0);
    if ((size_t)(slash - path) >= sizeof(above))
        return -ENAMETOOLONG;
    memcpy(above, path, (size_t)(slash - path));
    above[slash - path] = '\0';
    return beneath_open(dirfd, above, O_RDONLY | O_DIRECTORY, 0);
}
