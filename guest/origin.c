/* origin.c - see origin.h. */
#include "guest/origin.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
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

static void fd_path(int fd, char out[32])
{
    snprintf(out, 32, "/proc/self/fd/%d", fd);
}

/* Where an open file lies in the root that tools see. False: nowhere. */
static bool find(int fd, char path[PATH_MAX])
{
    char link[32];
    ssize_t n;

    fd_path(fd, link);
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

int origin_read(int fd)
{
    struct stat st;
    char path[32];
    int file;

    if (fstat(fd, &st))
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EACCES;
    fd_path(fd, path);
    file = open(path, O_RDONLY | O_CLOEXEC);
    return file < 0 ? -errno : file;
}

static bool is_below(const char *path, const char *target)
{
    size_t len = strlen(target);

    return strncmp(path, target, len) == 0 && (path[len] == '/' || !path[len]);
}

static bool is_of_volume(const struct cmdline *c, const char *path)
{
    bool is = false;

    for (unsigned i = 0; c && i < c->nmounts && !is; i++)
        is = is_below(path, c->mounts[i].target);
    for (unsigned i = 0; c && i < c->nlive && !is; i++)
        is = is_below(path, c->live[i].target);
    return is;
}

/* Below a volume's target, on another mount than the root, and by this name, not by a link: who may
 * write to the root can make one. */
static bool is_in_volume(const struct origin *o, int root, const char *path, int fd)
{
    auto_fd int plain = open_below(root, path, RESOLVE_NO_SYMLINKS);

    return is_of_volume(o->mounts, path) && is_same(plain, fd);
}

/*
 * Nothing was written where it lies (the layer has no such name; where it has an opaque directory
 * or a whiteout above it, the root would not have it either), and the image has the same file
 * there and by the name that was asked for.
 */
static bool is_own(const struct origin *o, const char *path, const struct program *p, int here)
{
    auto_fd int upper = o->upper < 0 ? -ENOENT : open_below(o->upper, p->real, RESOLVE_NO_SYMLINKS);
    auto_fd int there = open_below(o->image, p->real, RESOLVE_NO_SYMLINKS);
    auto_fd int named = open_below(o->image, path, 0);

    return is_same(here, p->named) && upper == -ENOENT && is_same(there, named);
}

/* The image's file and its directory: neither changes any more, whoever may write to the root. */
static int take(const struct origin *o, struct program *p)
{
    auto_fd int file = open_below(o->image, p->real, RESOLVE_NO_SYMLINKS);
    char *slash = strrchr(p->real, '/');

    p->own = file < 0 ? file : origin_read(file);
    if (p->own < 0)
        return p->own;
    *slash = '\0';
    p->name = slash + 1;
    p->dir = open_below(o->image, slash == p->real ? "/" : p->real, RESOLVE_NO_SYMLINKS);
    return p->dir < 0 ? p->dir : 0;
}

static int look(const struct origin *o, const char *path, struct program *p, struct err *e)
{
    auto_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    auto_fd int here = -1;
    int err;

    p->named = open(path, O_PATH | O_CLOEXEC);
    if (p->named < 0)
        return err_sys(e, "\"%.128s\"", path);
    if (o->image < 0)
        return 0;
    if (!find(p->named, p->real))
        return err_set(e, EACCES, "\"%.128s\" cannot be found", path);
    here = open_below(root, p->real, RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
    if (here == -EXDEV && is_in_volume(o, root, path, p->named))
        return 0;
    if (!is_own(o, path, p, here))
        return err_set(e, EACCES, "\"%.128s\" is not the image's: the sandbox has put it there",
                       path);
    err = take(o, p);
    return err ? err_set(e, -err, "\"%.128s\": %s", path, strerror(-err)) : 0;
}

int origin_open(const struct origin *o, const char *path, struct program *out, struct err *e)
{
    int err;

    *out = PROGRAM_NONE;
    err = look(o, path, out, e);
    if (err)
        origin_close(out);
    return err;
}

void origin_close(struct program *p)
{
    fd_closep(&p->named);
    fd_closep(&p->own);
    fd_closep(&p->dir);
}
