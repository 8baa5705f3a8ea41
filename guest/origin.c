/* origin.c - see origin.h. */
#include "guest/origin.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* -errno. Of a path below dir, whether it begins with a slash or not. */
static int open_below(int dir, const char *path, uint64_t resolve)
{
    struct open_how how = { .flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
                            .resolve = RESOLVE_IN_ROOT | resolve };
    int fd;

    if (!(resolve & RESOLVE_NO_SYMLINKS))
        how.flags &= ~(uint64_t)O_NOFOLLOW;
    fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
    return fd < 0 ? -errno : fd;
}

/* Where an open file lies in the root that tools see. False: nowhere. */
static bool find(int fd, char path[PATH_MAX])
{
    char link[32];
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, PATH_MAX - 1);
    path[n > 0 ? n : 0] = '\0';
    return path[0] == '/';
}

static bool is_same(int a, int b)
{
    struct stat x, y;

    return a >= 0 && b >= 0 && !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

/* Below another mount, and by this name, not by a link: who may write to the root can make one. */
static bool is_mounted(int root, const char *path, int fd)
{
    auto_fd int plain = open_below(root, path, RESOLVE_NO_SYMLINKS);

    return is_same(plain, fd);
}

/*
 * Nothing was written where it lies (the layer has no such name; where it has an opaque directory
 * or a whiteout above it, the root would not have it either), and the image has the same file
 * there and by the name that was asked for.
 */
int origin_check(const struct origin *o, const char *path, struct err *e)
{
    auto_fd int root = -1, fd = -1, here = -1, upper = -1, there = -1, named = -1;
    char real[PATH_MAX];

    if (o->image < 0)
        return 0;
    fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return 0;
    root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (!find(fd, real))
        return err_set(e, EACCES, "\"%.128s\" cannot be found", path);
    here = open_below(root, real, RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
    if (here == -EXDEV && is_mounted(root, path, fd))
        return 0;
    upper = open_below(o->upper, real, RESOLVE_NO_SYMLINKS);
    there = open_below(o->image, real, RESOLVE_NO_SYMLINKS);
    named = open_below(o->image, path, 0);
    if (is_same(here, fd) && upper == -ENOENT && is_same(there, named))
        return 0;
    return err_set(e, EACCES, "\"%.128s\" is not the image's: the sandbox has put it there", path);
}
