/*
 * trees.c - directories that a program is given, as trees of their own.
 *
 * A descriptor of a directory is a way out of any root: by "..", to all that the host has, of which
 * Landlock guards the content but no attribute. So each is replaced by a detached copy of its mount
 * that begins there, and has no parent.
 */
#include "sandbox/launch/launch.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/mount.h>

#define TREES_MAX 8u

static char where[TREES_MAX][PATH_MAX];

/* No device of it can be opened, whatever appears there; what may only be read keeps even its
 * times. Linux 5.12: before that there is no Landlock either, and that is reported. */
static int restrict_tree(int tree, const struct jail_fd *f, struct err *e)
{
    struct mount_attr a = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };

    if (f->kinds & JAIL_DIR)
        a.attr_set |= MOUNT_ATTR_RDONLY;
    if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &a, sizeof(a)) &&
        errno != ENOSYS)
        return err_sys(e, "a tree of descriptor %d", f->fd);
    return 0;
}

static bool is_tree(const struct jail_fd *f)
{
    return f->kinds & (JAIL_DIR | JAIL_DIR_RW);
}

int trees_find(const struct jail_record *r, struct err *e)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < r->nfds; i++) {
        char link[32];
        ssize_t len;

        if (!is_tree(&r->fds[i]))
            continue;
        if (n == TREES_MAX)
            return err_set(e, E2BIG, "more than %u directories", TREES_MAX);
        snprintf(link, sizeof(link), "/proc/self/fd/%d", r->fds[i].fd);
        len = readlink(link, where[n], sizeof(where[n]) - 1);
        if (len < 0)
            return err_sys(e, "descriptor %d", r->fds[i].fd);
        where[n++][len] = '\0';
    }
    return 0;
}

/* What the name leads to now must be what the descriptor is: others may move directories. */
static int take(const struct jail_fd *f, const char *path, struct err *e)
{
    auto_fd int tree =
        (int)syscall(SYS_open_tree, AT_FDCWD, path,
                     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);
    struct stat is, was;

    if (tree < 0 || fstat(tree, &is) || fstat(f->fd, &was))
        return err_sys(e, "a tree of descriptor %d", f->fd);
    if (is.st_dev != was.st_dev || is.st_ino != was.st_ino)
        return err_set(e, ESTALE, "descriptor %d is not where it was", f->fd);
    if (restrict_tree(tree, f, e))
        return -e->code;
    return dup3(tree, f->fd, O_CLOEXEC) < 0 ? err_sys(e, "descriptor %d", f->fd) : 0;
}

int trees_take(const struct jail_record *r, struct err *e)
{
    unsigned n = 0;
    int err = 0;

    for (uint32_t i = 0; i < r->nfds && !err; i++)
        if (is_tree(&r->fds[i]))
            err = take(&r->fds[i], where[n++], e);
    return err;
}
