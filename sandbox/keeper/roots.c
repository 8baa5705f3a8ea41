/* roots.c - see roots.h. Compared by what they are: names and links on the way say nothing. */
#include "sandbox/keeper/roots.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* Not in linux/magic.h: fs/ntfs3/super.c, fs/ntfs/ntfs.h, fs/hfs and fs/hfsplus of Linux 6.8. */
#define NTFS3_MAGIC   0x7366746eu
#define NTFS_MAGIC    0x5346544eu
#define HFS_MAGIC     0x4244u
#define HFSPLUS_MAGIC 0x482bu

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* 1: fd is the directory, or below it; 0: it is not; or -errno. */
static int within(int fd, int dir)
{
    auto_fd int at = openat(fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat top, here, was = { 0 };

    if (fstat(dir, &top))
        return -errno;
    for (unsigned i = 0; i < PATH_MAX; i++) {
        if (at < 0 || fstat(at, &here))
            return -errno;
        if (same(&here, &top))
            return 1;
        if (i && same(&here, &was)) /* the parent of / */
            return 0;
        was = here;

        int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

        fd_closep(&at);
        at = up;
    }
    return -ELOOP;
}

/* 1 when either holds the other. */
static int touch(int a, int b)
{
    int in = within(a, b);

    return in ? in : within(b, a);
}

bool roots_fold(uint64_t f_type, unsigned flags)
{
    static const uint32_t folding[] = { MSDOS_SUPER_MAGIC, EXFAT_SUPER_MAGIC, CIFS_SUPER_MAGIC,
                                        SMB2_SUPER_MAGIC,  SMB_SUPER_MAGIC,   NTFS3_MAGIC,
                                        NTFS_MAGIC,        HFS_MAGIC,         HFSPLUS_MAGIC };

    for (size_t i = 0; i < array_len(folding); i++)
        if ((uint32_t)f_type == folding[i])
            return true;
    return flags & FS_CASEFOLD_FL;
}

static int check_names(const struct root *r, struct err *e)
{
    auto_fd int fd = openat(r->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct statfs fs;
    unsigned flags = 0;

    if (fd < 0 || fstatfs(fd, &fs))
        return err_sys(e, "storage/%s", r->id);
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
        flags = 0; /* a file system without flags */
    if (roots_fold((uint64_t)fs.f_type, flags))
        return err_set(e, EINVAL,
                       "storage/%s: this file system takes names for equal that differ in case, so "
                       "what is denied by its name has others: a live mount cannot be there",
                       r->id);
    return 0;
}

int roots_check(const struct root *roots, unsigned n, int state, struct err *e)
{
    for (unsigned i = 0; i < n; i++) {
        int err = check_names(&roots[i], e), in = touch(roots[i].fd, state);

        if (err)
            return err;
        if (in > 0)
            return err_set(e, EINVAL,
                           "storage/%s: a live mount can neither hold nor be in the directory of "
                           "the sandboxes' own state",
                           roots[i].id);
        for (unsigned k = 0; !in && k < i; k++) {
            in = touch(roots[i].fd, roots[k].fd);
            if (in > 0)
                return err_set(e, EINVAL,
                               "storage/%s and storage/%s are live, and one directory is, or lies "
                               "in, the other",
                               roots[k].id, roots[i].id);
        }
        if (in < 0)
            return err_set(e, -in, "storage/%s: the directories above it", roots[i].id);
    }
    return 0;
}
