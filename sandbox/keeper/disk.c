/* disk.c - see disk.h. Made under another name and renamed: a torn file system is never used. */
#include "sandbox/keeper/disk.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "sandbox/volume/ext4.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define DRAFT "disk.new"

/* What the overlay has of its own: upper, work, and a directory in that (guest/mounts.c). */
#define OVERLAY_OWN 3u

/* An inode takes 256 bytes: a small disk has no more of them than one for this many bytes. */
#define INODE_BYTES 8192u

int disk_open(int boxfd, uint64_t bytes, uint64_t inodes, char hint[240], struct err *e)
{
    auto_fd int fd = openat(boxfd, "disk.img", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    uint64_t room = bytes / INODE_BYTES;
    int err;

    if (fd >= 0)
        return fd_steal(&fd);
    if (errno != ENOENT)
        return err_sys(e, "disk.img");
    fd = FAILPOINT("disk.open")
             ? -1
             : openat(boxfd, DRAFT, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(e, "disk.img");
    err = FAILPOINT("disk.make")
              ? err_sys(e, "disk.img")
              : ext4_make(fd, ext4_bytes(bytes), (inodes < room ? inodes : room) + OVERLAY_OWN, 0,
                          hint, e);
    if (!err && (FAILPOINT("disk.rename") || renameat(boxfd, DRAFT, boxfd, "disk.img")))
        err = err_sys(e, "disk.img");
    if (err) {
        unlinkat(boxfd, DRAFT, 0);
        return err;
    }
    return fd_steal(&fd);
}
