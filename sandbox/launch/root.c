/*
 * root.c - a root directory with nothing in it, or with what one program needs, read-only.
 *
 * The new root is a tmpfs of one page, mounted over a directory that every host has; it becomes the
 * root by pivot_root, and the old tree is let go. Nothing can be made in it afterwards.
 */
#include "sandbox/launch/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/mount.h>

#define SPOT  "/proc" /* only for us, and only until the pivot */
#define FLAGS (MS_NOSUID | MS_NODEV)

/* The directories of path below the new root, which is the working directory. */
static int make_parents(const char *path, bool dir, struct err *e)
{
    char at[JAIL_BIND_BYTES];
    int n = snprintf(at, sizeof(at), ".%s", path);

    if (n < 0 || (size_t)n >= sizeof(at))
        return err_set(e, ENAMETOOLONG, "bind %s", path);
    for (char *slash = strchr(at + 2, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(at, 0755) && errno != EEXIST)
            return err_sys(e, "root: %s", at);
        *slash = '/';
    }
    if (dir ? mkdir(at, 0755) && errno != EEXIST : mknod(at, S_IFREG | 0444, 0) && errno != EEXIST)
        return err_sys(e, "root: %s", at);
    return 0;
}

/* A link where the host has one (/lib -> usr/lib), else a read-only bind of file or tree. */
static int add_bind(const char *path, struct err *e)
{
    char link[256], at[JAIL_BIND_BYTES];
    struct stat st;
    ssize_t n;

    if (lstat(path, &st))
        return errno == ENOENT ? 0 : err_sys(e, "bind %s", path);
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode))
        return err_set(e, EINVAL, "bind %s: neither a file nor a directory", path);
    if (st.st_uid != 0 && st.st_uid != 65534 && st.st_uid != getuid())
        return err_set(e, EACCES, "bind %s: its owner is a stranger", path);
    snprintf(at, sizeof(at), ".%s", path);
    if (S_ISLNK(st.st_mode)) {
        n = readlink(path, link, sizeof(link) - 1);
        if (n < 0 || (size_t)n == sizeof(link) - 1)
            return err_set(e, EINVAL, "bind %s: its link is too long", path);
        link[n] = '\0';
        return symlink(link, at) && errno != EEXIST ? err_sys(e, "root: %s", at) : 0;
    }
    if (make_parents(path, S_ISDIR(st.st_mode), e))
        return -e->code;
    if (mount(path, at, NULL, MS_BIND, NULL) ||
        mount(NULL, at, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | FLAGS, NULL))
        return err_sys(e, "bind %s", path);
    return 0;
}

/*
 * Where Carrel itself runs in a chroot its root is no mount, and can neither be made private nor be
 * pivoted away from. Then a copy of its tree is mounted, out of sight of the host, and becomes the
 * root: SPOT is a mount of its own, so that it can be made private first.
 */
static int own_root(struct err *e)
{
    int tree, err;

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
        return 0;
    if (errno != EINVAL || mount(NULL, SPOT, NULL, MS_PRIVATE, NULL))
        return err_sys(e, "private mounts");
    tree = (int)syscall(SYS_open_tree, AT_FDCWD, "/",
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (tree < 0)
        return err_sys(e, "a copy of the root");
    err = (int)syscall(SYS_move_mount, tree, "", AT_FDCWD, SPOT, MOVE_MOUNT_F_EMPTY_PATH);
    if (err || chdir(SPOT) || chroot(".") || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
        err = err_sys(e, "a root that is a mount");
    close(tree);
    return err;
}

int layer_root(const struct jail_record *r, struct err *e)
{
    struct jail_record copy = *r;
    char *binds[JAIL_BINDS_MAX + 1];
    /* Without binds nothing in it is ever named: not even the program, which is a descriptor. */
    const unsigned long noexec = r->nbinds ? 0 : MS_NOEXEC;
    int err = 0;

    if (!record_strings(copy.binds, sizeof(copy.binds), r->nbinds, binds))
        return err_set(e, EINVAL, "binds");
    if (trees_find(r, e))
        return -e->code;
    if (unshare(CLONE_NEWNS))
        return err_sys(e, "mount namespace");
    if (own_root(e) || trees_take(r, e))
        return -e->code;
    if (mount("carrel", SPOT, "tmpfs", FLAGS | noexec, "size=64k,nr_inodes=64,mode=0555") ||
        chdir(SPOT))
        return err_sys(e, "new root");
    for (uint32_t i = 0; i < r->nbinds && !err; i++)
        err = add_bind(binds[i], e);
    if (err)
        return err;
    if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
        return err_sys(e, "leaving the old root");
    if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | FLAGS | noexec, NULL))
        return err_sys(e, "read-only root");
    return 0;
}
